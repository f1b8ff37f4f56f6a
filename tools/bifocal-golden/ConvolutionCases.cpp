// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/IrText.h"

#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;

namespace {
/// The sizes and switches of one convolution file.
struct Convolution {
  explicit Convolution(const GoldenFile &file)
      : dynamic(file.hparams.value("op", "") == "conv.dynamic"), taps(file.integer("kernel_size")),
        padding(file.integer("padding_l")), heads(file.integer("num_heads")), channels(file.integer("channels")),
        batch(file.integer("B")), steps(file.integer("T")), softmax(file.flag("weight_softmax")),
        renormalized(file.flag("renorm_padding")), joint(file.flag("in_proj")), query(file.has("input.query")),
        linearBias(file.has("param.weight_linear.bias")), bias(file.has(dynamic ? "param.conv_bias" : "param.bias")) {}

  bool dynamic;
  int64_t taps, padding, heads, channels, batch, steps;
  bool softmax, renormalized, joint, query, linearBias, bias;
};

using Tensors = std::map<std::string, HostTensor>;
} // namespace

static std::string number(int64_t value) { return std::to_string(value); }

/// The taps of a dynamic convolution, or the weight of a light one, behind the softmax.
static IrText::Value tapsOf(IrText &text, const Convolution &conv, const IrText::Value &input, IrText::Value &values,
                            bool softmax) {
  if (!conv.dynamic) {
    IrText::Value weight = text.argument("weight", {number(conv.heads), "1", number(conv.taps)});
    return softmax ? text.softmax(weight, conv.taps) : weight;
  }
  std::string in = input.dims.back(), out = number(conv.heads * conv.taps);
  if (conv.joint) {
    // The joint projection is cut in two: its first rows make the values.
    IrText::Value weight = text.argument("values.weight", {number(conv.channels), in});
    IrText::Value bias = text.argument("values.bias", {number(conv.channels)});
    values = text.linear(input, weight, &bias);
  }
  IrText::Value weight = text.argument("weight_linear.weight", {out, in}), taps;
  if (conv.linearBias) {
    IrText::Value bias = text.argument("weight_linear.bias", {out});
    taps = text.linear(input, weight, &bias);
  } else {
    taps = text.linear(input, weight, nullptr);
  }
  return softmax ? text.softmax(taps, conv.taps) : taps;
}

/// The function @conv on whole sequences, or @step on one step of each row.
static std::string convolutionText(const Convolution &conv, int64_t queryChannels, bool step, bool compat) {
  IrText text;
  std::vector<std::string> leading = step ? std::vector<std::string>{"N"} : std::vector<std::string>{"B", "T"};
  auto sequence = [&](std::string_view name, int64_t channels) {
    std::vector<std::string> dims = leading;
    dims.push_back(number(channels));
    return text.argument(name, dims);
  };
  IrText::Value values = sequence("x", conv.channels);
  IrText::Value input = conv.query ? sequence("query", queryChannels) : values;
  // What depends on the edges cannot be taken out of the convolution.
  bool inside = conv.renormalized || compat;
  IrText::Value taps = tapsOf(text, conv, input, values, conv.softmax && !inside);
  std::vector<IrText::Value> operands{values, taps};
  std::string op =
      fmt::format("{}_conv{} {}, {}", conv.dynamic ? "dynamic" : "light", step ? "_step" : "", values.name, taps.name);
  if (conv.bias) {
    operands.push_back(text.argument(conv.dynamic ? "conv_bias" : "bias", {number(conv.channels)}));
    op += " bias " + operands.back().name;
  }
  if (step) {
    IrText::Value ancestors = text.argument("ancestors", {"N", "P"}, "i32"), index = text.argument("step", {}, "i32");
    operands.insert(operands.end(), {ancestors, index});
    op += fmt::format(" cache @cache ancestors {} step {}", ancestors.name, index.name);
  }
  if (inside)
    op += conv.renormalized ? " normalized renormalized" : " normalized compat";
  std::string attributes = conv.dynamic ? fmt::format("heads = {} : i64", conv.heads) : "";
  if (!step)
    attributes += fmt::format("{}left_padding = {} : i64", attributes.empty() ? "" : ", ", conv.padding);
  if (!attributes.empty())
    op += " {" + attributes + "}";
  IrText::Value output = text.emitLike(op, operands, values);
  return text.function(step ? "step" : "conv", {{"y", output}}, /*gradient=*/!step && !compat);
}

/// Parameters by argument name; the joint projection is cut in two.
static Tensors parametersOf(const GoldenFile &file, const Convolution &conv, const std::string &prefix) {
  Tensors tensors;
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with(prefix))
      continue;
    std::string shortName = name.substr(prefix.size());
    if (!conv.joint || !shortName.starts_with("weight_linear.")) {
      tensors[shortName] = HostTensor::ofFloats(tensor.shape, tensor.values);
      continue;
    }
    int64_t row = static_cast<int64_t>(tensor.values.size()) / tensor.shape[0];
    std::span<const float> all(tensor.values);
    std::vector<int64_t> head = tensor.shape, tail = tensor.shape;
    head[0] = conv.channels;
    tail[0] -= conv.channels;
    tensors["values." + shortName.substr(14)] = HostTensor::ofFloats(head, all.first(conv.channels * row));
    tensors[shortName] = HostTensor::ofFloats(tail, all.subspan(conv.channels * row));
  }
  return tensors;
}

static HostTensor batchFirst(const GoldenTensor &tensor) {
  GoldenTensor swapped = swapFirstAxes(tensor);
  return HostTensor::ofFloats(swapped.shape, swapped.values);
}

static Status compareSequences(const GoldenFile &file, const Convolution &conv, int64_t queryChannels,
                               Comparison &comparison) {
  auto module = CompiledModule::ofText(convolutionText(conv, queryChannels, false, false));
  if (!module.ok())
    return module.status();
  Tensors tensors = parametersOf(file, conv, "param."), expected = parametersOf(file, conv, "grad.");
  tensors["x"] = batchFirst(file["input.x"]);
  expected["x"] = batchFirst(file["grad_input.x"]);
  if (conv.query) {
    tensors["query"] = batchFirst(file["input.query"]);
    expected["query"] = batchFirst(file["grad_input.query"]);
  }
  std::map<std::string, HostTensor *> arguments;
  Tensors gradients;
  for (auto &[name, tensor] : tensors) {
    arguments[name] = &tensor;
    gradients[name] = HostTensor::zeros(tensor.shape);
    arguments[name + "_grad"] = &gradients[name];
  }
  HostTensor outputGradient = batchFirst(file["input.grad_output"]), output = HostTensor::zeros(outputGradient.shape);
  arguments["y_grad"] = &outputGradient;
  arguments["y"] = &output;
  BIFOCAL_RETURN_IF_ERROR((*module)->run("conv_gradient", arguments));
  comparison.relative("output.y", output.floats(), batchFirst(file["output.y"]).floats(), outputBound);
  for (auto &[name, gradient] : expected)
    comparison.relative("grad." + name, gradients[name].floats(), gradient.floats(), gradientBound, 0.1);
  return {};
}

/// The published scriptable class: where T < K, the softmax is taken over the last T taps.
static Status compareCompatible(const GoldenFile &file, const Convolution &conv, Comparison &comparison) {
  auto module = CompiledModule::ofText(convolutionText(conv, conv.channels, false, true));
  if (!module.ok())
    return module.status();
  Tensors tensors = parametersOf(file, conv, "param.");
  tensors["x"] = batchFirst(file["input.x"]);
  tensors["y"] = HostTensor::zeros(tensors["x"].shape);
  std::map<std::string, HostTensor *> arguments;
  for (auto &[name, tensor] : tensors)
    arguments[name] = &tensor;
  BIFOCAL_RETURN_IF_ERROR((*module)->run("conv", arguments));
  comparison.relative("output.y_unfolded_head", tensors["y"].floats(),
                      batchFirst(file["output.y_unfolded_head"]).floats(), outputBound);
  return {};
}

/// Runs the steps one by one; rows change places by `order` before step `reorderAt`.
static Status compareSteps(const GoldenFile &file, const Convolution &conv, int64_t queryChannels,
                           const std::string &expectedName, int64_t reorderAt, Comparison &comparison) {
  std::string state =
      fmt::format("bifocal.state @cache : tensor<{}x?x{}xf32> dims [\"\", \"R\", \"\"]\n", conv.taps, conv.channels);
  auto module = CompiledModule::ofText(state + convolutionText(conv, queryChannels, true, false));
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR((*module)->session().sizeStates({{"R", conv.batch}, {"P", conv.steps}}));
  Tensors tensors = parametersOf(file, conv, "param.");
  std::vector<int64_t> ancestors(conv.batch * conv.steps);
  const GoldenTensor &x = file["input.x"], &query = file["input.query"];
  std::vector<float> found;
  for (int64_t step = 0; step < conv.steps; ++step) {
    for (int64_t row = 0; row < conv.batch; ++row)
      for (int64_t past = 0; past < conv.steps; ++past)
        ancestors[row * conv.steps + past] =
            reorderAt > 0 && step >= reorderAt && past < reorderAt ? file["input.new_order"].integers[row] : row;
    int64_t size = conv.batch * conv.channels, one = step;
    tensors["x"] = HostTensor::ofFloats({conv.batch, conv.channels}, std::span(x.values).subspan(step * size, size));
    if (conv.query)
      tensors["query"] = HostTensor::ofFloats(
          {conv.batch, queryChannels},
          std::span(query.values).subspan(step * conv.batch * queryChannels, conv.batch * queryChannels));
    tensors["ancestors"] = HostTensor::ofInts({conv.batch, conv.steps}, ancestors);
    tensors["step"] = HostTensor::ofInts({}, {&one, 1});
    tensors["y"] = HostTensor::zeros({conv.batch, conv.channels});
    std::map<std::string, HostTensor *> arguments;
    for (auto &[name, tensor] : tensors)
      arguments[name] = &tensor;
    BIFOCAL_RETURN_IF_ERROR((*module)->run("step", arguments));
    std::span<const float> output = tensors["y"].floats();
    found.insert(found.end(), output.begin(), output.end());
  }
  comparison.relative(expectedName, found, file[expectedName].values, outputBound);
  return {};
}

Status golden::compareConvolution(const GoldenFile &file, Comparison &comparison) {
  Convolution conv(file);
  int64_t queryChannels = conv.query ? file["input.query"].shape.back() : conv.channels;
  BIFOCAL_RETURN_IF_ERROR(compareSequences(file, conv, queryChannels, comparison));
  if (file.has("output.y_unfolded_head"))
    BIFOCAL_RETURN_IF_ERROR(compareCompatible(file, conv, comparison));
  if (file.has("output.y_incremental"))
    BIFOCAL_RETURN_IF_ERROR(compareSteps(file, conv, queryChannels, "output.y_incremental", 0, comparison));
  if (file.has("output.y_incremental_reordered"))
    BIFOCAL_RETURN_IF_ERROR(compareSteps(file, conv, queryChannels, "output.y_incremental_reordered",
                                         file.integer("reorder_before_step"), comparison));
  return {};
}
