// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/kernels/Contest.h"

#include <ATen/Parallel.h>
#include <cfloat>
#include <cmath>
#include <torch/version.h>

using at::Tensor;

namespace bifocal::bench {
namespace {

constexpr int64_t channels = 512;
constexpr double floatBytes = 4;

/// A case of the rounding of a sum of so many terms, each of f32: both sides round, in their own orders.
double boundOf(double terms) { return FLT_EPSILON * (64 + 2 * terms); }

Tensor numbers(at::IntArrayRef shape) { return at::randn(shape, at::kFloat); }

/// Taps of a causal filter that lie within a sequence, over all its steps.
int64_t causalTaps(int64_t time, int64_t width) {
  const int64_t growing = std::min(time, width);
  return growing * (growing + 1) / 2 + (time - growing) * width;
}

/// Lengths as in a batch of sentences: up to the longest, [B, T], true at real steps.
Tensor realSteps(int64_t batch, int64_t time) {
  const Tensor lengths = at::randint((time + 1) / 2, time + 1, {batch, 1}, at::kLong);
  lengths.select(0, 0).fill_(time);
  return at::arange(time).unsqueeze(0) < lengths;
}

/// Both directions of an op whose value is `y` and whose gradient function the compiler derives. `inputs` are those of
/// PyTorch, then ours alone. Reads and writes are floats of the forward, then of the backward.
class Pair {
public:
  ContestSpec spec;
  Case common;
  double flops = 0, reads[2] = {}, writes[2] = {}, goals[2] = {};

  /// Tensors are made with the contest, and freed with it.
  void add(std::vector<Case> &cases, const std::function<std::vector<std::pair<std::string, Tensor>>()> &inputs) const {
    for (bool backward : {false, true}) {
      Case one = common;
      one.direction = backward ? "forward+backward" : "forward";
      one.flops = backward ? 3 * flops : flops;
      one.bytesRead = floatBytes * (backward ? reads[0] + reads[1] : reads[0]);
      one.bytesWritten = floatBytes * (backward ? writes[0] + writes[1] : writes[0]);
      one.goal = goals[backward];
      one.make = [backward, inputs, common = spec] {
        ContestSpec spec = common;
        spec.backward = backward;
        spec.inputs = inputs();
        spec.values = {"y"};
        if (backward) {
          spec.entry = "diff_gradient";
          for (size_t i = 0; i < spec.peerInputs; ++i)
            if (spec.inputs[i].second.is_floating_point())
              spec.values.push_back(spec.inputs[i].first + "_grad");
          spec.inputs.emplace_back("y_grad", numbers(spec.inputs[0].second.sizes()));
        }
        return makeContest(std::move(spec));
      };
      cases.push_back(std::move(one));
    }
  }
};

void addConvs(std::vector<Case> &cases, const CaseOptions &options, bool dynamic) {
  const auto heads = options.heads;
  for (int64_t time : options.quick ? std::vector<int64_t>{32} : std::vector<int64_t>{32, 256, 2048})
    for (int64_t width : options.quick ? std::vector<int64_t>{3, 31} : std::vector<int64_t>{3, 7, 15, 31, 63}) {
      const int64_t batch = std::max<int64_t>(1, options.tokens / time), tapRows = dynamic ? batch * time : 1;
      const auto values = static_cast<double>(batch * time * channels),
                 taps = static_cast<double>(tapRows * heads * width), steps = static_cast<double>(batch * time);
      Pair pair;
      pair.common.family = dynamic ? "dynamic_conv" : "light_conv";
      pair.common.shape = {{"B", batch}, {"T", time}, {"C", channels}, {"H", heads}, {"K", width}};
      // The gradient of a shared filter is a sum over all steps and its channels.
      pair.common.bound = boundOf(dynamic ? channels + width : std::sqrt(steps * channels) + width);
      pair.flops = 2 * static_cast<double>(batch * channels * causalTaps(time, width));
      pair.reads[0] = values + taps, pair.writes[0] = values;
      pair.reads[1] = 2 * values + taps, pair.writes[1] = values + taps;
      pair.goals[0] = dynamic ? 2.5 : 2, pair.goals[1] = dynamic ? 3 : 2.5;
      const std::string padding = "left_padding = <k-1> : i64}";
      pair.spec.op = {.name = pair.common.family,
                      .arguments = dynamic ? "x[B,T,h*d] taps[B,T,h*k]" : "x[B,T,h*d] taps[h,1,k]",
                      .body = dynamic ? "y[B,T,h*d] = dynamic_conv %x, %taps normalized {heads = <h> : i64, " + padding
                                      : "y[B,T,h*d] = light_conv %x, %taps normalized {" + padding,
                      .results = "y",
                      .gradients = "y"};
      pair.spec.statics = {{'h', heads}, {'d', channels / heads}, {'k', width}};
      pair.spec.peerInputs = 2;
      pair.spec.threads = options.threads;
      pair.spec.formulations = dynamic ? dynamicConvFormulations(heads, width) : lightConvFormulations(width);
      pair.add(cases, [=] {
        const Tensor filters = dynamic ? numbers({batch, time, heads * width}) : numbers({heads, 1, width});
        return std::vector<std::pair<std::string, Tensor>>{{"x", numbers({batch, time, channels})}, {"taps", filters}};
      });
    }
}

void addNorm(std::vector<Case> &cases, const CaseOptions &options) {
  const int64_t time = 32, batch = std::max<int64_t>(1, options.tokens / time);
  const auto values = static_cast<double>(batch * time * channels);
  Pair pair;
  pair.common.family = "layer_norm";
  pair.common.shape = {{"B", batch}, {"T", time}, {"C", channels}};
  pair.flops = 10 * values;
  pair.reads[0] = 2 * values, pair.writes[0] = values;
  // The normalised values can be had from y, or from both operands; one of them, and the gradient of y.
  pair.reads[1] = 2 * values, pair.writes[1] = 2 * values;
  pair.goals[0] = pair.goals[1] = 2;
  pair.spec.op = {.name = "layer_norm",
                  .arguments = "h[B,T,c] r[B,T,c] s[c] n[c] rng[2]:rng",
                  .body = "d[B,T,c] = dropout %h, %rng {rate = 0.3 : f32, site = 1 : i32}\n"
                          "a[B,T,c] = add %d, %r\n"
                          "y[B,T,c] m[B,T] q[B,T] = layer_norm %a, %s, %n",
                  .results = "y",
                  .gradients = "y"};
  pair.spec.statics = {{'c', channels}};
  pair.spec.peerInputs = 4;
  pair.spec.random = true;
  pair.spec.threads = options.threads;
  pair.spec.formulations = normFormulations(0.3);
  pair.add(cases, [=] {
    const std::vector<int64_t> shape = {batch, time, channels};
    return std::vector<std::pair<std::string, Tensor>>{{"h", numbers(shape)},
                                                       {"r", numbers(shape)},
                                                       {"s", numbers({channels})},
                                                       {"n", numbers({channels})},
                                                       {"rng", at::tensor({1, 0}, at::kLong)}};
  });
}

/// Our op has loss and gradients in one, for a gradient of 1, as training wants them.
void addProjection(std::vector<Case> &cases, const CaseOptions &options) {
  const int64_t time = 32, batch = std::max<int64_t>(1, options.tokens / time), words = options.quick ? 1000 : 8000;
  const auto steps = static_cast<double>(batch * time), columns = static_cast<double>(words);
  constexpr int64_t pad = 1;
  Case one;
  one.family = "projected_cross_entropy";
  one.direction = "forward+backward";
  one.shape = {{"B", batch}, {"T", time}, {"C", channels}, {"V", words}};
  one.flops = 6 * steps * columns * channels;
  one.bytesRead = floatBytes * channels * (steps + columns), one.bytesWritten = one.bytesRead;
  one.goal = 2;
  // The largest sum has all steps (the gradient of the weights), the loss one of all steps and words.
  one.bound = boundOf(steps);
  one.make = [=, threads = options.threads] {
    ContestSpec spec;
    spec.op = {.name = "projected_cross_entropy",
               .arguments = "x[B,T,i] w[v,i] t[B,T]:tokens<v>",
               .body = "loss[] nll[] n[] dx[B,T,i] dw[v,i] = projected_cross_entropy %x, %w, %t "
                       "{smoothing = 0.1 : f32, ignore_index = 1 : i32}",
               .results = "loss nll n dx dw"};
    spec.statics = {{'i', channels}, {'v', words}};
    spec.values = {"loss", "dx", "dw"};
    const Tensor target = at::randint(4, words, {batch, time}, at::kLong);
    target.masked_fill_(realSteps(batch, time).logical_not(), pad);
    spec.inputs = {{"x", numbers({batch, time, channels})},
                   {"w", numbers({words, channels}) * std::pow(channels, -0.5)},
                   {"t", target},
                   {"y_grad", at::ones({}, at::kFloat)}};
    spec.peerInputs = 3;
    spec.backward = true;
    spec.threads = threads;
    // Ours spreads the smoothing over the V - 1 other words, PyTorch over all V.
    spec.formulations = projectionFormulations(0.1 * columns / (columns - 1), pad);
    return makeContest(std::move(spec));
  };
  cases.push_back(std::move(one));
}

void addAttention(std::vector<Case> &cases, const CaseOptions &options, bool causal) {
  const auto heads = options.heads;
  for (int64_t time : options.quick ? std::vector<int64_t>{20} : std::vector<int64_t>{20, 40, 60}) {
    const int64_t batch = std::max<int64_t>(1, options.tokens / time),
                  pairs = causal ? time * (time + 1) / 2 : time * time;
    const auto values = static_cast<double>(batch * time * channels);
    Pair pair;
    pair.common.family = causal ? "causal_attention" : "padded_attention";
    pair.common.shape = {{"B", batch}, {"T", time}, {"C", channels}, {"H", heads}};
    pair.common.bound = boundOf(static_cast<double>(time + channels / heads));
    pair.flops = 4.0 * static_cast<double>(batch * pairs * channels);
    pair.reads[0] = 3 * values, pair.writes[0] = values;
    pair.reads[1] = 5 * values, pair.writes[1] = 3 * values;
    pair.goals[0] = pair.goals[1] = 1.5;
    pair.spec.statics = {{'h', heads}, {'d', channels / heads}};
    char scale[32];
    std::snprintf(scale, sizeof(scale), "%.9e", 1 / std::sqrt(static_cast<double>(channels / heads)));
    pair.spec.op = {.name = pair.common.family,
                    .arguments = "q[B,T,h*d] k[B,T,h*d] v[B,T,h*d]" + std::string(causal ? "" : " mask[B,T]:i1"),
                    .body = "y[B,T,h*d] lse[B,h,T] = attention %q, %k, %v" +
                            std::string(causal ? " causal" : " mask %mask") + " {heads = <h> : i64, scale = " + scale +
                            " : f32}",
                    .results = "y",
                    .gradients = "y"};
    pair.spec.peerInputs = causal ? 3 : 4;
    pair.spec.threads = options.threads;
    pair.spec.formulations = attentionFormulations(heads, causal);
    pair.add(cases, [=] {
      std::vector<std::pair<std::string, Tensor>> inputs;
      for (const char *name : {"q", "k", "v"})
        inputs.emplace_back(name, numbers({batch, time, channels}));
      if (!causal)
        inputs.emplace_back("mask", realSteps(batch, time));
      return inputs;
    });
  }
}

/// Long sequences, causal: plain attention with 2H heads, or the difference of two maps of H heads, whose keys and
/// values have the same channels.
void addLongAttention(std::vector<Case> &cases, const CaseOptions &options, bool difference) {
  const auto heads = options.heads;
  for (int64_t time : options.quick ? std::vector<int64_t>{20} : std::vector<int64_t>{256, 1024, 4096, 16384}) {
    const int64_t batch = std::max<int64_t>(1, options.tokens / time), pairs = time * (time + 1) / 2;
    const auto values = static_cast<double>(batch * time * channels);
    Pair pair;
    pair.common.family = difference ? "diff_attention" : "long_attention";
    pair.common.shape = {{"B", batch}, {"T", time}, {"C", channels}, {"H", difference ? heads : 2 * heads}};
    // The gradient of lambda is a sum over all rows and heads.
    pair.common.bound = boundOf(static_cast<double>(time) + (difference ? std::sqrt(4 * values) : channels / heads));
    pair.flops = 4.0 * static_cast<double>(batch * pairs * channels);
    pair.reads[0] = 3 * values, pair.writes[0] = values;
    pair.reads[1] = 5 * values, pair.writes[1] = 3 * values;
    pair.goals[0] = pair.goals[1] = difference ? 2.0 : 1.2;
    pair.spec.statics = {{'h', heads}, {'d', channels / heads / 2}};
    char scale[32];
    std::snprintf(scale, sizeof(scale), "%.9e", 1 / std::sqrt(static_cast<double>(channels / heads / 2)));
    const std::string rows = "[B,T,h*d*2]",
                      maps = "lse[B,h*2,T] = ", tail = std::string("scale = ") + scale + " : f32}";
    pair.spec.op = {.name = pair.common.family,
                    .arguments = "q" + rows + " k" + rows + " v" + rows + (difference ? " lambda[]" : ""),
                    .body = "y" + rows + " " + maps +
                            (difference ? "diff_attention %q, %k, %v lambda %lambda causal {heads = <h> : i64, "
                                        : "attention %q, %k, %v causal {heads = <h*2> : i64, ") +
                            tail,
                    .results = "y",
                    .gradients = "y"};
    pair.spec.peerInputs = difference ? 4 : 3;
    pair.spec.threads = options.threads;
    pair.spec.formulations =
        difference ? diffAttentionFormulations(heads) : attentionFormulations(2 * heads, /*causal=*/true);
    // With all scores in memory: gigabytes, then.
    if (time > 4096)
      std::erase_if(pair.spec.formulations, [](const Formulation &one) { return one.name == "explicit"; });
    pair.add(cases, [=] {
      std::vector<std::pair<std::string, Tensor>> inputs;
      for (const char *name : {"q", "k", "v"})
        inputs.emplace_back(name, numbers({batch, time, channels}));
      if (difference)
        inputs.emplace_back("lambda", at::full({}, 0.5, at::kFloat));
      return inputs;
    });
  }
}

/// Adaptive span: T queries with L steps of memory, of which all heads see Z.
void addSpanAttention(std::vector<Case> &cases, const CaseOptions &options) {
  const int64_t heads = 8, time = options.quick ? 64 : 512, longest = options.quick ? 128 : 1024, ramp = 32;
  const int64_t batch = std::max<int64_t>(1, options.tokens / time / 4), keys = time + longest;
  for (int64_t span : {longest, longest / 4, longest / 16}) {
    const auto queries = static_cast<double>(batch * time * channels), memory = queries / time * keys;
    Pair pair;
    pair.common.family = "span_attention";
    pair.common.shape = {{"B", batch}, {"T", time}, {"C", channels}, {"H", heads}, {"L", longest}, {"Z", span}};
    // The gradients of positions and spans are sums over all rows.
    pair.common.bound = boundOf(static_cast<double>(longest) + std::sqrt(4 * queries));
    pair.flops = 6.0 * queries * static_cast<double>(std::min(span + ramp, longest));
    pair.reads[0] = queries + 2 * memory, pair.writes[0] = queries;
    pair.reads[1] = 3 * queries + 2 * memory, pair.writes[1] = queries + 2 * memory;
    pair.goals[0] = pair.goals[1] = 2;
    pair.spec.statics = {{'h', heads}, {'d', channels / heads}};
    char attributes[160];
    std::snprintf(attributes, sizeof(attributes),
                  "scale = %.9e : f32, nearest = 1 : i64, span_unit = %ld : i64, ramp = %ld : i64}",
                  1 / std::sqrt(static_cast<double>(channels / heads)), static_cast<long>(longest),
                  static_cast<long>(ramp));
    pair.spec.op = {.name = "relative_attention",
                    .arguments = "q[B,T,h*d] k[B,S,h*d] v[B,S,h*d] r[L,d] z[h]",
                    .body =
                        "y[B,T,h*d] lse[B,h,T] = relative_attention %q, %q, %k, %v, %r span %z {heads = <h> : i64, " +
                        std::string(attributes),
                    .results = "y",
                    .gradients = "y"};
    pair.spec.peerInputs = 5;
    pair.spec.threads = options.threads;
    pair.spec.formulations = spanAttentionFormulations(heads, ramp);
    pair.add(cases, [=] {
      return std::vector<std::pair<std::string, Tensor>>{
          {"q", numbers({batch, time, channels})},
          {"k", numbers({batch, keys, channels})},
          {"v", numbers({batch, keys, channels})},
          {"r", numbers({longest, channels / heads})},
          {"z", at::full({heads}, static_cast<double>(span) / static_cast<double>(longest), at::kFloat)}};
    });
  }
}

} // namespace

std::string Case::name() const {
  std::string text = family + " " + direction;
  for (const auto &[letter, extent] : shape)
    text += " " + letter + "=" + std::to_string(extent);
  return text;
}

std::vector<Case> makeCases(const CaseOptions &options) {
  std::vector<Case> cases;
  for (bool dynamic : {false, true})
    addConvs(cases, options, dynamic);
  addNorm(cases, options);
  addProjection(cases, options);
  for (bool causal : {true, false})
    addAttention(cases, options, causal);
  for (bool difference : {false, true})
    addLongAttention(cases, options, difference);
  addSpanAttention(cases, options);
  return cases;
}

void prepareTorch(int threads) {
  at::set_num_threads(threads);
  at::manual_seed(1);
}

std::string torchVersion() { return TORCH_VERSION; }

} // namespace bifocal::bench
