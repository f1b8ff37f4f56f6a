// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_KERNELS_FORMULATIONS_H
#define BIFOCAL_BENCH_KERNELS_FORMULATIONS_H

// Each op in every way that PyTorch offers to write it. Activations are [B, T, C], dense, channels last; head h of a
// convolution owns the channels [h C / H, (h + 1) C / H). Convolutions are causal: tap k looks K - 1 - k steps back.

#include <ATen/ATen.h>

#include <functional>
#include <string>
#include <vector>

namespace bifocal::bench {

/// One way to compute an op, differentiable for every float input.
struct Formulation {
  std::string name;
  std::function<at::Tensor(const std::vector<at::Tensor> &inputs)> compute;
};

/// Inputs: x [B, T, C], taps [H, 1, K], raw: all formulations take their softmax first.
std::vector<Formulation> lightConvFormulations(int64_t width);
/// Inputs: x [B, T, C], taps [B, T, H K], raw.
std::vector<Formulation> dynamicConvFormulations(int64_t heads, int64_t width);
/// layer_norm(dropout(h) + r). Inputs: h, r [B, T, C], scale, shift [C].
std::vector<Formulation> normFormulations(double rate);
/// Sum of the label-smoothed cross-entropy. Inputs: x [B, T, C], weight [V, C], target [B, T] i64.
std::vector<Formulation> projectionFormulations(double smoothing, int64_t ignored);
/// Inputs: q, k, v [B, T, C], and, when not causal, the keys that are real, [B, T] of bool.
std::vector<Formulation> attentionFormulations(int64_t heads, bool causal);
/// The difference of two causal maps. Inputs: q, k [B, T, 2 H D], v [B, T, H E], lambda, a scalar.
std::vector<Formulation> diffAttentionFormulations(int64_t heads);
/// Adaptive span over T queries and T + L keys. Inputs: q [B, T, H D], k, v [B, T + L, H D], positions [L, D] from the
/// nearest on, spans [H] as parts of L.
std::vector<Formulation> spanAttentionFormulations(int64_t heads, int64_t ramp);

} // namespace bifocal::bench
#endif
