// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

std::optional<KernelSchedule> scheduleAdaptive(Operation *op) {
  MLIRContext *context = op->getContext();
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  auto tilesOf = [&](Value value) {
    return getAffineConstantExpr(llvm::divideCeil(cast<ShapedType>(value.getType()).getNumElements(), elementsPerTile),
                                 context);
  };
  if (isa<BandIdsOp, ClusterIdsOp>(op)) {
    schedule.stages = {elementCount(launchSymbols(op).operands[0], context).ceilDiv(idsPerTile)};
  } else if (isa<JoinClustersOp>(op)) {
    schedule.rowsPerTile = rowsPerTile(lastAxis(op->getResult(0)));
    schedule.stages = {rowCount(launchSymbols(op).operands[0], context).ceilDiv(schedule.rowsPerTile)};
  } else if (isa<AddScalarsOp>(op)) {
    schedule.stages = {getAffineConstantExpr(1, context)};
  } else if (isa<ConcatRowsOp>(op)) {
    // A stage for each part: their sizes differ.
    for (Value input : op->getOperands())
      schedule.stages.push_back(tilesOf(input));
  } else if (isa<SplitRowsOp>(op)) {
    for (Value output : op->getResults())
      schedule.stages.push_back(tilesOf(output));
  } else if (isa<SliceRowsOp>(op)) {
    schedule.stages = {tilesOf(op->getResult(0))};
  } else if (isa<TransposeOp>(op)) {
    // Tiles of rows of the result.
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    schedule.stages = {
        getAffineConstantExpr(llvm::divideCeil(type.getDimSize(0), rowsPerTile(type.getDimSize(1))), context)};
  } else {
    return std::nullopt;
  }
  return schedule;
}

} // namespace bifocal
