// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lite Transformer's module of branches, alone and in layers: written in ops of the dialect as the published code has
// it, padding masked before the first linear.
#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/IrText.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <sstream>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

namespace {
struct Branch {
  std::string kind; ///< attn, lightweight or dynamic
  int64_t kernel, dim, heads, padding;
  bool glu;
};

/// The branches of a file: written out, or as published specs such as "dynamic:default:8:4".
std::vector<Branch> branchesOf(const GoldenFile &file) {
  std::vector<Branch> branches;
  for (const json &entry : file.hparams.value("branches", json::array()))
    branches.push_back(
        {entry["type"], entry["kernel"], entry["dim"], entry["heads"], entry["padding_l"], entry["glu"]});
  const bool causal = file.hparams.value("kind", "") == "lsra_decoder_layer";
  for (const json &entry : file.hparams.value("branch_type", json::array())) {
    std::vector<std::string> parts;
    std::stringstream stream(entry.get<std::string>());
    for (std::string part; std::getline(stream, part, ':');)
      parts.push_back(part);
    const int64_t kernel = parts[1] == "default" ? file.integer("kernel") : std::stoll(parts[1]);
    branches.push_back({parts[0], kernel, std::stoll(parts[2]), std::stoll(parts[3]), causal ? kernel - 1 : kernel / 2,
                        file.flag("glu")});
  }
  return branches;
}

/// Writes the module or a layer; parameters are arguments named as in the state dict.
class BranchText {
public:
  explicit BranchText(const GoldenFile &file)
      : file(file), branches(branchesOf(file)), kind(file.hparams.value("kind", "")), dim(file.integer("d")),
        causal(file.flag("causal") || kind == "lsra_decoder_layer") {}

  std::string write();

private:
  using Value = IrText::Value;

  Value parameter(const std::string &name);
  Value linear(const Value &x, const std::string &name);
  Value attend(const Value &input, const Value &source, const std::string &prefix, int64_t heads, int64_t width,
               const Value &hidden, bool isCausal);
  Value convolve(const Value &input, const Branch &branch, const std::string &prefix);
  Value mix(const Value &input, const std::string &prefix);
  template <typename Body> Value residual(const Value &x, const std::string &norm, Body body);

  const GoldenFile &file;
  std::vector<Branch> branches;
  std::string kind;
  int64_t dim;
  bool causal;
  IrText text;
  Value mask; ///< of the input's real steps
  /// What decoding keeps.
  std::vector<std::pair<std::string, Value>> kept;
};
} // namespace

IrText::Value BranchText::parameter(const std::string &name) {
  std::vector<std::string> dims;
  for (int64_t size : file["param." + name].shape)
    dims.push_back(std::to_string(size));
  return text.argument(name, dims);
}

IrText::Value BranchText::linear(const Value &x, const std::string &name) {
  Value weight = parameter(name + ".weight"), bias = parameter(name + ".bias");
  return text.linear(x, weight, &bias);
}

template <typename Body> IrText::Value BranchText::residual(const Value &x, const std::string &norm, Body body) {
  Value scale = parameter(norm + ".weight"), bias = parameter(norm + ".bias");
  if (file.flag("normalize_before"))
    return text.add(x, body(text.layerNorm(x, scale, bias)));
  return text.layerNorm(text.add(x, body(x)), scale, bias);
}

IrText::Value BranchText::attend(const Value &input, const Value &source, const std::string &prefix, int64_t heads,
                                 int64_t width, const Value &hidden, bool isCausal) {
  Value query = linear(input, prefix + "q_proj"), key = linear(source, prefix + "k_proj");
  Value value = linear(source, prefix + "v_proj"), lse{"", {"?", std::to_string(heads), "?"}};
  std::vector<Value> operands{query, key, value};
  std::string op = fmt::format("attention {}, {}, {}", query.name, key.name, value.name);
  if (!hidden.name.empty()) {
    op += " mask " + hidden.name;
    operands.push_back(hidden);
  }
  op += fmt::format("{} {{heads = {} : i64, scale = {:.9e} : f32}}", isCausal ? " causal" : "", heads,
                    1 / std::sqrt(static_cast<double>(width) / static_cast<double>(heads)));
  if (isCausal) {
    kept.emplace_back(prefix + "prev_key", key);
    kept.emplace_back(prefix + "prev_value", value);
  }
  return linear(text.emit(op, operands, {query, lse}).front(), prefix + "out_proj");
}

IrText::Value BranchText::convolve(const Value &input, const Branch &branch, const std::string &prefix) {
  Value x = input;
  if (!mask.name.empty())
    x = text.emitLike(fmt::format("mask_padding {}, {}", x.name, mask.name), {x, mask}, x);
  x = linear(x, prefix + "linear1");
  const bool dynamic = branch.kind == "dynamic";
  if (dynamic && branch.glu)
    x = text.glu(x);
  if (causal)
    kept.emplace_back(prefix + "input_buffer", x);
  Value weight =
      dynamic ? text.linear(x, parameter(prefix + "weight_linear.weight"), nullptr) : parameter(prefix + "weight");
  weight = text.softmax(weight, branch.kernel);
  std::string heads = dynamic ? fmt::format("heads = {} : i64, ", branch.heads) : "";
  x = text.emitLike(fmt::format("{}_conv {}, {} {{{}left_padding = {} : i64}}", dynamic ? "dynamic" : "light", x.name,
                                weight.name, heads, branch.padding),
                    {x, weight}, x);
  return linear(x, prefix + "linear2");
}

IrText::Value BranchText::mix(const Value &input, const std::string &prefix) {
  std::vector<Value> slices, outputs;
  for (const Branch &branch : branches) {
    slices.push_back(input);
    slices.back().dims.back() = std::to_string(branch.dim);
  }
  slices = text.emit("split " + input.name, {input}, slices);
  std::string names;
  for (size_t i = 0; i < branches.size(); ++i) {
    const std::string place = fmt::format("{}branches.{}.", prefix, i);
    outputs.push_back(branches[i].kind == "attn"
                          ? attend(slices[i], slices[i], place, branches[i].heads, branches[i].dim, mask, causal)
                          : convolve(slices[i], branches[i], place));
    names += (i == 0 ? "" : ", ") + outputs.back().name;
  }
  return text.emitLike("concat " + names, outputs, input);
}

std::string BranchText::write() {
  Value x = text.argument("x", {"B", "T", std::to_string(dim)}), memory, memoryMask;
  const bool attendsToMemory = kind == "lsra_decoder_layer" && !file.flag("no_encoder_attn");
  if (file.has("input.key_padding_mask") || file.has("input.encoder_padding_mask"))
    mask = text.argument("mask", {"B", "T"}, "i1");
  if (attendsToMemory)
    memory = text.argument("memory", {"B", "S", std::to_string(dim)});
  if (file.has("input.memory_padding_mask"))
    memoryMask = text.argument("memory_mask", {"B", "S"}, "i1");
  if (kind == "lsra_multibranch") {
    x = mix(x, "");
  } else {
    x = residual(x, "self_attn_layer_norm", [&](const Value &in) { return mix(in, "self_attn."); });
    if (attendsToMemory)
      x = residual(x, "encoder_attn_layer_norm", [&](const Value &in) {
        return attend(in, memory, "encoder_attn.", file.integer("cross_heads"), dim, memoryMask, /*isCausal=*/false);
      });
    x = residual(x, "final_layer_norm", [&](const Value &in) { return linear(text.relu(linear(in, "fc1")), "fc2"); });
  }
  std::string gradient = text.function("layer", {{"y", x}}, /*gradient=*/true);
  std::vector<std::pair<std::string, Value>> results{{"y", x}};
  results.insert(results.end(), kept.begin(), kept.end());
  return gradient + text.function("states", results, /*gradient=*/false);
}

namespace {
/// The tensors of a file as arguments of its entries.
struct Arguments {
  explicit Arguments(const GoldenFile &file);
  std::map<std::string, HostTensor *> all();

  std::map<std::string, HostTensor> tensors, gradients;
  std::map<std::string, std::vector<float>> expected;
  HostTensor outputGradient, output;
};
} // namespace

Arguments::Arguments(const GoldenFile &file) {
  auto add = [&](const std::string &name, const GoldenTensor &tensor) {
    tensors[name] = HostTensor::ofFloats(tensor.shape, tensor.values);
    gradients[name] = HostTensor::zeros(tensor.shape);
  };
  for (const auto &[name, tensor] : file.tensors) {
    if (name.starts_with("param."))
      add(name.substr(6), tensor);
    if (name == "input.x" || name == "input.memory")
      add(name.substr(6), swapFirstAxes(tensor));
    if (name.starts_with("grad."))
      expected[name.substr(5)] = tensor.values;
    if (name.starts_with("grad_input."))
      expected[name.substr(11)] = swapFirstAxes(tensor).values;
    if (!name.ends_with("_padding_mask"))
      continue;
    std::vector<int64_t> real;
    for (int64_t pad : tensor.integers)
      real.push_back(!pad);
    tensors[name == "input.memory_padding_mask" ? "memory_mask" : "mask"] = HostTensor::ofBools(tensor.shape, real);
  }
  const GoldenTensor gradient = swapFirstAxes(file["input.grad_output"]);
  outputGradient = HostTensor::ofFloats(gradient.shape, gradient.values);
  output = HostTensor::zeros(gradient.shape);
}

std::map<std::string, HostTensor *> Arguments::all() {
  std::map<std::string, HostTensor *> arguments{{"y_grad", &outputGradient}, {"y", &output}};
  for (auto &[name, tensor] : tensors)
    arguments[name] = &tensor;
  for (auto &[name, tensor] : gradients)
    arguments[name + "_grad"] = &tensor;
  return arguments;
}

/// What the published cache holds after the last step, from what the whole sequence has: keys and values [B, T, C] as
/// [B, H, T, C / H], inputs of a convolution [B, T, C] as [1, B, C, the last K - 1 steps].
static std::vector<float> asPublished(std::span<const float> sequence, const GoldenTensor &state, int64_t steps,
                                      bool keys) {
  std::vector<float> values(state.values.size());
  const std::vector<int64_t> &shape = state.shape;
  const int64_t rows = keys ? shape[0] : shape[1], outer = keys ? shape[1] : 1;
  const int64_t columns = keys ? shape[3] : shape[2], last = keys ? shape[2] : shape[3];
  for (int64_t b = 0; b < rows; ++b)
    for (int64_t h = 0; h < outer; ++h)
      for (int64_t t = 0; t < last; ++t)
        for (int64_t c = 0; c < columns; ++c) {
          const int64_t step = keys ? t : steps - last + t, channel = h * columns + c;
          const int64_t place = keys ? ((b * outer + h) * last + t) * columns + c : (b * columns + c) * last + t;
          values[place] = sequence[(b * steps + step) * outer * columns + channel];
        }
  return values;
}

static Status compareStates(CompiledModule &module, const GoldenFile &file, Arguments &given, Comparison &comparison) {
  std::map<std::string, HostTensor> states;
  auto arguments = given.all();
  const std::string prefix = "output.state.";
  const int64_t rows = given.output.shape[0], steps = given.output.shape[1];
  for (const auto &[name, tensor] : file.tensors)
    if (name.starts_with(prefix)) {
      const bool keys = !name.ends_with("input_buffer");
      const int64_t channels = keys ? tensor.shape[1] * tensor.shape[3] : tensor.shape[2];
      states[name.substr(prefix.size())] = HostTensor::zeros({rows, steps, channels});
    }
  for (auto &[name, tensor] : states)
    arguments[name] = &tensor;
  BIFOCAL_RETURN_IF_ERROR(module.run("states", arguments));
  for (auto &[name, tensor] : states) {
    const GoldenTensor &expected = file[prefix + name];
    comparison.relative(prefix + name, asPublished(tensor.floats(), expected, steps, !name.ends_with("input_buffer")),
                        expected.values, outputBound);
  }
  return {};
}

Status golden::compareBranches(const GoldenFile &file, Comparison &comparison) {
  auto module = CompiledModule::ofText(BranchText(file).write());
  if (!module.ok())
    return module.status();
  Arguments given(file);
  BIFOCAL_RETURN_IF_ERROR((*module)->run("layer_gradient", given.all()));
  comparison.relative("output.y", given.output.floats(), swapFirstAxes(file["output.y"]).values, outputBound);
  for (auto &[name, values] : given.expected)
    comparison.relative("grad." + name, given.gradients[name].floats(), values, gradientBound, 0.1);
  const bool hasStates =
      std::ranges::any_of(file.tensors, [](const auto &tensor) { return tensor.first.starts_with("output.state."); });
  return hasStates ? compareStates(**module, file, given, comparison) : Status();
}
