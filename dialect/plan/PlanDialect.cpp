// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/plan/PlanOps.h"

#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace bifocal::plan;

#include "dialect/plan/PlanDialect.cpp.inc"
#include "dialect/plan/PlanEnums.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/plan/PlanTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/plan/PlanOps.cpp.inc"

void PlanDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/plan/PlanTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/plan/PlanOps.cpp.inc"
      >();
}

LogicalResult KernelOp::verify() { return success(); }
LogicalResult EntryOp::verify() { return success(); }
