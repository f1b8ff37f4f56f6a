// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/Passes.h"
#include "codegen/cuda/CudaChecks.h"
#include "codegen/cuda/CudaTarget.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_VERIFYCUDAKERNELSPASS
#include "codegen/Passes.h.inc"

LogicalResult applyChecks(gpu::GPUModuleOp kernels, ArrayRef<CudaCheck> checks) {
  bool broken = false;
  kernels.walk([&](Operation *op) {
    for (CudaCheck check : checks)
      broken |= failed(check(op));
  });
  return failure(broken);
}

/// Bits of a number, or of all numbers of a vector; 0 for what has no width of its own, such as index and pointers.
static int64_t bitsOf(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getNumElements() * bitsOf(vector.getElementType());
  return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 0;
}

/// The sum of a product is in registers only after a wait: another product into the same sum may come before it.
static LogicalResult verifyWarpgroupWait(Operation *op) {
  auto product = dyn_cast<nvgpu::WarpgroupMmaOp>(op);
  if (!product || product.getWaitGroup() == 0)
    return success();
  for (Operation *reader : product->getUsers())
    if (auto next = dyn_cast<nvgpu::WarpgroupMmaOp>(reader); !next || next->getBlock() != op->getBlock())
      return op->emitOpError("expects {waitGroup = 0 : i32} where '")
             << reader->getName() << "' reads the sum, but " << product.getWaitGroup()
             << " group of products may still be in flight";
  return success();
}

static LogicalResult refuseReductions(Operation *op) {
  if (isa<gpu::AllReduceOp>(op))
    return op->emitOpError(
        "races with itself in a loop, since it reuses its buffer without a barrier; write gpu.shuffle xor "
        "within a warp, and a workgroup buffer between two gpu.barrier across warps");
  if (isa<gpu::SubgroupReduceOp>(op))
    return op->emitOpError("has no lowering for f32; write gpu.shuffle xor, one per power of two");
  return success();
}

LogicalResult verifyKernelAttributes(Operation *kernel, StringRef name, std::optional<ArrayRef<int32_t>> block) {
  bool spelled = !name.empty() && !llvm::isDigit(name.front()) &&
                 llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_' || c == '$'; });
  if (!spelled)
    return kernel->emitOpError("expects a name of letters, digits, '_' and '$', which PTX can spell, but got '")
           << name << "'";
  if (!block)
    return kernel->emitOpError(
        "expects known_block_size = array<i32: x, y, z>: without it ptxas plans for 1024 threads, "
        "which leaves each 64 registers");
  int64_t threads = 1;
  for (int32_t size : *block)
    threads *= size;
  if (threads < 1 || threads > CudaTarget::threadsPerBlock)
    return kernel->emitOpError("expects a block of 1 to ")
           << CudaTarget::threadsPerBlock << " threads, but got " << threads;
  Attribute limit = kernel->getAttr("nvvm.maxnreg");
  if (!limit)
    return success();
  auto registers = dyn_cast<IntegerAttr>(limit);
  const int64_t most = std::min(CudaTarget::registersPerThread, CudaTarget::registersPerBlock / threads);
  if (!registers || !registers.getType().isInteger(32) || registers.getInt() < 1 || registers.getInt() > most)
    return kernel->emitOpError("expects nvvm.maxnreg as an i32 of 1 to ")
           << most << ", the registers of a thread when " << threads << " share a block, but got " << limit;
  return success();
}

/// Shared memory of narrow elements is read by ldmatrix and written by copies of 16 bytes.
static LogicalResult verifyWorkgroupBuffers(gpu::GPUFuncOp function) {
  bool broken = false;
  for (auto [index, buffer] : llvm::enumerate(function.getWorkgroupAttributions())) {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    auto align = dyn_cast_or_null<IntegerAttr>(function.getWorkgroupAttributionAttr(index, "llvm.align"));
    const int64_t bits = type ? bitsOf(type.getElementType()) : 0;
    if (bits == 0 || bits > 16 || (align && align.getInt() >= accessBytes))
      continue;
    broken = true;
    emitError(buffer.getLoc()) << "expects {llvm.align = 16 : i64} at the workgroup buffer " << index << " of '@"
                               << function.getName() << "', " << type << ", but it is aligned to "
                               << (align ? align.getInt() : (bits + 7) / 8) << (align ? "" : ", as its elements are,")
                               << " and ldmatrix and copies of 16 bytes fault";
  }
  return failure(broken);
}

/// A kernel gets the pointer of a memref and nothing of its sizes.
static LogicalResult verifyArguments(gpu::GPUFuncOp function) {
  for (auto [index, type] : llvm::enumerate(function.getFunctionType().getInputs()))
    if (auto memref = dyn_cast<BaseMemRefType>(type); memref && !memref.hasStaticShape())
      return function.emitOpError(
                 "expects !llvm.ptr or a memref of static shape, of which a kernel gets the pointer, but "
                 "argument ")
             << index << " is " << type;
  return success();
}

static LogicalResult verifyFunction(Operation *op) {
  auto function = dyn_cast<gpu::GPUFuncOp>(op);
  if (!function)
    return success();
  bool broken = failed(verifyWorkgroupBuffers(function)) | failed(verifyArguments(function));
  if (function.isKernel())
    broken |= failed(verifyKernelAttributes(op, function.getName(), function.getKnownBlockSize()));
  return failure(broken);
}

LogicalResult refuseBf16Mma(Operation *op) {
  bool narrow = false;
  if (isa<nvgpu::MmaSyncOp, nvgpu::MmaSparseSyncOp>(op))
    narrow = getElementTypeOrSelf(op->getOperand(0).getType()).isBF16();
  else if (auto product = dyn_cast<NVVM::MmaOp>(op))
    narrow = product.getMultiplicandAPtxType() == NVVM::MMATypes::bf16;
  if (!narrow)
    return success();
  return op->emitOpError(
      "has no translation for bf16; write llvm.call_intrinsic \"llvm.nvvm.mma.m16n8k16.row.col.bf16\" with "
      "4 + 2 i32, each a pair of bf16, and 4 f32");
}

/// Ops of the vector dialect take the alignment of the memref's element.
static LogicalResult verifyVectorElements(Operation *op) {
  Type vector, memory;
  if (auto load = dyn_cast<vector::LoadOp>(op)) {
    vector = load.getResult().getType();
    memory = load.getBase().getType();
  } else if (auto store = dyn_cast<vector::StoreOp>(op)) {
    vector = store.getValueToStore().getType();
    memory = store.getBase().getType();
  } else {
    return success();
  }
  Type element = cast<MemRefType>(memory).getElementType();
  const int64_t whole = std::min(bitsOf(vector) / 8, accessBytes), aligned = bitsOf(element) / 8;
  if (aligned >= whole)
    return success();
  return op->emitOpError("is aligned to its elements of ")
         << aligned << " bytes and becomes one access for each; write memref.load and memref.store on a memref of "
         << vector << ", or llvm.load and llvm.store {alignment = " << whole << "}";
}

LogicalResult verifyVectorAlignment(Operation *op) {
  Type type;
  std::optional<uint64_t> alignment;
  if (auto load = dyn_cast<LLVM::LoadOp>(op)) {
    type = load.getRes().getType();
    alignment = load.getAlignment();
  } else if (auto store = dyn_cast<LLVM::StoreOp>(op)) {
    type = store.getValue().getType();
    alignment = store.getAlignment();
  }
  auto vector = dyn_cast_or_null<VectorType>(type);
  // Without a number the alignment is that of the whole vector.
  if (!vector || !alignment)
    return success();
  const uint64_t whole = llvm::bit_floor<uint64_t>(std::min(bitsOf(vector) / 8, accessBytes));
  if (*alignment >= whole)
    return success();
  return op->emitOpError("expects an alignment of ") << whole << " for " << vector << ", but got " << *alignment
                                                     << ", with which each element is an access of its own";
}

LogicalResult verifySourceKernels(gpu::GPUModuleOp kernels) {
  return applyChecks(kernels, {verifyFunction, verifyWarpgroupWait, refuseReductions, refuseBf16Mma,
                               verifyVectorElements, verifyVectorAlignment, refuseSlowMath});
}

namespace {

struct VerifyCudaKernels : impl::VerifyCudaKernelsPassBase<VerifyCudaKernels> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(lowered ? verifyLoweredKernels(getOperation()) : verifySourceKernels(getOperation())))
      return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace bifocal
