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
  if (auto attention = dyn_cast<AttentionOp>(op))
    schedule.stages = {first[0] * attention.getHeads() * first[1].ceilDiv(attentionQueries)};
  else if (auto grad = dyn_cast<AttentionGradOp>(op)) {
    // A head of a sentence at a time: the sums over queries and those over keys stay in one tile. Those over queries
    // are taken block by block, in f32.
    schedule.stages = {first[0] * grad.getHeads()};
    for (auto [index, dims] : llvm::enumerate(symbols.results))
      if (index > 0 && isNarrow(grad.getResult(index).getType()))
        schedule.scratch.push_back({dims[0] * dims[1], int64_t{4} * grad.getKey().getType().getShape().back()});
  } else
    schedule.stages = {first[0]};
  return schedule;
}

} // namespace bifocal
