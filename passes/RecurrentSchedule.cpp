// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

std::optional<KernelSchedule> scheduleRecurrent(Operation *op) {
  MLIRContext *context = op->getContext();
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  SymbolicDims dims = launchSymbols(op);
  auto tilesOf = [&](const Dims &rows) {
    return rowCount(rows, context).ceilDiv(rowsPerTile(lastAxis(op->getResult(0))));
  };
  if (isa<AppendStepsOp>(op)) {
    // A stage for the rows of each operand.
    schedule.stages = {tilesOf(dims.operands[0]), tilesOf(dims.operands[1])};
  } else if (isa<AppendStepsGradOp>(op)) {
    schedule.stages = {tilesOf(dims.results[0])};
  } else if (isa<DistancesOp>(op)) {
    schedule.stages = {dims.results[0][0].ceilDiv(idsPerTile)};
  } else if (isa<SpanPenaltyOp, SpanPenaltyGradOp>(op)) {
    schedule.stages = {getAffineConstantExpr(1, context)};
  } else {
    return std::nullopt;
  }
  return schedule;
}

} // namespace bifocal
