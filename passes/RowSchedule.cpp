// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/RowSchedule.h"

#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

SmallVector<Operation *> rowOps(Operation *op) {
  SmallVector<Operation *> ops;
  if (auto map = dyn_cast<MapOp>(op))
    for (Operation &inner : map.getBody().front().without_terminator())
      ops.push_back(&inner);
  else
    ops.push_back(op);
  return ops;
}

SmallVector<Value> rowOutputs(Operation *op) {
  if (auto map = dyn_cast<MapOp>(op))
    return llvm::to_vector(map.getBody().front().getTerminator()->getOperands());
  return SmallVector<Value>(op->getResults());
}

bool isSideOperand(Operation *op, unsigned index) {
  if (isa<AddBiasOp, DropoutOp, MaskPaddingOp, LayerNormOp, RmsNormOp>(op))
    return index > 0;
  if (isa<EmbeddingOp>(op))
    return true;
  return isa<LayerNormGradOp, RmsNormGradOp>(op) && index > 1;
}

bool readsByRows(Operation *op, unsigned index) {
  std::optional<RowShape> shape = describeRows(op);
  if (!shape || shape->isGroup)
    return false;
  auto map = dyn_cast<MapOp>(op);
  if (!map)
    return !isSideOperand(op, index);
  return llvm::none_of(map.getBody().getArgument(index).getUses(),
                       [](OpOperand &use) { return isSideOperand(use.getOwner(), use.getOperandNumber()); });
}

bool writesByRows(OpResult result) {
  std::optional<RowShape> shape = describeRows(result.getOwner());
  if (!shape || shape->isGroup)
    return false;
  auto inner = dyn_cast<OpResult>(rowOutputs(result.getOwner())[result.getResultNumber()]);
  if (!inner)
    return true;
  bool isStatistic = isa<LayerNormOp>(inner.getOwner()) && inner.getResultNumber() > 0;
  return !isStatistic && !isColumnSum(inner);
}

bool isColumnSum(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  return isa<ColumnSumOp>(op) ||
         (isa<LayerNormGradOp, RmsNormGradOp>(op) && cast<OpResult>(value).getResultNumber() > 0);
}

int64_t lastAxis(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.getRank() == 0 ? 1 : type.getShape().back();
}

int64_t rowsPerTile(int64_t width) { return std::clamp<int64_t>(16384 / std::max<int64_t>(width, 1), 1, 128); }

// The ops' row tensors: operand 0, and for an embedding (whose operand 0 holds one id per row) the result.
static Value rowTensor(Operation *op) { return isa<EmbeddingOp>(op) ? op->getResult(0) : op->getOperand(0); }

static AffineExpr rowsOf(Operation *op) {
  SymbolicDims symbols = launchSymbols(op);
  Operation *first = rowOps(op).front();
  unsigned position = 0;
  if (isa<MapOp>(op))
    position = cast<BlockArgument>(first->getOperand(0)).getArgNumber();
  const Dims &dims = symbols.operands[position];
  if (isa<EmbeddingOp>(first))
    return elementCount(dims, op->getContext());
  return rowCount(dims, op->getContext());
}

std::optional<RowShape> describeRows(Operation *op) {
  if (!isa<MapOp>(op) && !isa<FusibleOpInterface>(op))
    return std::nullopt;
  SmallVector<Operation *> ops = rowOps(op);
  if (!ops.empty() && isa<MapOp>(op) && !isa<BlockArgument>(ops.front()->getOperand(0)))
    return std::nullopt;
  RowShape shape;
  // A map of no ops is a copy.
  if (ops.empty()) {
    if (op->getNumOperands() != 1 || lastAxis(op->getOperand(0)) <= 0)
      return std::nullopt;
    shape.rows = rowCount(launchSymbols(op).operands[0], op->getContext());
    shape.width = lastAxis(op->getOperand(0));
    return shape;
  }
  shape.rows = rowsOf(op);
  shape.width = lastAxis(rowTensor(ops.front()));
  for (Operation *inner : ops) {
    shape.width = std::min(shape.width, lastAxis(rowTensor(inner)));
    if (!isColumnSum(inner->getResult(0)))
      shape.width = std::min(shape.width, lastAxis(inner->getResult(0)));
  }
  for (Value output : rowOutputs(op))
    if (isColumnSum(output))
      shape.columnSums.push_back(output);
  // A norm of groups stands alone, so its groups can be its rows.
  if (int64_t groups = normGroups(op); groups > 1) {
    shape.rows = shape.rows * groups;
    shape.width /= groups;
    shape.isGroup = true;
  }
  if (shape.width <= 0)
    return std::nullopt;
  return shape;
}

} // namespace bifocal
