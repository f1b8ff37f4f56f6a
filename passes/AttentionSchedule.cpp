// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/AttentionSchedule.h"

#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

/// Pairs of all queries and keys: machines skip those that a causal op does not see tile by tile, not one by one.
static AffineExpr allPairs(const Dims &query, const Dims &key) { return query[0] * query[1] * key[1]; }

/// Tiles of some queries of one head each.
template <typename Op> static void scheduleForward(Op op, const SymbolicDims &symbols, KernelSchedule &schedule) {
  const HeadSizes sizes = headSizes(op);
  const Dims &query = symbols.operands[0];
  // Relative attention has two queries, and so a second product for each score.
  const unsigned keyNumber = op.getKeyMutable().getOperandNumber();
  constexpr bool isRelative = std::is_same_v<Op, RelativeAttentionOp>;
  schedule.stages = {query[0] * sizes.heads * query[1].ceilDiv(stripQueries(sizes, /*isForward=*/true, isRelative))};
  schedule.multiplyAdds =
      allPairs(query, symbols.operands[keyNumber]) * (keyNumber * sizes.scoreProducts() + sizes.valueProducts());
}

/// A head of keys and values of a sentence at a time: the sums over queries and those over keys stay in one tile. Those
/// over queries are taken block by block, in f32.
template <typename Op>
static void scheduleBackward(Op op, const SymbolicDims &symbols, KernelSchedule &schedule, unsigned keyGrad = 1) {
  const HeadSizes sizes = headSizes(op);
  const Dims &query = symbols.operands[1];
  schedule.stages = {query[0] * sizes.kvHeads};
  schedule.multiplyAdds =
      allPairs(query, symbols.operands[keyGrad + 1]) * (3 * sizes.scoreProducts() + 2 * sizes.valueProducts());
  for (unsigned result : {keyGrad, keyGrad + 1}) {
    const Dims &dims = symbols.results[result];
    const int64_t width = cast<ShapedType>(op->getResult(result).getType()).getShape().back();
    if (isNarrow(op->getResult(result).getType()))
      schedule.scratch.push_back({dims[0] * dims[1], 4 * width});
  }
}

/// Every head of every sentence has shares of the gradients of positions, and every query one of that of the span;
/// tiles of a row of positions each add them up, and one tile those of the spans.
static void scheduleRelativeBackward(RelativeAttentionGradOp op, const SymbolicDims &symbols,
                                     KernelSchedule &schedule) {
  const HeadSizes sizes = headSizes(op);
  const AffineExpr heads = symbols.operands[1][0] * sizes.heads, distances = symbols.operands[5][0];
  scheduleBackward(op, symbols, schedule, /*keyGrad=*/2);
  schedule.multiplyAdds =
      schedule.multiplyAdds + allPairs(symbols.operands[1], symbols.operands[3]) * (3 * sizes.scoreProducts());
  schedule.scratch.push_back({heads * distances, 4 * sizes.key});
  schedule.stages.push_back(distances);
  if (!op.getSpan())
    return;
  schedule.scratch.push_back({heads * symbols.operands[1][1], 4});
  schedule.stages.push_back(getAffineConstantExpr(1, op->getContext()));
}

/// The sums `d` of both maps of every query: one tile adds up those of the second one, the gradient of lambda.
static void scheduleDiffBackward(DiffAttentionGradOp op, const SymbolicDims &symbols, KernelSchedule &schedule) {
  const HeadSizes sizes = headSizes(op);
  scheduleBackward(op, symbols, schedule);
  schedule.scratch.push_back({symbols.operands[1][0] * symbols.operands[1][1], 4 * sizes.maps * sizes.heads});
  schedule.stages.push_back(getAffineConstantExpr(1, op->getContext()));
}

/// A tile for each hypothesis.
template <typename Op> static void scheduleStep(Op op, const SymbolicDims &symbols, KernelSchedule &schedule) {
  const HeadSizes sizes = headSizes(op);
  const AffineExpr rows = symbols.operands[0][0];
  const AffineExpr steps = symbols.operands[op.getAncestorsMutable().getOperandNumber()][1];
  schedule.stages = {rows};
  schedule.multiplyAdds = rows * steps * (sizes.scoreProducts() + sizes.maps * sizes.valueProducts());
}

std::optional<KernelSchedule> scheduleAttention(Operation *op) {
  if (!isa<AttentionOp, AttentionGradOp, AttentionStepOp, CrossAttentionStepOp, DiffAttentionOp, DiffAttentionGradOp,
           DiffAttentionStepOp, RelativeAttentionOp, RelativeAttentionGradOp, RelativeAttentionStepOp>(op))
    return std::nullopt;
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  SymbolicDims symbols = launchSymbols(op);
  const Dims &first = symbols.operands[0];
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    scheduleForward(attention, symbols, schedule);
  } else if (auto attention = dyn_cast<DiffAttentionOp>(op)) {
    scheduleForward(attention, symbols, schedule);
  } else if (auto attention = dyn_cast<RelativeAttentionOp>(op)) {
    scheduleForward(attention, symbols, schedule);
  } else if (auto grad = dyn_cast<AttentionGradOp>(op)) {
    scheduleBackward(grad, symbols, schedule);
  } else if (auto grad = dyn_cast<RelativeAttentionGradOp>(op)) {
    scheduleRelativeBackward(grad, symbols, schedule);
  } else if (auto grad = dyn_cast<DiffAttentionGradOp>(op)) {
    scheduleDiffBackward(grad, symbols, schedule);
  } else if (auto step = dyn_cast<AttentionStepOp>(op)) {
    scheduleStep(step, symbols, schedule);
  } else if (auto step = dyn_cast<DiffAttentionStepOp>(op)) {
    scheduleStep(step, symbols, schedule);
  } else if (auto step = dyn_cast<RelativeAttentionStepOp>(op)) {
    scheduleStep(step, symbols, schedule);
  } else {
    const int64_t width = cast<ShapedType>(op->getOperand(0).getType()).getShape().back();
    schedule.stages = {first[0]};
    schedule.multiplyAdds = first[0] * symbols.states[0][1] * (2 * width);
  }
  return schedule;
}

} // namespace bifocal
