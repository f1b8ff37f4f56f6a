// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/kernels/Formulations.h"

#include <torch/csrc/autograd/custom_function.h>

#include <limits>

using at::Tensor;

namespace bifocal::bench {
namespace {

/// One random byte per element, eight to a draw: the library's generator is serial and draws a number per element. The
/// rate becomes a multiple of 1/256, and the scale fits it.
Tensor dropoutOfBytes(const Tensor &x, double rate) {
  const auto dropped = static_cast<int64_t>(std::lround(rate * 256));
  const int64_t count = x.numel();
  Tensor words = at::empty({(count + 7) / 8}, at::kLong);
  words.random_(std::numeric_limits<int64_t>::min(), std::optional<int64_t>());
  const Tensor kept = words.view(at::kByte).narrow(0, 0, count).view(x.sizes()) >= dropped;
  return x * (kept * at::scalar_tensor(256.0 / static_cast<double>(256 - dropped), at::kFloat));
}

Tensor norm(const Tensor &x, const std::vector<Tensor> &inputs) {
  return at::layer_norm(x, {x.size(-1)}, inputs[2], inputs[3]);
}

/// The logits are turned into log-probabilities, and those into their gradient, in place.
class CrossEntropyInPlace : public torch::autograd::Function<CrossEntropyInPlace> {
public:
  static Tensor forward(torch::autograd::AutogradContext *context, const Tensor &logits, const Tensor &target,
                        double smoothing, int64_t ignored) {
    const Tensor logp = at::log_softmax(logits, 1), counted = target != ignored;
    Tensor loss = logp.gather(1, target.unsqueeze(1)).squeeze(1) * (smoothing - 1);
    loss -= smoothing * logp.mean(1);
    context->save_for_backward({logp, target, counted});
    context->saved_data["smoothing"] = smoothing;
    return loss.masked_fill_(counted.logical_not(), 0).sum();
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const double smoothing = context->saved_data["smoothing"].toDouble();
    const Tensor scale = (gradients[0] * saved[2]).unsqueeze(1);
    Tensor gradient = saved[0];
    gradient.exp_().sub_(smoothing / static_cast<double>(gradient.size(1))).mul_(scale);
    gradient.scatter_add_(1, saved[1].unsqueeze(1), (smoothing - 1) * scale);
    return {gradient, Tensor(), Tensor(), Tensor()};
  }
};

Tensor logitsOf(const std::vector<Tensor> &inputs) { return at::linear(inputs[0].flatten(0, 1), inputs[1]); }

Tensor splitHeads(const Tensor &x, int64_t heads) { return x.unflatten(-1, {heads, -1}).transpose(1, 2); }
Tensor joinHeads(const Tensor &y) { return y.transpose(1, 2).flatten(-2); }

/// The score matrix in memory.
Tensor attentionInSteps(const std::vector<Tensor> &inputs, int64_t heads, const Tensor &hidden) {
  const Tensor q = splitHeads(inputs[0], heads), k = splitHeads(inputs[1], heads), v = splitHeads(inputs[2], heads);
  const Tensor scores = at::matmul(q * std::pow(static_cast<double>(q.size(-1)), -0.5), k.transpose(-1, -2));
  const double minusInfinity = -std::numeric_limits<double>::infinity();
  return joinHeads(at::matmul(scores.masked_fill(hidden, minusInfinity).softmax(-1), v));
}

/// Score map `map` of each pair, [B, H, T, D].
Tensor mapOf(const Tensor &x, int64_t heads, int64_t map) {
  return x.unflatten(-1, {heads, 2, -1}).select(3, map).transpose(1, 2);
}

/// Scores [.., T, T + L] of all keys as [.., T, L] of the distances L to 1, and back.
Tensor byDistance(const Tensor &scores) {
  const int64_t time = scores.size(-2), span = scores.size(-1) - time;
  return at::constant_pad_nd(scores.flatten(-2), {0, time}).unflatten(-1, {time, time + span + 1}).narrow(-1, 0, span);
}
Tensor byKey(const Tensor &weights) {
  const int64_t time = weights.size(-2), span = weights.size(-1);
  const Tensor padded = at::constant_pad_nd(weights, {0, time + 1}).flatten(-2);
  return padded.narrow(-1, 0, time * (time + span)).unflatten(-1, {time, time + span});
}

} // namespace

std::vector<Formulation> normFormulations(double rate) {
  return {{"library dropout",
           [rate](const std::vector<Tensor> &inputs) {
             return norm(at::dropout(inputs[0], rate, /*train=*/true) + inputs[1], inputs);
           }},
          {"dropout of bytes", [rate](const std::vector<Tensor> &inputs) {
             return norm(dropoutOfBytes(inputs[0], rate) + inputs[1], inputs);
           }}};
}

std::vector<Formulation> projectionFormulations(double smoothing, int64_t ignored) {
  const auto target = [](const std::vector<Tensor> &inputs) { return inputs[2].flatten(); };
  return {{"library",
           [=](const std::vector<Tensor> &inputs) {
             return at::cross_entropy_loss(logitsOf(inputs), target(inputs), {}, at::Reduction::Sum, ignored,
                                           smoothing);
           }},
          {"logsumexp",
           [=](const std::vector<Tensor> &inputs) {
             const Tensor logits = logitsOf(inputs), ids = target(inputs);
             const Tensor picked = logits.gather(1, ids.unsqueeze(1)).squeeze(1);
             const Tensor loss = logits.logsumexp(1) - (1 - smoothing) * picked - smoothing * logits.mean(1);
             return loss.masked_fill(ids == ignored, 0).sum();
           }},
          {"in place", [=](const std::vector<Tensor> &inputs) {
             return CrossEntropyInPlace::apply(logitsOf(inputs), target(inputs), smoothing, ignored);
           }}};
}

std::vector<Formulation> attentionFormulations(int64_t heads, bool causal) {
  return {{"scaled_dot_product_attention",
           [=](const std::vector<Tensor> &inputs) {
             std::optional<Tensor> mask;
             if (!causal)
               mask = inputs[3].unsqueeze(1).unsqueeze(1);
             return joinHeads(at::scaled_dot_product_attention(splitHeads(inputs[0], heads),
                                                               splitHeads(inputs[1], heads),
                                                               splitHeads(inputs[2], heads), mask, 0.0, causal));
           }},
          {"explicit", [=](const std::vector<Tensor> &inputs) {
             const int64_t time = inputs[0].size(1);
             return attentionInSteps(inputs, heads,
                                     causal ? at::ones({time, time}, at::kBool).triu(1)
                                            : inputs[3].logical_not().unsqueeze(1).unsqueeze(1));
           }}};
}

std::vector<Formulation> diffAttentionFormulations(int64_t heads) {
  return {{"twice scaled_dot_product_attention",
           [=](const std::vector<Tensor> &inputs) {
             const Tensor v = splitHeads(inputs[2], heads);
             auto attend = [&](int64_t map) {
               return at::scaled_dot_product_attention(mapOf(inputs[0], heads, map), mapOf(inputs[1], heads, map), v,
                                                       {}, 0.0, /*is_causal=*/true);
             };
             return joinHeads(attend(0) - inputs[3] * attend(1));
           }},
          {"explicit", [=](const std::vector<Tensor> &inputs) {
             const int64_t time = inputs[0].size(1);
             const Tensor hidden = at::ones({time, time}, at::kBool).triu(1);
             auto weights = [&](int64_t map) {
               const Tensor q = mapOf(inputs[0], heads, map), k = mapOf(inputs[1], heads, map);
               const Tensor scores =
                   at::matmul(q * std::pow(static_cast<double>(q.size(-1)), -0.5), k.transpose(-1, -2));
               return scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()).softmax(-1);
             };
             return joinHeads(at::matmul(weights(0) - inputs[3] * weights(1), splitHeads(inputs[2], heads)));
           }}};
}

// As the published module computes it, with a product for positions of all distances, the nearest last; and key by key.
std::vector<Formulation> spanAttentionFormulations(int64_t heads, int64_t ramp) {
  return {{"skewed",
           [=](const std::vector<Tensor> &inputs) {
             const Tensor q = splitHeads(inputs[0], heads), k = splitHeads(inputs[1], heads),
                          v = splitHeads(inputs[2], heads), positions = inputs[3].flip(0);
             const int64_t span = positions.size(0);
             Tensor scores = byDistance(at::matmul(q, k.transpose(-1, -2))) + at::matmul(q, positions.t());
             scores = scores * std::pow(static_cast<double>(q.size(-1)), -0.5);
             const Tensor distances = at::arange(span, 0, -1, at::kFloat);
             const Tensor left = inputs[4].view({-1, 1, 1}) * static_cast<double>(span) + 1 - distances;
             const Tensor weights = scores.softmax(-1) * (left / static_cast<double>(ramp) + 1).clamp(0, 1);
             return joinHeads(at::matmul(byKey(weights / (weights.sum(-1, true) + 1e-8)), v));
           }},
          {"gathered", [=](const std::vector<Tensor> &inputs) {
             const Tensor q = splitHeads(inputs[0], heads), k = splitHeads(inputs[1], heads),
                          v = splitHeads(inputs[2], heads);
             const int64_t span = inputs[3].size(0), time = q.size(2), keys = k.size(2);
             const Tensor distance = at::arange(keys - time, keys).unsqueeze(1) - at::arange(keys);
             const Tensor hidden = distance.lt(1).logical_or(distance.gt(span)),
                          row = (distance - 1).clamp(0, span - 1);
             const Tensor near = at::matmul(q, inputs[3].t()).gather(-1, row.expand({q.size(0), heads, time, keys}));
             const Tensor scores =
                 (at::matmul(q, k.transpose(-1, -2)) + near) * std::pow(static_cast<double>(q.size(-1)), -0.5);
             const Tensor left = inputs[4].view({-1, 1, 1}) * static_cast<double>(span) + 1 - distance;
             const Tensor weights = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()).softmax(-1) *
                                    (left / static_cast<double>(ramp) + 1).clamp(0, 1);
             return joinHeads(at::matmul(weights / (weights.sum(-1, true) + 1e-8), v));
           }}};
}

} // namespace bifocal::bench
