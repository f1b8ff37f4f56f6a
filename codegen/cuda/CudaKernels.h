// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDAKERNELS_H
#define BIFOCAL_CODEGEN_CUDA_CUDAKERNELS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/Pass.h"

namespace bifocal {

/// Writes `gpu.module @cuda` with the kernels of all stages of every `plan.kernel` of `module`, `<kernel>_<stage>`, and
/// what its products need. `architectures`, e.g. `sm_80`, will get machine code; none for the emulator alone.
mlir::FailureOr<mlir::gpu::GPUModuleOp> generateCudaKernels(mlir::ModuleOp module,
                                                            llvm::ArrayRef<std::string> architectures = {});

/// What `generateCudaKernels` was told.
llvm::SmallVector<llvm::StringRef> architecturesOf(mlir::gpu::GPUModuleOp kernels);

/// The pass `bifocal-generate-cuda-kernels`.
std::unique_ptr<mlir::Pass> createGenerateCudaKernelsPass();
void registerCudaKernelPasses();

} // namespace bifocal
#endif
