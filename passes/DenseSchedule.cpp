// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

static KernelSchedule scheduleRows(Operation *op, const RowShape &shape) {
  MLIRContext *context = op->getContext();
  KernelSchedule schedule;
  schedule.family = !isa<MapOp>(op) ? op->getName().stripDialect().str() : rowOps(op).empty() ? "copy_rows" : "map";
  if (shape.columnSums.empty()) {
    schedule.rowsPerTile = rowsPerTile(shape.width);
    schedule.stages = {shape.rows.ceilDiv(schedule.rowsPerTile)};
    if (shape.isGroup)
      schedule.rowsPerTile = 0;
    return schedule;
  }
  // Partial sums by shares of rows; then a tile for every 32 columns adds them in order.
  int64_t columns = 0;
  for (Value sum : shape.columnSums)
    columns += llvm::alignTo(lastAxis(sum), widestVector);
  AffineExpr shares = shape.rows.ceilDiv(rowsPerShare);
  schedule.stages = {shares, getAffineConstantExpr(columns / widestVector, context)};
  schedule.scratch = {{shares, columns * int64_t{4}}};
  return schedule;
}

std::optional<KernelSchedule> scheduleDense(Operation *op) {
  if (std::optional<RowShape> shape = describeRows(op))
    return scheduleRows(op, *shape);
  MLIRContext *context = op->getContext();
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  if (isa<SoftmaxOp, SoftmaxGradOp>(op)) {
    schedule.rowsPerTile = rowsPerTile(lastAxis(op->getResult(0)));
    schedule.stages = {rowCount(launchSymbols(op).operands[0], context).ceilDiv(schedule.rowsPerTile)};
    return schedule;
  }
  // Rows that read more than their own row of every tensor: no epilogue of a product.
  if (isa<RotaryOp, HeadDifferenceOp, HeadDifferenceGradOp>(op)) {
    const Value row = isa<HeadDifferenceGradOp>(op) ? op->getOperand(1) : op->getOperand(0);
    schedule.stages = {rowCount(launchSymbols(op).operands[0], context).ceilDiv(rowsPerTile(lastAxis(row)))};
    return schedule;
  }
  if (isa<DiffLambdaOp, DiffLambdaGradOp>(op)) {
    schedule.stages = {getAffineConstantExpr(1, context)};
    return schedule;
  }
  if (isa<PositionsOp>(op)) {
    schedule.stages = {rowCount(launchSymbols(op).operands[0], context)};
    return schedule;
  }
  if (isa<PaddingMaskOp>(op)) {
    schedule.stages = {elementCount(launchSymbols(op).operands[0], context).ceilDiv(4096)};
    return schedule;
  }
  if (auto grad = dyn_cast<EmbeddingGradOp>(op)) {
    // Rows of the table get their start values; then slices of channels take the tokens in order.
    auto type = cast<RankedTensorType>(grad.getTableGrad().getType());
    schedule.stages = {
        getAffineConstantExpr(llvm::divideCeil(type.getDimSize(0), rowsPerTile(type.getDimSize(1))), context),
        getAffineConstantExpr(llvm::divideCeil(type.getDimSize(1), embeddingSlice), context)};
    return schedule;
  }
  return std::nullopt;
}

} // namespace bifocal
