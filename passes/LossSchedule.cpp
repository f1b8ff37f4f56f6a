// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

std::optional<KernelSchedule> scheduleLoss(Operation *op) {
  if (!isa<CrossEntropyOp, CrossEntropyGradOp, LogSoftmaxOp>(op))
    return std::nullopt;
  MLIRContext *context = op->getContext();
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  if (isa<CrossEntropyOp>(op)) {
    // Loss, likelihood and count of every share of rows (f64, four to a share); then their sums in order.
    schedule.stages = {getAffineConstantExpr(lossShares, context), getAffineConstantExpr(1, context)};
    schedule.scratch = {{getAffineConstantExpr(lossShares, context), 32}};
    return schedule;
  }
  schedule.rowsPerTile = rowsPerTile(lastAxis(op->getOperand(0)));
  schedule.stages = {rowCount(launchSymbols(op).operands[0], context).ceilDiv(schedule.rowsPerTile)};
  return schedule;
}

} // namespace bifocal
