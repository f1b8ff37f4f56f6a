// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDACHECKS_H
#define BIFOCAL_CODEGEN_CUDA_CUDACHECKS_H

// What `bifocal-verify-cuda-kernels` checks, and what its two stages share.

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace bifocal {

/// Kernels in the gpu and nvgpu dialects. All that is wrong is reported, each at its op.
mlir::LogicalResult verifySourceKernels(mlir::gpu::GPUModuleOp kernels);
/// Kernels in the LLVM and NVVM dialects.
mlir::LogicalResult verifyLoweredKernels(mlir::gpu::GPUModuleOp kernels);

/// One rule: an error at `op` if it breaks it. Ops that it does not speak about pass.
using CudaCheck = mlir::LogicalResult (*)(mlir::Operation *op);
/// Applies all of `checks` to all ops of `kernels`.
mlir::LogicalResult applyChecks(mlir::gpu::GPUModuleOp kernels, llvm::ArrayRef<CudaCheck> checks);

// Rules of both stages.
/// llvm.load and llvm.store of vectors: aligned to the size of the vector or to 16 bytes.
mlir::LogicalResult verifyVectorAlignment(mlir::Operation *op);
/// nvgpu.mma.sync, nvgpu.mma.sp.sync and nvvm.mma.sync: no bf16.
mlir::LogicalResult refuseBf16Mma(mlir::Operation *op);
/// Divisions and elementary functions with a slow path or without an instruction.
mlir::LogicalResult refuseSlowMath(mlir::Operation *op);
/// The name of a kernel, the threads of its block (empty where not stated) and its limit of registers.
mlir::LogicalResult verifyKernelAttributes(mlir::Operation *kernel, llvm::StringRef name,
                                           std::optional<llvm::ArrayRef<int32_t>> block);

/// The widest access of one thread.
constexpr int64_t accessBytes = 16;
/// Where dynamic shared memory begins is a multiple of this.
constexpr int64_t dynamicSharedAlignment = 1024;
/// An array of no elements in shared memory.
bool isDynamicSharedMemory(mlir::LLVM::GlobalOp global);

} // namespace bifocal
#endif
