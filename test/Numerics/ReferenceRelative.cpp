// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Relative attention as docs/Dialect.md has it, with all distances of all queries as tensors, in LibTorch.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/ReferenceMath.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace bifocal;
using namespace bifocal::test;
using torch::Tensor;

namespace {
/// Which of some distances are seen, and how much a key there counts: with a span by head, on a first axis.
struct Ramp {
  Tensor seen, factor;
};
} // namespace

template <typename Op> static Ramp rampOf(Op op, const Tensor &delta, int64_t rows, const Tensor &span) {
  const auto nearest = static_cast<int64_t>(op.getNearest()), window = static_cast<int64_t>(op.getWindow());
  Tensor row = delta - nearest;
  Tensor seen = row.ge(0).logical_and(row.lt(window > 0 ? std::min(rows, window) : rows)).unsqueeze(0);
  if (!span.defined())
    return {seen, torch::ones_like(seen, torch::kFloat64)};
  std::vector<int64_t> perHead(delta.dim() + 1, 1);
  perHead[0] = -1;
  Tensor steps = span.reshape(perHead) * static_cast<double>(op.getSpanUnit());
  Tensor ramp = (steps + 1 - delta.unsqueeze(0)) / static_cast<double>(op.getRamp()) + 1;
  return {seen.logical_and(ramp.detach().ge(0)), ramp.clamp(0, 1)};
}

/// The scores of positions [L, HD] or [L, D] for queries [..., H, D], as [..., H, L].
static Tensor positionScores(const Tensor &query, const Tensor &positions) {
  const int64_t heads = query.size(-2), width = query.size(-1), rows = positions.size(0);
  Tensor all = positions.size(1) == width ? positions.unsqueeze(1).expand({rows, heads, width})
                                          : positions.reshape({rows, heads, width});
  return torch::einsum("...hd,lhd->...hl", {query, all});
}

/// Weights of scores [..., S] under a ramp that broadcasts to them; zeros where nothing is seen.
static Tensor rampedWeights(Tensor scores, const Ramp &ramp, Tensor *lse) {
  Tensor seen = ramp.seen.expand_as(scores), any = seen.any(-1, true);
  scores = scores.masked_fill(seen.logical_not(), -INFINITY).masked_fill(any.logical_not(), 0);
  Tensor peak = scores.detach().amax(-1, true), weights = torch::exp(scores - peak) * ramp.factor;
  Tensor sum = weights.sum(-1, true);
  if (lse)
    *lse = (peak + torch::log(sum)).squeeze(-1);
  return (weights / sum.masked_fill(any.logical_not(), 1)).masked_fill(any.logical_not(), 0);
}

template <typename Op> static int64_t groupsOf(Op op) {
  return static_cast<int64_t>(op.getKvHeads() == 0 ? op.getHeads() : op.getKvHeads());
}

/// Inputs are query, position query, key, value, positions, and the spans where there are some.
template <typename Op>
static Tensor attendRelative(Op op, const std::vector<Tensor> &in, const Tensor &rng, Tensor &lse) {
  const int64_t heads = op.getHeads(), groups = groupsOf(op), steps = in[0].size(1), keys = in[2].size(1);
  auto split = [&](const Tensor &x) { return x.reshape({x.size(0), x.size(1), heads, -1}); };
  Tensor delta = (torch::arange(steps) + (keys - steps)).unsqueeze(1) - torch::arange(keys).unsqueeze(0);
  Tensor row = (delta - static_cast<int64_t>(op.getNearest())).clamp(0, in[4].size(0) - 1);
  Tensor near = positionScores(split(in[1]), in[4]).transpose(1, 2); // [B, H, T, L]
  near = near.gather(3, row.expand({near.size(0), heads, steps, keys}));
  Tensor content = torch::einsum("bthd,bshd->bhts", {split(in[0]), split(repeatHeads(in[2], groups, heads))});
  Tensor scores = scoresOf(op, content + near);
  Ramp ramp = rampOf(op, delta, in[4].size(0), in.size() > 5 ? in[5] : Tensor());
  Tensor weights = rampedWeights(scores, {ramp.seen.unsqueeze(0), ramp.factor.unsqueeze(0)}, &lse);
  if (double rate = op.getDropRate().convertToFloat(); rate > 0)
    weights = weights * dropoutMask(weights.sizes(), rate, op.getSite(), rng);
  return weightedValues(weights, repeatHeads(in[3], groups, heads));
}

/// One row of a step; `keys` and `values` are its history [S, ...], the newest last.
static Tensor attendStep(RelativeAttentionStepOp op, const std::vector<Tensor> &in, const Tensor &keys,
                         const Tensor &values, const Tensor &span) {
  const int64_t heads = op.getHeads(), groups = groupsOf(op), count = keys.size(0);
  auto split = [&](const Tensor &x) {
    return repeatHeads(x.unsqueeze(0), groups, heads)[0].reshape({count, heads, -1});
  };
  Tensor delta = count - 1 - torch::arange(count);
  Tensor row = (delta - static_cast<int64_t>(op.getNearest())).clamp(0, in[2].size(0) - 1);
  Tensor near = positionScores(in[1].reshape({heads, -1}), in[2]).index_select(1, row);
  Tensor scores = torch::einsum("hd,shd->hs", {in[0].reshape({heads, -1}), split(keys)}) + near;
  Tensor weights = rampedWeights(scoresOf(op, scores), rampOf(op, delta, in[2].size(0), span), nullptr);
  return torch::einsum("hs,shd->hd", {weights, split(values)}).reshape({-1});
}

bool Reference::evaluateRelative(mlir::Operation *op) {
  auto inputsOf = [&](auto attention) {
    std::vector<Tensor> inputs;
    for (mlir::Value input : {attention.getQuery(), attention.getPositionQuery(), attention.getKey(),
                              attention.getValue(), attention.getPositions()})
      inputs.push_back(value(input));
    if (attention.getSpan())
      inputs.push_back(value(attention.getSpan()));
    return inputs;
  };
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](RelativeAttentionOp attention) {
        Tensor lse, output = attendRelative(attention, inputsOf(attention), optional(attention.getRng()), lse);
        return setResults(attention, {output, lse});
      })
      .Case([&](RelativeAttentionGradOp grad) {
        return setResults(op, derivatives(inputsOf(grad), value(grad.getOutputGrad()), [&](std::vector<Tensor> &in) {
                            Tensor lse;
                            return attendRelative(grad, in, optional(grad.getRng()), lse);
                          }));
      })
      .Case([&](RelativeAttentionStepOp step) {
        Tensor query = value(step.getQuery()), second = value(step.getPositionQuery());
        Tensor &keys = states.at(step.getKeyCache().str()), &values = states.at(step.getValueCache().str());
        const auto now = value(step.getStep()).item<int64_t>();
        for (auto [cache, newest] : {std::pair(keys, step.getKey()), std::pair(values, step.getValue())})
          cache[now % cache.size(0)].index_put_({torch::indexing::Slice(0, query.size(0))}, value(newest));
        std::vector<Tensor> rows;
        for (int64_t row = 0; row < query.size(0); ++row) {
          auto past = [&](const Tensor &cache) {
            const int64_t first = std::max<int64_t>(now - cache.size(0) + 1, 0);
            return historyOf(cache, value(step.getAncestors()), row, first, now, cache.size(0));
          };
          rows.push_back(attendStep(step, {query[row], second[row], value(step.getPositions())}, past(keys),
                                    past(values), optional(step.getSpan())));
        }
        return setResults(step, {torch::stack(rows)});
      })
      .Default([](mlir::Operation *) { return false; });
}
