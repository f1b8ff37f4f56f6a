// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_DEBUGLOCATIONS_H
#define BIFOCAL_CODEGEN_CUDA_DEBUGLOCATIONS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"

namespace bifocal {

/// Gives every function of `module`, in the LLVM dialect, the scope that debug locations need, and every op one place:
/// the first of its location that lies in the file of its function, else that of the function. PTX then has `.loc`
/// lines and no other debug information, which would keep ptxas from optimising.
mlir::LogicalResult attachDebugLocations(mlir::ModuleOp module);

/// Gives the place of its function to each instruction whose own the optimiser dropped.
void completeDebugLocations(llvm::Module &module);

} // namespace bifocal
#endif
