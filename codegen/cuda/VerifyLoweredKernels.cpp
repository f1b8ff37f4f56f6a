// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/CudaChecks.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace bifocal {

bool isDynamicSharedMemory(LLVM::GlobalOp global) {
  auto array = dyn_cast<LLVM::LLVMArrayType>(global.getType());
  return array && array.getNumElements() == 0 &&
         global.getAddrSpace() == static_cast<unsigned>(NVVM::NVVMMemorySpace::kSharedMemorySpace);
}

/// What to write instead of an op; empty if the op is fine. The names are those of either dialect, and of intrinsics.
static StringRef slowMathSubstitute(StringRef name) {
  return llvm::StringSwitch<StringRef>(name)
      .Cases("arith.divf", "llvm.fdiv",
             "nvvm.rcp.approx.ftz.f and a multiplication, or \"llvm.nvvm.div.rn.f\" where the quotient must be rounded")
      .Cases("math.exp", "llvm.intr.exp", "llvm.exp", "\"llvm.nvvm.ex2.approx.ftz.f\" of the argument times log2(e)")
      .Cases("math.exp2", "llvm.intr.exp2", "llvm.exp2", "\"llvm.nvvm.ex2.approx.ftz.f\"")
      .Cases("math.log", "llvm.intr.log", "llvm.log", "\"llvm.nvvm.lg2.approx.ftz.f\" times log(2)")
      .Cases("math.log2", "llvm.intr.log2", "llvm.log2", "\"llvm.nvvm.lg2.approx.ftz.f\"")
      .Case("math.tanh", "1 - 2 / (1 + exp(2x)) with \"llvm.nvvm.ex2.approx.ftz.f\" and nvvm.rcp.approx.ftz.f")
      .Cases("math.sqrt", "llvm.intr.sqrt", "llvm.sqrt", "\"llvm.nvvm.sqrt.rn.f\", or \"llvm.nvvm.sqrt.approx.ftz.f\"")
      .Case("math.rsqrt", "\"llvm.nvvm.rsqrt.approx.ftz.f\"")
      .Cases("math.sin", "llvm.intr.sin", "llvm.sin", "\"llvm.nvvm.sin.approx.ftz.f\" of a reduced argument")
      .Cases("math.cos", "llvm.intr.cos", "llvm.cos", "\"llvm.nvvm.cos.approx.ftz.f\" of a reduced argument")
      .Cases("math.powf", "llvm.intr.pow", "llvm.pow", "exp2 and log2 of \"llvm.nvvm.*.approx.ftz.f\"")
      .Cases("arith.remf", "llvm.frem", "integers, or a quotient that is rounded to one")
      .Default("");
}

LogicalResult refuseSlowMath(Operation *op) {
  StringRef name = op->getName().getStringRef();
  std::string intrinsic;
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op)) {
    // llvm.exp.f32 is llvm.exp.
    intrinsic = call.getIntrin().str();
    name = call.getIntrin().take_front(call.getIntrin().find('.', StringRef("llvm.").size()));
  }
  StringRef substitute = slowMathSubstitute(name);
  if (substitute.empty())
    return success();
  return op->emitOpError() << (intrinsic.empty() ? "" : "of '" + intrinsic + "' ")
                           << "is a slow path or has no instruction on GPUs; write " << substitute;
}

static LogicalResult verifyDialect(Operation *op) {
  if (isa<gpu::GPUModuleOp, gpu::ModuleEndOp>(op) ||
      isa_and_nonnull<LLVM::LLVMDialect, NVVM::NVVMDialect>(op->getDialect()))
    return success();
  auto cast = dyn_cast<UnrealizedConversionCastOp>(op);
  // Two passes gave a value different types. A cast to what is no type of LLVM has another behind it, or an op that is
  // reported itself.
  if (cast && !llvm::all_of(cast.getResultTypes(), LLVM::isCompatibleType))
    return success();
  if (cast)
    return op->emitError("the lowering cannot make ")
           << cast.getResultTypes() << " from " << cast.getOperandTypes()
           << "; memrefs that kernels take have a static shape, and with an index of 32 bits nvgpu ops take none";
  return op->emitOpError("has no lowering to the LLVM and NVVM dialects");
}

/// The translation to LLVM IR writes the intrinsic of an op; PTX text, and operands that only stand there, it drops.
static LogicalResult verifyPtxText(Operation *op) {
  auto ptx = dyn_cast<NVVM::BasicPtxBuilderInterface>(op);
  if (!ptx || ptx.hasIntrinsic())
    return success();
  if (isa<NVVM::CpAsyncOp>(op))
    return op->emitOpError("would lose its source size and copy all bytes; expects to be inline assembly, as "
                           "convert-nvvm-to-llvm writes it");
  return op->emitOpError(
      "has PTX text and no intrinsic; expects to be inline assembly, as convert-nvvm-to-llvm writes it");
}

static LogicalResult verifyDynamicSharedMemory(Operation *op) {
  auto global = dyn_cast<LLVM::GlobalOp>(op);
  if (!global || !isDynamicSharedMemory(global))
    return success();
  if (global.getLinkage() != LLVM::Linkage::External)
    return op->emitOpError("would overlap static shared memory: expects dynamic shared memory to be external, as "
                           "bifocal-assign-dynamic-shared-memory makes it, but it is ")
           << LLVM::linkage::stringifyLinkage(global.getLinkage());
  if (global.getAlignment().value_or(1) % dynamicSharedAlignment != 0)
    return op->emitOpError("expects dynamic shared memory to be aligned to ")
           << dynamicSharedAlignment << " bytes, but got " << global.getAlignment().value_or(1);
  return success();
}

static LogicalResult verifyCall(Operation *op) {
  auto call = dyn_cast<LLVM::CallOp>(op);
  if (!call || !call.getCallee())
    return success();
  auto callee = SymbolTable::lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(op, call.getCalleeAttr());
  if (!callee || !callee.isExternal() || callee.getName().starts_with("llvm."))
    return success();
  if (callee.getName().starts_with("__nv_"))
    return op->emitOpError("calls '")
           << callee.getName() << "' of libdevice, which is not linked; write the op with intrinsics llvm.nvvm.*";
  return op->emitOpError("calls '") << callee.getName()
                                    << "', which is not defined: kernels call only what they define";
}

static LogicalResult verifyKernel(Operation *op) {
  auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
  if (!function || !op->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
    return success();
  std::optional<ArrayRef<int32_t>> block;
  for (StringRef name : {NVVM::NVVMDialect::getMaxntidAttrName(), NVVM::NVVMDialect::getReqntidAttrName()})
    if (auto sizes = op->getAttrOfType<DenseI32ArrayAttr>(name))
      block = sizes.asArrayRef();
  return verifyKernelAttributes(op, function.getName(), block);
}

LogicalResult verifyLoweredKernels(gpu::GPUModuleOp kernels) {
  return applyChecks(kernels, {verifyDialect, verifyKernel, verifyPtxText, verifyDynamicSharedMemory, verifyCall,
                               refuseBf16Mma, verifyVectorAlignment, refuseSlowMath});
}

} // namespace bifocal
