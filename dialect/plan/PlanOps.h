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

#endif
