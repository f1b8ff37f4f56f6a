// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDAKERNELS_H
#define BIFOCAL_CODEGEN_CUDA_CUDAKERNELS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/Pass.h"

namespace bifocal {

/// Writes `gpu.module @cuda` with the kernels of all stages of every `plan.kernel` of `module`: `<kernel>_<stage>`.
mlir::FailureOr<mlir::gpu::GPUModuleOp> generateCudaKernels(mlir::ModuleOp module);

/// The pass `bifocal-generate-cuda-kernels`.
std::unique_ptr<mlir::Pass> createGenerateCudaKernelsPass();
void registerCudaKernelPasses();

} // namespace bifocal
#endif
