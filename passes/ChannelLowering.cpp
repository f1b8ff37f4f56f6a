// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parts of tensors. What a split gives is a view of what it splits; what a concat takes is written where the concat has
// it. Products and row kernels know how far rows are apart; where another op is the producer or a reader, rows are
// copied.
#include "passes/EntryLowering.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

/// Whether the producer and all readers of `value` take rows that are not adjacent.
bool EntryLowering::mayBeView(Value value) const {
  auto result = dyn_cast<OpResult>(value);
  if (!result || plan.isBound(value))
    return false;
  if (!isa<LinearOp, LinearInputGradOp>(result.getOwner()) && !writesByRows(result))
    return false;
  return llvm::all_of(value.getUses(), [](OpOperand &use) {
    return isa<SplitOp, ConcatOp, LinearOp, LinearInputGradOp, LinearWeightGradOp>(use.getOwner()) ||
           readsByRows(use.getOwner(), use.getOperandNumber());
  });
}

/// From the last concat to the first: what one of them takes may be another one.
void EntryLowering::placeConcats() {
  for (Operation &op : llvm::reverse(function.front())) {
    auto concat = dyn_cast<ConcatOp>(op);
    if (!concat)
      continue;
    int64_t column = 0;
    for (OpOperand &part : concat->getOpOperands()) {
      Value value = part.get();
      if (mayBeView(value) || (value.getDefiningOp<ConcatOp>() && !plan.isBound(value))) {
        plan.bind(value, plan.viewOf(plan.bufferOf(concat), concat, value, column));
        placed.insert(&part);
      }
      column += lastAxis(value);
    }
  }
}

/// A part that has a place of its own is copied there.
void EntryLowering::lowerSplit(SplitOp split) {
  int64_t column = 0;
  for (Value part : split.getOutputs()) {
    if (plan.isBound(part))
      plan.copyRows(part, plan.viewOf(plan.bufferOf(split.getInput()), split.getInput(), part, column),
                    plan.bufferOf(part));
    column += lastAxis(part);
  }
}

void EntryLowering::lowerConcat(ConcatOp concat) {
  int64_t column = 0;
  for (OpOperand &part : concat->getOpOperands()) {
    Value value = part.get();
    if (!placed.contains(&part))
      plan.copyRows(value, plan.bufferOf(value), plan.viewOf(plan.bufferOf(concat), concat, value, column));
    column += lastAxis(value);
  }
}

} // namespace bifocal
