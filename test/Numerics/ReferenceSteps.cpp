// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The ops of one decoding step, by following each row's ancestors.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/ReferenceMath.h"

using namespace bifocal;
using namespace bifocal::test;
using torch::Tensor;
using torch::indexing::Slice;

/// One row: the newest K inputs under the newest taps. `taps` is [H, K].
static Tensor convolveRow(const Tensor &past, const Tensor &taps) {
  int64_t count = past.size(0), width = past.size(1) / taps.size(0);
  Tensor used = taps.index({Slice(), Slice(taps.size(1) - count)}).repeat_interleave(width, 0);
  return (past * used.t()).sum(0);
}

/// Weights [maps, S] of one query; zeros where nothing is seen.
template <typename Op>
static Tensor rowWeights(Op op, const Tensor &query, const Tensor &keys, int64_t maps, const Tensor &mask) {
  int64_t width = query.size(0) / maps;
  Tensor products = torch::einsum("shd,hd->hs", {keys.reshape({-1, maps, width}), query.reshape({maps, width})});
  Tensor scores = scoresOf(op, products);
  if (mask.defined() && !mask.any().item<bool>())
    return torch::zeros_like(scores);
  if (mask.defined())
    scores = scores.masked_fill(mask.logical_not(), -INFINITY);
  return torch::softmax(scores, -1);
}

static Tensor attendRow(CrossAttentionStepOp op, const Tensor &query, const Tensor &keys, const Tensor &values,
                        const Tensor &mask) {
  const auto heads = static_cast<int64_t>(op.getHeads());
  Tensor weights = rowWeights(op, query, keys, heads, mask);
  return torch::einsum("hs,shd->hd", {weights, values.reshape({values.size(0), heads, -1})}).reshape({-1});
}

/// Taps of row `n` as [H, K], normalised where the op asks for it.
template <typename Op> static Tensor tapsOfRow(Op op, const Tensor &taps, int64_t row, int64_t heads, int64_t seen) {
  Tensor all = taps.dim() == 3 ? taps.squeeze(1) : taps[row].reshape({heads, -1});
  if (!op.getNormalized())
    return all;
  if constexpr (std::is_same_v<Op, DynamicConvStepOp>)
    if (op.getRenormalized() || op.getCompat()) {
      Tensor last = torch::softmax(all.index({Slice(), Slice(all.size(1) - seen)}), -1);
      return torch::constant_pad_nd(last, {all.size(1) - seen, 0});
    }
  return torch::softmax(all, -1);
}

template <typename Op>
static Tensor convolveStep(Op op, const Tensor &input, const Tensor &taps, const Tensor &ancestors, int64_t step,
                           int64_t heads, Tensor &cache) {
  int64_t slots = cache.size(0);
  std::vector<Tensor> outputs;
  for (int64_t row = 0; row < input.size(0); ++row)
    cache[step % slots][row] = input[row];
  for (int64_t row = 0; row < input.size(0); ++row) {
    int64_t from = std::max<int64_t>(0, step - slots + 1);
    Tensor past = historyOf(cache, ancestors, row, from, step, slots);
    outputs.push_back(convolveRow(past, tapsOfRow(op, taps, row, heads, step - from + 1)));
  }
  return torch::stack(outputs);
}

bool Reference::evaluateStep(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](StateReadOp read) { return value(read.getValue()) = states.at(read.getState().str()).clone(), true; })
      .Case([&](StateWriteOp write) {
        states[write.getState().str()] = value(write.getValue()).clone();
        return true;
      })
      .Case<LightConvStepOp, DynamicConvStepOp>([&](auto conv) {
        int64_t heads = 0;
        if constexpr (std::is_same_v<decltype(conv), DynamicConvStepOp>)
          heads = conv.getHeads();
        Tensor output =
            convolveStep(conv, value(conv.getInput()), value(conv.getTaps()), value(conv.getAncestors()),
                         value(conv.getStep()).template item<int64_t>(), heads, states.at(conv.getCache().str()));
        value(conv.getOutput()) = conv.getBias() ? output + value(conv.getBias()) : output;
        return true;
      })
      .Case<AttentionStepOp, DiffAttentionStepOp>([&](auto attention) {
        constexpr bool isPaired = std::is_same_v<decltype(attention), DiffAttentionStepOp>;
        Tensor query = value(attention.getQuery()), &keys = states.at(attention.getKeyCache().str());
        Tensor &cachedValues = states.at(attention.getValueCache().str()), ancestors = value(attention.getAncestors());
        int64_t step = value(attention.getStep()).template item<int64_t>(), heads = attention.getHeads();
        int64_t groups = attention.getKvHeads() == 0 ? heads : attention.getKvHeads(), maps = isPaired ? 2 : 1;
        std::vector<Tensor> rows;
        keys[step].index_put_({Slice(0, query.size(0))}, value(attention.getKey()));
        cachedValues[step].index_put_({Slice(0, query.size(0))}, value(attention.getValue()));
        for (int64_t row = 0; row < query.size(0); ++row) {
          auto past = [&](const Tensor &cache) {
            Tensor all = historyOf(cache, ancestors, row, 0, step, cache.size(0)).unsqueeze(0);
            return repeatHeads(all, groups, heads)[0];
          };
          Tensor weights = rowWeights(attention, query[row], past(keys), maps * heads, Tensor());
          if constexpr (isPaired) {
            Tensor pairs = weights.reshape({heads, 2, -1});
            weights = pairs.select(1, 0) - value(attention.getLambda()) * pairs.select(1, 1);
          }
          Tensor values = past(cachedValues).reshape({step + 1, heads, -1});
          rows.push_back(torch::einsum("hs,shd->hd", {weights, values}).reshape({-1}));
        }
        value(attention.getOutput()) = torch::stack(rows);
        return true;
      })
      .Case([&](CrossAttentionStepOp attention) {
        Tensor query = value(attention.getQuery());
        std::vector<Tensor> rows;
        for (int64_t row = 0; row < query.size(0); ++row) {
          int64_t sentence = value(attention.getSentences())[row].item<int64_t>();
          rows.push_back(attendRow(attention, query[row], states.at(attention.getKeys().str())[sentence],
                                   states.at(attention.getValues().str())[sentence],
                                   states.at(attention.getMask().str())[sentence]));
        }
        value(attention.getOutput()) = torch::stack(rows);
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}
