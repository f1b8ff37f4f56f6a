// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

std::optional<KernelSchedule> scheduleOptim(Operation *op) {
  if (!isa<GlobalNormOp, ClipOp, StoreGradientOp, OptimizerOpInterface>(op))
    return std::nullopt;
  MLIRContext *context = op->getContext();
  AffineExpr one = getAffineConstantExpr(1, context);
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  if (isa<ClipOp>(op)) {
    schedule.stages = {one};
  } else if (isa<GlobalNormOp>(op)) {
    // Sums of squares by shares of elements (f64); then their sum in order.
    schedule.stages = {getAffineConstantExpr(normShares, context), one};
    schedule.scratch = {{getAffineConstantExpr(normShares, context), 8}};
  } else if (auto update = dyn_cast<OptimizerOpInterface>(op); update && !update.isElementwise()) {
    // The same for the norm of one parameter, then its update. The last place is for the rate.
    AffineExpr elements = getAffineSymbolExpr(0, context), shares = elements.ceilDiv(elementsPerShare);
    schedule.stages = {shares, one, elements.ceilDiv(elementsPerTile)};
    schedule.scratch = {{shares + 1, 8}};
  } else {
    schedule.stages = {getAffineSymbolExpr(0, context).ceilDiv(elementsPerTile)};
  }
  return schedule;
}

} // namespace bifocal
