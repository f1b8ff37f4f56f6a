// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_BIFOCALOPS_H
#define BIFOCAL_DIALECT_BIFOCAL_BIFOCALOPS_H

// The one public header of the dialect: every op, interface and enum.

#include "dialect/bifocal/SymbolicDims.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/bifocal/BifocalDialect.h.inc"
#include "dialect/bifocal/BifocalEnums.h.inc"
#include "dialect/bifocal/BifocalInterfaces.h.inc"
#define GET_OP_CLASSES
#include "dialect/bifocal/BifocalOps.h.inc"

namespace bifocal {

/// Whether an activation multiplies one half of the sums by a gate of the other, and which gate that is.
bool isGated(Activation activation);
Gate gateOf(Activation activation);

/// Groups of the last axis that `op` normalises on their own; 1 for ops that are no norm of groups.
int64_t normGroups(mlir::Operation *op);

} // namespace bifocal
#endif
