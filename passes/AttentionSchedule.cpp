// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/AttentionSchedule.h"

#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

std::optional<KernelSchedule> scheduleAttention(Operation *op) {
  if (!isa<AttentionOp, AttentionGradOp, AttentionStepOp, CrossAttentionStepOp>(op))
    return std::nullopt;
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  SymbolicDims symbols = launchSymbols(op);
  const Dims &first = symbols.operands[0];
  // Scores and sums of values, both channel by channel; backward has the scores again and four gradients.
  const int64_t width = cast<ShapedType>(op->getOperand(0).getType()).getShape().back();
  if (auto attention = dyn_cast<AttentionOp>(op)) {
    schedule.stages = {first[0] * attention.getHeads() * first[1].ceilDiv(attentionQueries)};
    schedule.multiplyAdds = first[0] * first[1] * symbols.operands[1][1] * (2 * width);
  } else if (auto grad = dyn_cast<AttentionGradOp>(op)) {
    // A head of a sentence at a time: the sums over queries and those over keys stay in one tile. Those over queries
    // are taken block by block, in f32.
    schedule.stages = {first[0] * grad.getHeads()};
    schedule.multiplyAdds = first[0] * first[1] * symbols.operands[2][1] * (5 * width);
    for (auto [index, dims] : llvm::enumerate(symbols.results))
      if (index > 0 && isNarrow(grad.getResult(index).getType()))
        schedule.scratch.push_back({dims[0] * dims[1], int64_t{4} * grad.getKey().getType().getShape().back()});
  } else {
    schedule.stages = {first[0]};
    AffineExpr steps = isa<AttentionStepOp>(op) ? symbols.operands[3][1] : symbols.states[0][1];
    schedule.multiplyAdds = first[0] * steps * (2 * width);
  }
  return schedule;
}

} // namespace bifocal
