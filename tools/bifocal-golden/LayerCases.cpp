// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/IrText.h"

#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;

namespace {
/// Writes a published encoder or decoder layer; its parameters are arguments named as in the state dict.
class LayerText {
public:
  explicit LayerText(const GoldenFile &file)
      : file(file), encoder(file.hparams.value("module", "") == "LightConvEncoderLayer"),
        pre(file.flag("normalize_before")), heads(file.integer("num_heads")), dim(file.integer("embed_dim")) {}

  std::string write();

private:
  IrText::Value parameter(const std::string &name);
  IrText::Value linear(const IrText::Value &x, const std::string &name);
  IrText::Value convolution(const IrText::Value &x);
  IrText::Value attention(const IrText::Value &x);
  template <typename Body> IrText::Value residual(const IrText::Value &x, const std::string &norm, Body body);

  const GoldenFile &file;
  bool encoder, pre;
  int64_t heads, dim;
  IrText text;
  IrText::Value mask, source;
};
} // namespace

IrText::Value LayerText::parameter(const std::string &name) {
  std::vector<std::string> dims;
  for (int64_t dim : file["param." + name].shape)
    dims.push_back(std::to_string(dim));
  return text.argument(name, dims);
}

IrText::Value LayerText::linear(const IrText::Value &x, const std::string &name) {
  IrText::Value weight = parameter(name + ".weight"), bias = parameter(name + ".bias");
  return text.linear(x, weight, &bias);
}

template <typename Body> IrText::Value LayerText::residual(const IrText::Value &x, const std::string &norm, Body body) {
  IrText::Value scale = parameter(norm + ".weight"), bias = parameter(norm + ".bias");
  IrText::Value inner = body(pre ? text.layerNorm(x, scale, bias) : x);
  IrText::Value sum = text.add(x, inner);
  return pre ? sum : text.layerNorm(sum, scale, bias);
}

IrText::Value LayerText::convolution(const IrText::Value &input) {
  IrText::Value x = linear(input, "linear1");
  if (file.flag("glu"))
    x = text.glu(x);
  if (encoder && !mask.name.empty())
    x = text.emitLike(fmt::format("mask_padding {}, {}", x.name, mask.name), {x, mask}, x);
  int64_t taps = file.integer("kernel_size");
  bool dynamic = file.hparams.value("conv_type", "") == "dynamic";
  IrText::Value weight =
      dynamic ? text.linear(x, parameter("conv.weight_linear.weight"), nullptr) : parameter("conv.weight");
  if (file.flag("weight_softmax"))
    weight = text.softmax(weight, taps);
  std::string headsText = dynamic ? fmt::format("heads = {} : i64, ", heads) : "";
  x = text.emitLike(fmt::format("{}_conv {}, {} {{{}left_padding = {} : i64}}", dynamic ? "dynamic" : "light", x.name,
                                weight.name, headsText, file.integer("padding_l")),
                    {x, weight}, x);
  return linear(x, "linear2");
}

IrText::Value LayerText::attention(const IrText::Value &input) {
  IrText::Value query = linear(input, "encoder_attn.q_proj"), key = linear(source, "encoder_attn.k_proj");
  IrText::Value value = linear(source, "encoder_attn.v_proj"), lse{"", {"?", std::to_string(heads), "?"}};
  std::vector<IrText::Value> operands{query, key, value};
  std::string op = fmt::format("attention {}, {}, {}", query.name, key.name, value.name);
  if (!mask.name.empty()) {
    op += " mask " + mask.name;
    operands.push_back(mask);
  }
  op += fmt::format(" {{heads = {} : i64, scale = {:.9e} : f32}}", heads,
                    1 / std::sqrt(static_cast<double>(dim) / heads));
  return linear(text.emit(op, operands, {query, lse}).front(), "encoder_attn.out_proj");
}

std::string LayerText::write() {
  IrText::Value x = text.argument("x", {"B", "T", std::to_string(dim)});
  bool cross = !encoder && !file.flag("no_encoder_attn");
  if (cross)
    source = text.argument("encoder_out", {"B", "S", std::to_string(dim)});
  if (file.has("input.encoder_padding_mask"))
    mask = text.argument("mask", {"B", encoder ? "T" : "S"}, "i1");
  x = residual(x, encoder ? "layer_norm1" : "conv_layer_norm",
               [&](const IrText::Value &in) { return convolution(in); });
  if (cross)
    x = residual(x, "encoder_attn_layer_norm", [&](const IrText::Value &in) { return attention(in); });
  x = residual(x, encoder ? "layer_norm2" : "final_layer_norm",
               [&](const IrText::Value &in) { return linear(text.relu(linear(in, "fc1")), "fc2"); });
  return text.function("layer", {{"y", x}}, /*gradient=*/true);
}

/// Real steps only: what stands at padded ones is nobody's result.
static std::vector<float> realRows(std::span<const float> values, const std::vector<int64_t> &real) {
  if (real.empty())
    return {values.begin(), values.end()};
  std::vector<float> rows;
  size_t width = values.size() / real.size();
  for (size_t i = 0; i < real.size(); ++i)
    if (real[i])
      rows.insert(rows.end(), values.begin() + i * width, values.begin() + (i + 1) * width);
  return rows;
}

Status golden::compareLayer(const GoldenFile &file, Comparison &comparison) {
  bool encoder = file.hparams.value("module", "") == "LightConvEncoderLayer";
  auto module = CompiledModule::ofText(LayerText(file).write());
  if (!module.ok())
    return module.status();
  std::map<std::string, HostTensor> tensors, gradients;
  std::map<std::string, std::vector<float>> expected;
  for (const auto &[name, tensor] : file.tensors) {
    if (name.starts_with("param."))
      tensors[name.substr(6)] = HostTensor::ofFloats(tensor.shape, tensor.values);
    if (name == "input.x" || name == "input.encoder_out") {
      GoldenTensor swapped = swapFirstAxes(tensor);
      tensors[name.substr(6)] = HostTensor::ofFloats(swapped.shape, swapped.values);
    }
    if (name.starts_with("grad."))
      expected[name.substr(5)] = tensor.values;
    if (name.starts_with("grad_input."))
      expected[name.substr(11)] = swapFirstAxes(tensor).values;
  }
  std::map<std::string, HostTensor *> arguments;
  for (auto &[name, tensor] : tensors) {
    arguments[name] = &tensor;
    gradients[name] = HostTensor::zeros(tensor.shape);
    arguments[name + "_grad"] = &gradients[name];
  }
  HostTensor mask;
  std::vector<int64_t> real;
  if (file.has("input.encoder_padding_mask")) {
    for (int64_t pad : file["input.encoder_padding_mask"].integers)
      real.push_back(!pad);
    mask = HostTensor::ofBools(file["input.encoder_padding_mask"].shape, real);
    arguments["mask"] = &mask;
  }
  GoldenTensor outputGradient = swapFirstAxes(file["input.grad_output"]);
  HostTensor gradient = HostTensor::ofFloats(outputGradient.shape, outputGradient.values);
  HostTensor output = HostTensor::zeros(outputGradient.shape);
  arguments["y_grad"] = &gradient;
  arguments["y"] = &output;
  BIFOCAL_RETURN_IF_ERROR((*module)->run("layer_gradient", arguments));
  std::vector<int64_t> outputRows = encoder ? real : std::vector<int64_t>();
  comparison.relative("output.y", realRows(output.floats(), outputRows),
                      realRows(swapFirstAxes(file["output.y"]).values, outputRows), outputBound);
  for (auto &[name, values] : expected)
    comparison.relative("grad." + name, gradients[name].floats(), values, gradientBound, 0.1);
  return {};
}
