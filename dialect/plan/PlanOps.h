// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_PLAN_PLANOPS_H
#define BIFOCAL_DIALECT_PLAN_PLANOPS_H

#include "dialect/bifocal/BifocalOps.h"
#include "dialect/plan/PlanDialect.h.inc"
#include "dialect/plan/PlanEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/plan/PlanTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/plan/PlanOps.h.inc"

namespace bifocal::plan {

/// The buffer that `value` is, or is a view of; null where it is neither.
BufferOp wholeOf(mlir::Value value);
/// The elements from one row of a view to the next; 0 for a buffer, whose rows are adjacent.
int64_t rowStrideOf(mlir::Value value);

} // namespace bifocal::plan

#endif
