// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Adaptive span without its projections: queries and cached keys and values by head, positions, spans.

#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/IrText.h"

#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;

namespace {
struct SpanModule {
  explicit SpanModule(const GoldenFile &file)
      : batch(file.integer("B")), heads(file.integer("heads")), width(file.integer("head_dim")),
        span(file.integer("attn_span")), ramp(file.integer("ramp")), block(file.integer("block")),
        keys(block + std::max(file.integer("cache"), file.integer("effective_length"))) {}

  int64_t batch, heads, width, span, ramp, block;
  int64_t keys; ///< with the zeros in front of a cache that is shorter than what a query reads
};
} // namespace

/// Rows [B heads, steps, D] as [B, `all`, heads D], with zeros in front.
static HostTensor headsAsChannels(const GoldenTensor &tensor, const SpanModule &module, int64_t all) {
  std::vector<float> result(static_cast<size_t>(module.batch * all * module.heads * module.width));
  const int64_t steps = tensor.shape[1];
  for (int64_t row = 0; row < module.batch * module.heads; ++row)
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t to = (row / module.heads * all + all - steps + step) * module.heads + row % module.heads;
      std::copy_n(&tensor.values[static_cast<size_t>((row * steps + step) * module.width)], module.width,
                  &result[static_cast<size_t>(to * module.width)]);
    }
  return HostTensor::ofFloats({module.batch, all, module.heads * module.width}, result);
}

/// [1, D, L], the farthest position first, as [L, D], the nearest first.
static HostTensor positionRows(const GoldenTensor &tensor, const SpanModule &module) {
  std::vector<float> result(static_cast<size_t>(module.span * module.width));
  for (int64_t distance = 1; distance <= module.span; ++distance)
    for (int64_t channel = 0; channel < module.width; ++channel)
      result[static_cast<size_t>((distance - 1) * module.width + channel)] =
          tensor.values[static_cast<size_t>(channel * module.span + module.span - distance)];
  return HostTensor::ofFloats({module.span, module.width}, result);
}

static std::string moduleText(const SpanModule &module) {
  IrText text;
  const std::string channels = std::to_string(module.heads * module.width), heads = std::to_string(module.heads);
  IrText::Value query = text.argument("query", {"B", "T", channels}), key = text.argument("key", {"B", "S", channels}),
                value = text.argument("value", {"B", "S", channels});
  IrText::Value positions = text.argument("key_pe", {std::to_string(module.span), std::to_string(module.width)});
  IrText::Value span = text.argument("span", {heads, "1", "1"}), lse{"", {"?", heads, "?"}};
  IrText::Value y =
      text.emit(fmt::format("relative_attention {0}, {0}, {1}, {2}, {3} span {4} {{heads = {5} : i64, scale = {6:.9e} "
                            ": f32, nearest = 1 : i64, span_unit = {7} : i64, ramp = {8} : i64}}",
                            query.name, key.name, value.name, positions.name, span.name, module.heads,
                            1 / std::sqrt(static_cast<double>(module.width)), module.span, module.ramp),
                {query, query, key, value, positions, span}, {query, lse})
          .front();
  return text.function("module", {{"y", y}}, /*gradient=*/true);
}

Status golden::compareSpanAttention(const GoldenFile &file, Comparison &comparison) {
  const SpanModule module(file);
  auto compiled = CompiledModule::ofText(moduleText(module));
  if (!compiled.ok())
    return compiled.status();
  const std::string spanName = "adaptive_span._mask.current_val";
  auto tensorOf = [&](const std::string &name, const std::string &prefix) {
    if (name == "key_pe")
      return positionRows(file[prefix + name], module);
    return headsAsChannels(file[prefix + name], module, name == "query" ? module.block : module.keys);
  };
  std::map<std::string, HostTensor> tensors, gradients;
  for (const char *name : {"query", "key", "value", "key_pe"})
    tensors[name] = tensorOf(name, "input.");
  tensors["span"] = HostTensor::ofFloats(file["param." + spanName].shape, file["param." + spanName].values);
  HostTensor output = HostTensor::zeros(tensors["query"].shape),
             outputGradient = headsAsChannels(file["input.grad_output"], module, module.block);
  std::map<std::string, HostTensor *> arguments{{"y", &output}, {"y_grad", &outputGradient}};
  for (auto &[name, tensor] : tensors) {
    gradients[name] = HostTensor::zeros(tensor.shape);
    arguments[name] = &tensor;
    arguments[name + "_grad"] = &gradients[name];
  }
  BIFOCAL_RETURN_IF_ERROR((*compiled)->run("module_gradient", arguments));
  comparison.relative("output.y", output.floats(), headsAsChannels(file["output.y"], module, module.block).floats(),
                      outputBound);
  for (const char *name : {"query", "key", "value", "key_pe"}) {
    HostTensor expected = tensorOf(name, "grad_input.");
    std::vector<float> found(gradients[name].floats().begin(), gradients[name].floats().end());
    // What is computed for the zeros in front of a short cache is nobody's gradient.
    const int64_t rows = name == std::string("key") || name == std::string("value") ? file["input.key"].shape[1] : 0;
    const int64_t channels = module.heads * module.width;
    for (int64_t sentence = 0; rows > 0 && sentence < module.batch; ++sentence)
      std::fill_n(&found[static_cast<size_t>(sentence * module.keys * channels)], (module.keys - rows) * channels,
                  0.0F);
    comparison.relative(std::string("grad_input.") + name, found, expected.floats(), gradientBound);
  }
  comparison.relative("grad." + spanName, gradients["span"].floats(), file["grad." + spanName].values, gradientBound);
  return {};
}
