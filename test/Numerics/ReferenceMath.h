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

/// Groups of the last axis with a root mean square of 1; `weight` may be undefined.
inline Tensor rmsNorm(const Tensor &x, const Tensor &weight, int64_t group, double factor, double epsilon) {
  Tensor rows = x.reshape({-1, group}), normal = rows * torch::rsqrt((rows * rows).mean(-1, true) + epsilon);
  return (factor * (weight.defined() ? normal * weight : normal)).reshape(x.sizes());
}

/// A gated linear unit whose gate is the second half.
inline Tensor gated(const Tensor &x, bool silu) {
  std::vector<Tensor> halves = x.chunk(2, -1);
  return halves[0] * (silu ? torch::silu(halves[1]) : torch::sigmoid(halves[1]));
}

/// Pairs of channels as complex numbers, turned by the angle of their position.
inline Tensor rotate(const Tensor &x, Tensor cos, Tensor sin, int64_t first, int64_t heads, bool inverse, bool halves) {
  const bool step = x.dim() == 2;
  int64_t steps = step ? 1 : x.size(1), pairs = cos.size(1);
  Tensor position = torch::clamp_max(torch::arange(steps) + first, cos.size(0) - 1);
  Tensor angles = torch::complex(cos.index({position}), (inverse ? -sin : sin).index({position})).unsqueeze(1);
  Tensor rows = x.reshape({x.size(0), steps, heads, x.size(-1) / heads});
  Tensor turned = rows.index({Ellipsis, Slice(0, 2 * pairs)});
  turned = halves ? turned.reshape({rows.size(0), steps, heads, 2, pairs}).transpose(-1, -2)
                  : turned.reshape({rows.size(0), steps, heads, pairs, 2});
  turned = torch::view_as_real(torch::view_as_complex(turned.contiguous()) * angles);
  turned = (halves ? turned.transpose(-1, -2) : turned).reshape({rows.size(0), steps, heads, 2 * pairs});
  return torch::cat({turned, rows.index({Ellipsis, Slice(2 * pairs)})}, -1).reshape(x.sizes());
}

inline Tensor diffLambda(const std::vector<Tensor> &vectors, double initial) {
  return torch::exp(vectors[0].dot(vectors[1])) - torch::exp(vectors[2].dot(vectors[3])) + initial;
}

inline Tensor headDifference(const Tensor &x, const Tensor &gate) {
  auto rows = gate.sizes().vec();
  rows.insert(rows.end(), {2, x.size(-1) / gate.size(-1) / 2});
  Tensor heads = x.reshape(rows),
         difference = heads.select(-2, 0) - torch::sigmoid(gate).unsqueeze(-1) * heads.select(-2, 1);
  return difference.flatten(-2);
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

/// The scores of products, scaled and capped as `op` says.
template <typename Op> Tensor scoresOf(Op op, const Tensor &products) {
  Tensor scores = products * static_cast<double>(op.getScale().convertToFloat());
  const double cap = op.getSoftCap().convertToFloat();
  return cap > 0 ? cap * torch::tanh(scores / cap) : scores;
}

/// The weights [B, H, T, S] of score maps, dropped; `lse` gets their log-sums. Heads of keys are repeated.
template <typename Op>
Tensor attentionWeights(Op op, const Tensor &query, const Tensor &key, int64_t maps, const Tensor &mask,
                        const Tensor &rng, Tensor &lse) {
  int64_t steps = query.size(1), keys = key.size(1);
  auto split = [](const Tensor &x, int64_t heads) {
    return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
  };
  Tensor scores = scoresOf(op, torch::matmul(split(query, maps), split(key, maps).transpose(2, 3)));
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
  if (double rate = op.getDropRate().convertToFloat(); rate > 0)
    probabilities = probabilities * dropoutMask(probabilities.sizes(), rate, op.getSite(), rng);
  return probabilities;
}

/// `x` [B, S, G W] with each of the `groups` heads repeated next to itself, for `heads` in all.
inline Tensor repeatHeads(const Tensor &x, int64_t groups, int64_t heads) {
  Tensor split = x.reshape({x.size(0), x.size(1), groups, x.size(2) / groups});
  return split.repeat_interleave(heads / groups, 2).flatten(2);
}

/// The sum over values [B, S, H E] with weights [B, H, T, S].
inline Tensor weightedValues(const Tensor &weights, const Tensor &value) {
  int64_t heads = weights.size(1);
  Tensor split = value.reshape({value.size(0), value.size(1), heads, value.size(2) / heads}).transpose(1, 2);
  return torch::matmul(weights, split).transpose(1, 2).flatten(2);
}

/// The rows [from..step] of a cache that belong to row `n`, oldest first; slot of step p is p mod `slots`.
inline Tensor historyOf(const Tensor &cache, const Tensor &ancestors, int64_t row, int64_t from, int64_t step,
                        int64_t slots) {
  std::vector<Tensor> rows;
  for (int64_t past = from; past <= step; ++past) {
    int64_t physical = past == step ? row : ancestors[row][past % ancestors.size(1)].item<int64_t>();
    rows.push_back(cache[past % slots][physical]);
  }
  return torch::stack(rows);
}

/// The derivatives of `forward(inputs)`, weighted with `outputGradient`, for every input.
template <typename Forward>
std::vector<Tensor> derivatives(std::vector<Tensor> inputs, const Tensor &outputGradient, Forward forward) {
  torch::AutoGradMode enabled(true);
  for (Tensor &input : inputs)
    input = input.detach().clone().requires_grad_();
  return torch::autograd::grad({forward(inputs)}, inputs, {outputGradient}, /*retain_graph=*/false,
                               /*create_graph=*/false,
                               /*allow_unused=*/false);
}

/// Heads of keys and values that several heads share are repeated first.
template <typename Op>
Tensor attend(Op op, const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &mask, const Tensor &rng,
              Tensor &lse) {
  int64_t heads = op.getHeads(), groups = op.getKvHeads() == 0 ? heads : op.getKvHeads();
  Tensor keys = repeatHeads(key, groups, heads);
  Tensor weights = attentionWeights(op, query, keys, heads, mask, rng, lse);
  return weightedValues(weights, repeatHeads(value, groups, heads));
}

template <typename Op>
Tensor attendTwice(Op op, const Tensor &query, const Tensor &key, const Tensor &value, const Tensor &lambda,
                   const Tensor &mask, const Tensor &rng, Tensor &lse) {
  int64_t heads = op.getHeads(), groups = op.getKvHeads() == 0 ? heads : op.getKvHeads();
  Tensor keys = repeatHeads(key, groups, heads);
  Tensor weights = attentionWeights(op, query, keys, 2 * heads, mask, rng, lse);
  Tensor pairs = weights.reshape({weights.size(0), heads, 2, weights.size(2), weights.size(3)});
  return weightedValues(pairs.select(2, 0) - lambda * pairs.select(2, 1), repeatHeads(value, groups, heads));
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
