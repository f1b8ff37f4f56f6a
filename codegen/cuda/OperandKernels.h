// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_OPERANDKERNELS_H
#define BIFOCAL_CODEGEN_CUDA_OPERANDKERNELS_H

// On GPUs a library computes the products. It knows no masks and wants both factors of one type, so factors for which
// that is not so are copied before: rows that the mask leaves out as zeros, elements rounded to the narrower type. See
// `format::gemmOperand` for the arguments of the kernels and runtime/cuda/CudaBackend.cpp for who calls them.

#include "mlir/IR/BuiltinOps.h"

namespace bifocal {

/// Writes the kernels that the products of the entry points of `module` need, each once.
void writeOperandKernels(mlir::ModuleOp module, mlir::ModuleOp functions);

} // namespace bifocal
#endif
