// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_NUMERICS_REFERENCEMATH_H
#define BIFOCAL_TEST_NUMERICS_REFERENCEMATH_H

// The formulas of the forward ops. Gradient ops carry the attributes of their forward op, so both read them here.

#include "test/Numerics/Reference.h"

namespace bifocal::test {
using torch::Tensor;
using torch::indexing::Ellipsis;
using torch::indexing::Slice;

/// log p and its sums over the targets that count; the smoothing spreads over all other classes.
inline std::array<Tensor, 3> crossEntropy(const Tensor &logits, const Tensor &targets, double smoothing,
                                          int64_t ignored) {
  int64_t classes = logits.size(-1);
  Tensor logp = torch::log_softmax(logits.reshape({-1, classes}), -1), flat = targets.reshape({-1});
  Tensor counts = flat.ne(ignored).to(torch::kFloat64);
  Tensor nll = -(logp.gather(1, flat.clamp(0, classes - 1).unsqueeze(1)).squeeze(1) * counts).sum();
  Tensor smooth = -(logp.sum(-1) * counts).sum();
  double share = classes > 1 ? smoothing / static_cast<double>(classes - 1) : 0;
  return {(1 - smoothing - share) * nll + share * smooth, nll, counts.sum()};
}

inline std::vector<Tensor> layerNorm(const Tensor &x, const Tensor &scale, const Tensor &bias, double epsilon) {
  Tensor mean = x.mean(-1, true), centred = x - mean;
  Tensor rstd = torch::rsqrt((centred * centred).mean(-1, true) + epsilon);
  return {centred * rstd * scale + bias, mean.squeeze(-1), rstd.squeeze(-1)};
}

/// y[b, t, c] = sum over k of taps[b, t, h(c), k] * x[b, t + k - P, c]; taps may have one row for all b and t.
inline Tensor convolve(const Tensor &x, const Tensor &taps, int64_t padding) {
  int64_t steps = x.size(1), heads = taps.size(2), count = taps.size(3), width = x.size(2) / heads;
  Tensor padded = torch::constant_pad_nd(x, {0, 0, padding, count - 1 - padding}), sum;
  for (int64_t k = 0; k < count; ++k) {
    Tensor weight = taps.index({Ellipsis, k}).repeat_interleave(width, -1);
    Tensor term = padded.index({Slice(), Slice(k, k + steps)}) * weight;
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

/// The softmax of dynamic taps [B, T, H, K] over all taps, those inside the sequence, or the last T.
inline Tensor normalizeTaps(const Tensor &taps, int64_t padding, bool renormalized, bool compat) {
  int64_t steps = taps.size(1), count = taps.size(3);
  if (!renormalized && !(compat && padding == count - 1 && steps < count))
    return torch::softmax(taps, -1);
  Tensor t = torch::arange(steps).unsqueeze(1), k = torch::arange(count).unsqueeze(0), position = t + k - padding;
  Tensor inside =
      renormalized ? position.ge(0).logical_and(position.lt(steps)) : k.ge(count - steps).expand({steps, count});
  Tensor masked = taps.masked_fill(inside.logical_not().unsqueeze(1), -INFINITY);
  return torch::softmax(masked, -1);
}

template <typename Op>
Tensor attend(Op op, const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &mask, const Tensor &rng,
              Tensor &lse) {
  int64_t heads = op.getHeads(), steps = query.size(1), keys = key.size(1), width = query.size(2) / heads;
  auto split = [&](const Tensor &x) { return x.reshape({x.size(0), x.size(1), heads, width}).transpose(1, 2); };
  Tensor scores =
      torch::matmul(split(query), split(key).transpose(2, 3)) * static_cast<double>(op.getScale().convertToFloat());
  Tensor allowed = torch::ones({query.size(0), 1, steps, keys}, torch::kBool);
  if (mask.defined())
    allowed = allowed.logical_and(mask.unsqueeze(1).unsqueeze(1));
  if (op.getCausal())
    allowed = allowed.logical_and(torch::ones({steps, keys}, torch::kBool).tril());
  scores = scores.masked_fill(allowed.logical_not(), -INFINITY);
  // A row without any key gives zero, and its gradient too.
  Tensor any = allowed.any(-1, true);
  Tensor safe = scores.masked_fill(any.logical_not(), 0);
  Tensor probabilities = torch::softmax(safe, -1).masked_fill(any.logical_not(), 0);
  lse = torch::logsumexp(safe, -1);
  double rate = op.getDropRate().convertToFloat();
  if (rate > 0)
    probabilities = probabilities * dropoutMask(probabilities.sizes(), rate, op.getSite(), rng);
  return torch::matmul(probabilities, split(value)).transpose(1, 2).reshape(query.sizes());
}

template <typename Op> Tensor lightConvolution(Op op, const Tensor &input, Tensor taps, const Tensor &rng) {
  if (op.getNormalized())
    taps = torch::softmax(taps, -1);
  if (double rate = op.getDropRate().convertToFloat(); rate > 0)
    taps = taps * dropoutMask(taps.sizes(), rate, op.getSite(), rng);
  return convolve(input, taps.reshape({1, 1, taps.size(0), taps.size(2)}), op.getLeftPadding());
}

template <typename Op> Tensor dynamicConvolution(Op op, const Tensor &input, Tensor taps, const Tensor &rng) {
  int64_t heads = op.getHeads();
  auto shape = taps.sizes().vec();
  taps = taps.reshape({shape[0], shape[1], heads, shape[2] / heads});
  if (op.getNormalized())
    taps = normalizeTaps(taps, op.getLeftPadding(), op.getRenormalized(), op.getCompat());
  if (double rate = op.getDropRate().convertToFloat(); rate > 0)
    taps = taps * dropoutMask(shape, rate, op.getSite(), rng).reshape(taps.sizes());
  return convolve(input, taps, op.getLeftPadding());
}

inline Tensor softmaxOfGroups(const Tensor &input, int64_t group) {
  auto shape = input.sizes().vec();
  return torch::softmax(input.reshape({-1, group}), -1).reshape(shape);
}

} // namespace bifocal::test
#endif
