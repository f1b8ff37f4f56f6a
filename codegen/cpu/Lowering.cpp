// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/Lowering.h"

#include "codegen/common/LlvmPasses.h"
#include "codegen/common/VectorTarget.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include <mutex>
#include <thread>

using namespace mlir;

namespace bifocal {
namespace {

/// One share of the kernels, optimised and translated on its own thread.
struct Part {
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module;
  llvm::SmallVector<char, 0> output;
  std::string error;
};

} // namespace

static llvm::Error failed(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

static OwningOpRef<ModuleOp> lowerToLlvmDialect(ModuleOp kernels) {
  OwningOpRef<ModuleOp> lowered(cast<ModuleOp>(kernels->clone()));
  PassManager manager(kernels.getContext(), ModuleOp::getOperationName());
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createCSEPass());
  functions.addPass(createConvertSCFToCFPass());
  functions.addPass(createConvertVectorToLLVMPass());
  functions.addPass(createConvertMathToLLVMPass());
  functions.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  if (mlir::failed(manager.run(*lowered)))
    return nullptr;
  return lowered;
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const VectorTarget &level, std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  constexpr const char *triple = "x86_64-unknown-linux-gnu";
  const llvm::Target *machine = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!machine)
    return nullptr;
  llvm::TargetOptions options;
  // No contraction of what the generators wrote as two roundings: the same bits on every level.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(machine->createTargetMachine(
      triple, level.cpu(), level.features(), options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
}

static void setAttributes(llvm::Module &module, const VectorTarget &target) {
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu());
    if (!target.features().empty())
      function.addFnAttr("target-features", target.features());
    function.addFnAttr("prefer-vector-width", std::to_string(32 * target.vectorWidth));
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.addFnAttr("no-builtins");
    // Both tables are only read, and nobody writes them while a kernel runs.
    for (unsigned table : {0u, 1u}) {
      function.addParamAttr(table, llvm::Attribute::NoAlias);
      function.addParamAttr(table, llvm::Attribute::ReadOnly);
    }
  }
}

// The generators unroll, vectorise and inline; what is left is to share what they wrote twice and to move out of loops
// what does not change in them. The pipeline of -O2 gives code of the same size and speed and makes a compilation half
// again as long.
constexpr const char *pipeline = "function(simplifycfg,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
                                 "loop-mssa(loop-rotate,licm),early-cse<memssa>,instcombine<no-verify-fixpoint>,"
                                 "simplifycfg,adce)";

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  runLlvmPasses(module, machine, [](llvm::PassBuilder &builder) {
    llvm::ModulePassManager manager;
    llvm::cantFail(builder.parsePassPipeline(manager, pipeline));
    return manager;
  });
}

enum class Output { Object, Assembly, Ir };

static void emitPart(Part &part, const VectorTarget &target, Output output) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target, part.error);
  if (!machine)
    return;
  part.module->setTargetTriple(machine->getTargetTriple().str());
  part.module->setDataLayout(machine->createDataLayout());
  setAttributes(*part.module, target);
  optimize(*part.module, *machine);
  llvm::raw_svector_ostream stream(part.output);
  if (output == Output::Ir) {
    part.module->print(stream, nullptr);
    return;
  }
  llvm::legacy::PassManager codegen;
  auto type = output == Output::Object ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr, type))
    part.error = "the target cannot write this kind of file";
  else
    codegen.run(*part.module);
}

/// Shares the functions of `lowered` between the parts, largest first onto the smaller part.
static llvm::StringMap<unsigned> distribute(ModuleOp lowered, unsigned parts) {
  std::vector<std::pair<int64_t, StringRef>> functions;
  for (auto function : lowered.getOps<LLVM::LLVMFuncOp>()) {
    int64_t ops = 0;
    function.walk([&](Operation *) { ++ops; });
    functions.push_back({ops, function.getSymName()});
  }
  llvm::sort(functions, [](auto &a, auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  std::vector<int64_t> load(parts, 0);
  llvm::StringMap<unsigned> place;
  for (auto [ops, name] : functions) {
    auto smallest = llvm::min_element(load);
    *smallest += ops;
    place[name] = static_cast<unsigned>(smallest - load.begin());
  }
  return place;
}

std::string unknownLevel(StringRef level) {
  return ("expects the level x86-64-v3, x86-64-v4 or x86-64-v4-dot, but got '" + level + "'").str();
}

static llvm::Expected<std::vector<std::unique_ptr<Part>>> emitParts(ModuleOp kernels, StringRef level, unsigned count,
                                                                    Output output) {
  std::optional<VectorTarget> target = VectorTarget::find(level);
  if (!target)
    return failed(unknownLevel(level));
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  kernels.getContext()->appendDialectRegistry(registry);
  OwningOpRef<ModuleOp> lowered = lowerToLlvmDialect(kernels);
  if (!lowered)
    return failed("kernels of level " + level + " cannot be lowered to LLVM");
  llvm::StringMap<unsigned> place = distribute(*lowered, count);
  std::vector<std::unique_ptr<Part>> parts;
  for (unsigned index = 0; index < count; ++index) {
    OwningOpRef<ModuleOp> share(cast<ModuleOp>((*lowered)->clone()));
    for (auto function : llvm::make_early_inc_range(share->getOps<LLVM::LLVMFuncOp>()))
      if (place.lookup(function.getSymName()) != index)
        function.erase();
    parts.push_back(std::make_unique<Part>());
    parts.back()->module = translateModuleToLLVMIR(*share, parts.back()->context, "kernels");
    if (!parts.back()->module)
      return failed("kernels of level " + level + " cannot be translated to LLVM IR");
  }
  std::vector<std::thread> threads;
  for (unsigned index = 1; index < count; ++index)
    threads.emplace_back([&, index] { emitPart(*parts[index], *target, output); });
  emitPart(*parts[0], *target, output);
  for (std::thread &thread : threads)
    thread.join();
  for (auto &part : parts)
    if (!part->error.empty())
      return failed(part->error);
  return parts;
}

static llvm::Expected<std::string> link(llvm::ArrayRef<std::unique_ptr<Part>> parts) {
  std::vector<std::unique_ptr<llvm::FileRemover>> removers;
  auto temporary = [&](StringRef suffix, std::string &path, int &descriptor) {
    llvm::SmallString<128> name;
    std::error_code code = llvm::sys::fs::createTemporaryFile("bifocal-kernels", suffix, descriptor, name);
    path = name.str().str();
    if (!code)
      removers.push_back(std::make_unique<llvm::FileRemover>(path));
    return code;
  };
  std::vector<std::string> objects;
  for (auto &part : parts) {
    int descriptor = -1;
    if (std::error_code code = temporary("o", objects.emplace_back(), descriptor))
      return failed("cannot make a temporary file: " + code.message());
    llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << StringRef(part->output.data(), part->output.size());
    stream.close();
    if (stream.has_error())
      return failed("cannot write a temporary file: " + stream.error().message());
  }
  std::string shared;
  int descriptor = -1;
  if (std::error_code code = temporary("so", shared, descriptor))
    return failed("cannot make a temporary file: " + code.message());
  llvm::raw_fd_ostream(descriptor, true).close();
  std::vector<StringRef> arguments{BIFOCAL_LINKER, "-shared", "--no-undefined", "-z", "noexecstack", "--build-id=none",
                                   "-o",           shared};
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  std::string message;
  int status = llvm::sys::ExecuteAndWait(BIFOCAL_LINKER, arguments, std::nullopt, {}, 60, 0, &message);
  if (status != 0)
    return failed("the linker " BIFOCAL_LINKER " failed with status " + llvm::Twine(status) + " " + message);
  auto buffer = llvm::MemoryBuffer::getFile(shared);
  if (!buffer)
    return failed("cannot read the linked kernels: " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

llvm::Expected<std::string> emitSharedObject(ModuleOp kernels, StringRef level) {
  // Not the number of cores: the same spec gives the same bytes on every machine.
  constexpr unsigned count = 2;
  auto parts = emitParts(kernels, level, count, Output::Object);
  if (!parts)
    return parts.takeError();
  return link(*parts);
}

llvm::Expected<std::string> emitKernelText(ModuleOp kernels, StringRef level, KernelText kind) {
  auto parts = emitParts(kernels, level, 1, kind == KernelText::Llvm ? Output::Ir : Output::Assembly);
  if (!parts)
    return parts.takeError();
  return std::string(parts->front()->output.data(), parts->front()->output.size());
}

} // namespace bifocal
