// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDAFILES_H
#define BIFOCAL_CODEGEN_CUDA_CUDAFILES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>

namespace bifocal {

/// The LLVM IR of `kernels` that all architectures of theirs are made of.
llvm::Expected<std::unique_ptr<llvm::Module>> lowerForArchitectures(mlir::gpu::GPUModuleOp kernels,
                                                                    llvm::LLVMContext &context);

/// What an artifact has for GPUs (docs/Artifact.md), by the names of its entries: the table of the kernels, the bitcode
/// that the emulator executes and, for each architecture that `generateCudaKernels` was told, PTX and machine code.
/// Without ptxas the latter is left out: the driver compiles PTX as well.
llvm::Expected<std::map<std::string, std::string>> emitCudaFiles(mlir::gpu::GPUModuleOp kernels);

} // namespace bifocal
#endif
