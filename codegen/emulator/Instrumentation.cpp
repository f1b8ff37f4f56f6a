// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/Instrumentation.h"

#include "codegen/emulator/Intrinsics.h"
#include "codegen/emulator/MathIntrinsics.h"
#include "codegen/emulator/SharedVariables.h"
#include "codegen/emulator/SiteTable.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/AttributeMask.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Verifier.h"

using namespace llvm;

namespace bifocal::emulator {
namespace {

/// Special registers in the order of `Machine::specialRegister`.
constexpr StringLiteral specialRegisters[] = {"tid.x",    "tid.y",    "tid.z",   "ntid.x",  "ntid.y",
                                              "ntid.z",   "ctaid.x",  "ctaid.y", "ctaid.z", "nctaid.x",
                                              "nctaid.y", "nctaid.z", "laneid",  "warpsize"};

class Rewriter {
public:
  Rewriter(Module &module, SiteTable &sites) : module(module), sites(sites), builder(module.getContext()) {}

  void rewrite(Instruction &instruction);
  std::vector<std::string> problems;

private:
  void announce(Instruction &at, Value *address, Value *bytes, Machine::AccessKind kind, uint64_t alignment);
  void announce(Instruction &at, Value *address, Type *type, Machine::AccessKind kind, Align alignment);
  void rewriteCall(CallInst &call);
  void rewriteMemory(AnyMemIntrinsic &intrinsic);
  void callHandler(CallInst &call, Handler handler);
  Value *toWord(Value *value);
  Value *fromWord(Value *word, Type *type);
  void refuse(Instruction &instruction, const Twine &what);
  Value *site(Instruction &instruction) { return builder.getInt32(sites.index(instruction)); }

  Module &module;
  SiteTable &sites;
  IRBuilder<> builder;
};

} // namespace

void Rewriter::refuse(Instruction &instruction, const Twine &what) {
  const Site &site = sites.site(instruction);
  problems.push_back(("line " + Twine(site.line) + " (" + site.function + "): " + what).str());
}

void Rewriter::announce(Instruction &at, Value *address, Value *bytes, Machine::AccessKind kind, uint64_t alignment) {
  if (isa<AllocaInst>(address->stripInBoundsOffsets()))
    return;
  builder.SetInsertPoint(&at);
  Type *pointer = builder.getPtrTy(), *word = builder.getInt32Ty();
  FunctionCallee callee =
      module.getOrInsertFunction("bifocal_emulator_access", builder.getVoidTy(), pointer, word, word, word, word);
  builder.CreateCall(callee, {builder.CreateAddrSpaceCast(address, pointer), builder.CreateZExtOrTrunc(bytes, word),
                              builder.getInt32(static_cast<uint32_t>(kind)),
                              builder.getInt32(static_cast<uint32_t>(alignment)), site(at)});
}

void Rewriter::announce(Instruction &at, Value *address, Type *type, Machine::AccessKind kind, Align alignment) {
  uint64_t bytes = module.getDataLayout().getTypeStoreSize(type);
  announce(at, address, builder.getInt32(static_cast<uint32_t>(bytes)), kind, alignment.value());
}

void Rewriter::rewrite(Instruction &instruction) {
  using Kind = Machine::AccessKind;
  if (auto *load = dyn_cast<LoadInst>(&instruction))
    return announce(*load, load->getPointerOperand(), load->getType(), Kind::Read, load->getAlign());
  if (auto *store = dyn_cast<StoreInst>(&instruction))
    return announce(*store, store->getPointerOperand(), store->getValueOperand()->getType(), Kind::Write,
                    store->getAlign());
  if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction))
    return announce(*exchange, exchange->getPointerOperand(), exchange->getCompareOperand()->getType(), Kind::Atomic,
                    exchange->getAlign());
  if (auto *update = dyn_cast<AtomicRMWInst>(&instruction)) {
    announce(*update, update->getPointerOperand(), update->getValOperand()->getType(), Kind::Atomic,
             update->getAlign());
    if (update->isFloatingPointOperation())
      builder.CreateCall(
          module.getOrInsertFunction("bifocal_emulator_float_atomic", builder.getVoidTy(), builder.getInt32Ty()),
          {site(*update)});
    return;
  }
  if (auto *intrinsic = dyn_cast<AnyMemIntrinsic>(&instruction))
    return rewriteMemory(*intrinsic);
  if (auto *call = dyn_cast<CallInst>(&instruction))
    return rewriteCall(*call);
  if (isa<InvokeInst, CallBrInst, IndirectBrInst>(instruction))
    refuse(instruction, "the emulator does not execute '" + Twine(instruction.getOpcodeName()) + "'");
}

void Rewriter::rewriteMemory(AnyMemIntrinsic &intrinsic) {
  if (auto *transfer = dyn_cast<AnyMemTransferInst>(&intrinsic))
    announce(intrinsic, transfer->getRawSource(), transfer->getLength(), Machine::AccessKind::Read,
             transfer->getSourceAlign().valueOrOne().value());
  announce(intrinsic, intrinsic.getRawDest(), intrinsic.getLength(), Machine::AccessKind::Write,
           intrinsic.getDestAlign().valueOrOne().value());
}

/// Intrinsics of LLVM that mean on the host what they mean on a GPU.
static bool isPlain(Intrinsic::ID id) {
  switch (id) {
  case Intrinsic::abs:
  case Intrinsic::assume:
  case Intrinsic::bitreverse:
  case Intrinsic::bswap:
  case Intrinsic::canonicalize:
  case Intrinsic::copysign:
  case Intrinsic::ctlz:
  case Intrinsic::ctpop:
  case Intrinsic::cttz:
  case Intrinsic::dbg_declare:
  case Intrinsic::dbg_value:
  case Intrinsic::exp2:
  case Intrinsic::experimental_noalias_scope_decl:
  case Intrinsic::fabs:
  case Intrinsic::floor:
  case Intrinsic::ceil:
  case Intrinsic::trunc:
  case Intrinsic::rint:
  case Intrinsic::roundeven:
  case Intrinsic::fma:
  case Intrinsic::fmuladd:
  case Intrinsic::fptosi_sat:
  case Intrinsic::fptoui_sat:
  case Intrinsic::fshl:
  case Intrinsic::fshr:
  case Intrinsic::lifetime_end:
  case Intrinsic::lifetime_start:
  case Intrinsic::maximum:
  case Intrinsic::maxnum:
  case Intrinsic::minimum:
  case Intrinsic::minnum:
  case Intrinsic::sadd_sat:
  case Intrinsic::smax:
  case Intrinsic::smin:
  case Intrinsic::sqrt:
  case Intrinsic::ssub_sat:
  case Intrinsic::uadd_sat:
  case Intrinsic::uadd_with_overflow:
  case Intrinsic::umax:
  case Intrinsic::umin:
  case Intrinsic::umul_with_overflow:
  case Intrinsic::usub_sat:
  case Intrinsic::usub_with_overflow:
  case Intrinsic::vector_reduce_add:
  case Intrinsic::vector_reduce_fadd:
  case Intrinsic::vector_reduce_fmax:
  case Intrinsic::vector_reduce_fmin:
  case Intrinsic::vector_reduce_or:
    return true;
  default:
    return false;
  }
}

void Rewriter::rewriteCall(CallInst &call) {
  if (auto *assembly = dyn_cast<InlineAsm>(call.getCalledOperand())) {
    if (Handler handler = findAssembly(assembly->getAsmString()))
      return callHandler(call, handler);
    return refuse(call, "the emulator does not know the assembly '" + Twine(assembly->getAsmString()) + "'");
  }
  Function *callee = call.getCalledFunction();
  if (!callee)
    return refuse(call, "the emulator does not follow calls through pointers");
  StringRef name = callee->getName();
  if (!callee->isIntrinsic()) {
    if (callee->isDeclaration() && !name.starts_with("bifocal_emulator_"))
      refuse(call, "calls '" + name + "', which the module does not define");
    return;
  }
  if (!name.consume_front("llvm.nvvm.")) {
    if (!isPlain(callee->getIntrinsicID()))
      refuse(call, "the emulator does not know the intrinsic '" + callee->getName() + "'");
    return;
  }
  builder.SetInsertPoint(&call);
  StringRef special = name;
  if (special.consume_front("read.ptx.sreg.")) {
    auto found = llvm::find(specialRegisters, special);
    if (found == std::end(specialRegisters))
      return refuse(call, "the emulator does not know the special register '" + special + "'");
    FunctionCallee reader =
        module.getOrInsertFunction("bifocal_emulator_register", builder.getInt32Ty(), builder.getInt32Ty());
    call.replaceAllUsesWith(
        builder.CreateCall(reader, {builder.getInt32(static_cast<uint32_t>(found - specialRegisters))}));
    call.eraseFromParent();
    return;
  }
  if (Value *value = expandMath(name, call, builder)) {
    call.replaceAllUsesWith(value);
    call.eraseFromParent();
    return;
  }
  // Address spaces of pointers are part of a name: ldmatrix.….p3.
  auto [stem, suffix] = name.rsplit('.');
  unsigned space;
  if (suffix.consume_front("p") && !suffix.getAsInteger(10, space))
    name = stem;
  if (Handler handler = findIntrinsic(std::string_view(name)))
    return callHandler(call, handler);
  refuse(call, "the emulator does not know the intrinsic '" + callee->getName() + "'");
}

Value *Rewriter::toWord(Value *value) {
  Type *type = value->getType();
  if (type->isPointerTy())
    return builder.CreatePtrToInt(builder.CreateAddrSpaceCast(value, builder.getPtrTy()), builder.getInt64Ty());
  unsigned bits = type->getPrimitiveSizeInBits();
  if (!bits || bits > 64)
    return nullptr;
  return builder.CreateZExt(builder.CreateBitCast(value, builder.getIntNTy(bits)), builder.getInt64Ty());
}

Value *Rewriter::fromWord(Value *word, Type *type) {
  return builder.CreateBitCast(builder.CreateTrunc(word, builder.getIntNTy(type->getPrimitiveSizeInBits())), type);
}

void Rewriter::callHandler(CallInst &call, Handler handler) {
  BasicBlock &first = call.getFunction()->getEntryBlock();
  Type *word = builder.getInt64Ty(), *pointer = builder.getPtrTy();
  auto *structure = dyn_cast<StructType>(call.getType());
  uint64_t count = call.arg_size(), results = structure ? structure->getNumElements() : !call.getType()->isVoidTy();
  builder.SetInsertPoint(&first, first.begin());
  // One word too many rather than an empty array.
  Value *operands = builder.CreateAlloca(ArrayType::get(word, count + 1));
  Value *outputs = builder.CreateAlloca(ArrayType::get(word, std::max<uint64_t>(results, 2)));
  builder.SetInsertPoint(&call);
  for (uint64_t index = 0; index < count; ++index) {
    Value *operand = toWord(call.getArgOperand(static_cast<unsigned>(index)));
    if (!operand)
      return refuse(call, "the emulator cannot pass operand " + Twine(index) + " of this call");
    builder.CreateStore(operand, builder.CreateConstGEP1_64(word, operands, index));
  }
  FunctionCallee callee = module.getOrInsertFunction("bifocal_emulator_call", builder.getVoidTy(), pointer, pointer,
                                                     pointer, builder.getInt32Ty());
  Value *address = builder.CreateIntToPtr(builder.getInt64(reinterpret_cast<uintptr_t>(handler)), pointer);
  builder.CreateCall(callee, {address, operands, outputs, site(call)});
  auto result = [&](uint64_t index, Type *type) {
    return fromWord(builder.CreateLoad(word, builder.CreateConstGEP1_64(word, outputs, index)), type);
  };
  if (structure) {
    Value *all = PoisonValue::get(structure);
    for (unsigned index = 0; index < results; ++index)
      all = builder.CreateInsertValue(all, result(index, structure->getElementType(index)), index);
    call.replaceAllUsesWith(all);
  } else if (results) {
    call.replaceAllUsesWith(result(0, call.getType()));
  }
  call.eraseFromParent();
}

/// The values of `nvvm.annotations` for `kernel`, e.g. `maxntidx`.
static unsigned annotation(const Module &module, const Function &kernel, StringRef key) {
  const NamedMDNode *annotations = module.getNamedMetadata("nvvm.annotations");
  if (!annotations)
    return 0;
  for (const MDNode *node : annotations->operands()) {
    auto *function = mdconst::dyn_extract_or_null<Function>(node->getOperand(0));
    for (unsigned index = 1; function == &kernel && index + 1 < node->getNumOperands(); index += 2)
      if (auto *name = dyn_cast<MDString>(node->getOperand(index)); name && name->getString() == key)
        return static_cast<unsigned>(mdconst::extract<ConstantInt>(node->getOperand(index + 1))->getZExtValue());
  }
  return 0;
}

static KernelInfo describe(const Module &module, const Function &kernel) {
  KernelInfo info;
  info.name = kernel.getName().str();
  auto dims = [&](StringRef key) {
    return Dim3{annotation(module, kernel, (key + "x").str()), annotation(module, kernel, (key + "y").str()),
                annotation(module, kernel, (key + "z").str())};
  };
  info.required = dims("reqntid"), info.most = dims("maxntid");
  for (const Argument &argument : kernel.args()) {
    Type *type = argument.hasByValAttr() ? argument.getParamByValType() : argument.getType();
    info.parameters.push_back(module.getDataLayout().getTypeAllocSize(type));
  }
  return info;
}

std::string entryName(StringRef kernel) { return ("bifocal_emulator_entry_" + kernel).str(); }

/// As cuLaunchKernel has it: one pointer to each parameter.
static void writeEntry(Function &kernel) {
  Module &module = *kernel.getParent();
  IRBuilder<> builder(module.getContext());
  Type *pointer = builder.getPtrTy();
  auto *entry = Function::Create(FunctionType::get(builder.getVoidTy(), {pointer}, false), Function::ExternalLinkage,
                                 entryName(kernel.getName()), module);
  builder.SetInsertPoint(BasicBlock::Create(module.getContext(), "", entry));
  SmallVector<Value *> arguments;
  for (Argument &argument : kernel.args()) {
    Value *place =
        builder.CreateLoad(pointer, builder.CreateConstGEP1_32(pointer, entry->getArg(0), argument.getArgNo()));
    arguments.push_back(argument.hasByValAttr() ? place : builder.CreateLoad(argument.getType(), place));
  }
  builder.CreateCall(&kernel, arguments);
  builder.CreateRetVoid();
}

/// Leaves nothing of the GPU in a function but its instructions.
static void becomeHostFunction(Function &function) {
  function.setCallingConv(CallingConv::C);
  AttributeMask gone;
  for (StringRef name : {"target-cpu", "target-features"})
    gone.addAttribute(name);
  function.removeFnAttrs(gone);
  for (User *user : function.users())
    if (auto *call = dyn_cast<CallBase>(user))
      call->setCallingConv(CallingConv::C);
}

Expected<InstrumentedModule> instrument(Module &module, const DataLayout &layout, StringRef triple) {
  SiteTable sites(module);
  module.setDataLayout(layout);
  module.setTargetTriple(triple);
  std::vector<KernelInfo> kernels;
  SmallVector<Function *> entries;
  for (Function &function : module)
    if (!function.isDeclaration() &&
        (function.getCallingConv() == CallingConv::PTX_Kernel || annotation(module, function, "kernel"))) {
      kernels.push_back(describe(module, function));
      entries.push_back(&function);
    }
  Rewriter rewriter(module, sites);
  SmallVector<Instruction *> instructions;
  for (Function &function : module)
    for (BasicBlock &block : function)
      for (Instruction &instruction : block)
        instructions.push_back(&instruction);
  for (Instruction *instruction : instructions)
    rewriter.rewrite(*instruction);
  if (!rewriter.problems.empty())
    return createStringError(inconvertibleErrorCode(), join(rewriter.problems, "\n"));
  Machine::SharedLayout shared = placeSharedVariables(module);
  for (KernelInfo &kernel : kernels)
    kernel.shared = shared;
  for (Function *kernel : entries)
    writeEntry(*kernel);
  for (Function &function : make_early_inc_range(module)) {
    if (function.isDeclaration() && function.use_empty())
      function.eraseFromParent();
    else
      becomeHostFunction(function);
  }
  std::string message;
  raw_string_ostream stream(message);
  if (verifyModule(module, &stream))
    return createStringError(inconvertibleErrorCode(), "the emulator made invalid IR: " + message);
  InstrumentedModule result;
  result.text = sites.takeText();
  result.sites = sites.takeSites();
  result.kernels = std::move(kernels);
  return result;
}

} // namespace bifocal::emulator
