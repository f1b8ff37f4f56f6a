// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_TENSORCOREKERNELS_H
#define BIFOCAL_CODEGEN_CUDA_TENSORCOREKERNELS_H

#include "codegen/cpu/CpuKernels.h"

namespace bifocal {

// Kernels on tensor cores, one function per family. They write the stages that `scheduleKernel` promises, as the
// generators of codegen/cpu do, but may cut them into other tiles (KernelBuilder::stage). False: the op has another
// family, or elements or sizes that are not for tensor cores.
mlir::FailureOr<bool> generateLightConvProducts(KernelTask &task);
mlir::FailureOr<bool> generateDynamicConvProducts(KernelTask &task);
mlir::FailureOr<bool> generateAttentionProducts(KernelTask &task);
mlir::FailureOr<bool> generateAttentionGradProducts(KernelTask &task);

} // namespace bifocal
#endif
