// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Modules of differential attention: both versions, the plain module beside the second one, and the arrangement by
// halves of the heads.

#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/IrText.h"

#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;

namespace {

/// The sizes and switches of one file.
struct DiffModule {
  explicit DiffModule(const GoldenFile &file);

  /// The first version: two keys for each value, a norm behind the difference. The second one has plain attention.
  bool pairedKeys, gated, causal, rotary, halves, normWeight;
  int64_t heads, kvHeads, headDim, steps;
  double initial = 0;
  std::string output; ///< the name of the output projection
};

using Tensors = std::map<std::string, HostTensor>;

} // namespace

DiffModule::DiffModule(const GoldenFile &file)
    : pairedKeys(file.has("param.lambda_q1")), gated(file.has("param.lambda_proj.weight")),
      causal(!file.has("input.attend_allowed")), rotary(file.has("input.cos")),
      halves(file.hparams.value("pairing", "") == "halves"),
      normWeight(file.has("param.subln.weight") || file.has("param.norm.weight")), heads(file.integer("num_heads")),
      kvHeads(file.integer("num_kv_heads")), headDim(file.integer("head_dim")), steps(file.integer("T")),
      output(file.has("param.out_proj.weight") ? "out_proj" : "o_proj") {
  if (file.integer("base_heads") > 0) { // counts heads before they form pairs
    heads = file.integer("base_heads") / 2;
    kvHeads /= 2;
  }
  if (!pairedKeys)
    heads = file.integer("num_q_heads");
  initial = 0.8 - 0.6 * std::exp(-0.3 * static_cast<double>(file.integer("depth")));
}

static std::string number(int64_t value) { return std::to_string(value); }
static std::string lambdaText(const DiffModule &module) {
  return fmt::format("diff_lambda %lambda_q1, %lambda_k1, %lambda_q2, %lambda_k2 {{initial = {:.9e} : f32}}",
                     module.initial);
}

/// The four vectors that lambda is made of.
static std::vector<IrText::Value> lambdaVectors(IrText &text, const DiffModule &module) {
  std::vector<IrText::Value> vectors;
  for (const char *name : {"lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"})
    vectors.push_back(text.argument(name, {number(module.headDim)}));
  return vectors;
}

/// The rows of `name` projected, turned where `heads` is above 0.
static IrText::Value projected(IrText &text, const DiffModule &module, const IrText::Value &x, const std::string &name,
                               int64_t rows, int64_t heads) {
  IrText::Value weight = text.argument(name + ".weight", {number(rows), x.dims.back()});
  IrText::Value value = text.linear(x, weight, nullptr);
  if (!module.rotary || heads == 0)
    return value;
  const std::vector<std::string> table{number(module.steps), number(module.headDim / 2)};
  IrText::Value cos = text.parameter("cos", table), sin = text.parameter("sin", table);
  return text.emitLike(fmt::format("rotary {}, {}, {}{} {{heads = {} : i64}}", value.name, cos.name, sin.name,
                                   module.halves ? " layout halves" : "", heads),
                       {value, cos, sin}, value);
}

/// Attention with the difference of two maps and the norm behind it, or plain attention.
static IrText::Value attended(IrText &text, const DiffModule &module, const IrText::Value &query,
                              const IrText::Value &key, const IrText::Value &value) {
  const int64_t maps = module.pairedKeys ? 2 : 1, width = maps * module.headDim;
  IrText::Value output = query, lse{"", {"?", number(maps * module.heads), "?"}};
  output.dims.back() = number(module.heads * width);
  std::vector<IrText::Value> operands{query, key, value};
  std::string name = fmt::format("attention {}, {}, {}", query.name, key.name, value.name);
  if (module.pairedKeys) {
    operands.push_back(text.emit(lambdaText(module), lambdaVectors(text, module), {IrText::Value{}}).front());
    name = "diff_" + name + " lambda " + operands.back().name;
  }
  output = text.emit(fmt::format("{}{} {{heads = {} : i64, kv_heads = {} : i64, scale = {:.9e} : f32}}", name,
                                 module.causal ? " causal" : "", module.heads, module.kvHeads,
                                 1 / std::sqrt(static_cast<double>(module.headDim))),
                     operands, {output, lse})
               .front();
  if (!module.pairedKeys)
    return output;
  operands = {output};
  std::string norm = "rms_norm " + output.name;
  if (module.normWeight) {
    operands.push_back(text.argument(module.output == "out_proj" ? "subln.weight" : "norm.weight", {number(width)}));
    norm += ", " + operands.back().name;
  }
  return text.emitLike(fmt::format("{} {{group = {} : i64, factor = {:.9e} : f32}}", norm, width, 1 - module.initial),
                       operands, output);
}

static std::string moduleText(const DiffModule &module, int64_t channels) {
  IrText text;
  const int64_t maps = module.pairedKeys ? 2 : 1, width = maps * module.headDim;
  IrText::Value x = text.argument("x", {"B", "T", number(channels)});
  IrText::Value query = projected(text, module, x, "q_proj", module.heads * width, maps * module.heads);
  IrText::Value key = projected(text, module, x, "k_proj", module.kvHeads * width, maps * module.kvHeads);
  IrText::Value value = projected(text, module, x, "v_proj", module.kvHeads * width, 0);
  IrText::Value y = attended(text, module, query, key, value);
  if (module.gated) {
    IrText::Value weight = text.argument("lambda_proj.weight", {number(module.heads / 2), number(channels)});
    IrText::Value gate = text.linear(x, weight, nullptr);
    y = text.emitLike(fmt::format("head_difference {}, {}", y.name, gate.name), {y, gate}, y,
                      number(module.heads / 2 * width));
  }
  IrText::Value weight = text.argument(module.output + ".weight", {number(channels), y.dims.back()});
  std::string source = text.function("module", {{"y", text.linear(y, weight, nullptr)}}, /*gradient=*/true);
  if (!module.pairedKeys)
    return source;
  IrText lambda;
  IrText::Value result = lambda.emit(lambdaText(module), lambdaVectors(lambda, module), {IrText::Value{}}).front();
  return source + lambda.function("lambda", {{"lambda", result}}, /*gradient=*/false);
}

/// Rows of heads 0, 1, ... become those of 0, H/2, 1, H/2 + 1, ...: pairs are neighbours then.
static GoldenTensor pairedRows(const GoldenTensor &tensor, int64_t heads) {
  GoldenTensor result = tensor;
  const size_t size = tensor.values.size() / static_cast<size_t>(heads);
  for (int64_t head = 0; head < heads; ++head) {
    const int64_t source = head / 2 + head % 2 * (heads / 2);
    std::copy_n(&tensor.values[static_cast<size_t>(source) * size], size,
                &result.values[static_cast<size_t>(head) * size]);
  }
  return result;
}

/// The tensors whose names begin with `prefix`, by the names of the arguments.
static Tensors tensorsOf(const GoldenFile &file, const DiffModule &module, const std::string &prefix) {
  Tensors tensors;
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with(prefix))
      continue;
    const std::string shortName = name.substr(prefix.size());
    const bool paired = module.halves && (shortName.starts_with("q_proj") || shortName.starts_with("k_proj") ||
                                          shortName.starts_with("v_proj"));
    const int64_t heads = 2 * (shortName.starts_with("q_proj") ? module.heads : module.kvHeads);
    const GoldenTensor own = paired ? pairedRows(tensor, heads) : tensor;
    tensors[shortName] = HostTensor::ofFloats(own.shape, own.values);
  }
  return tensors;
}

static Status compareLambda(const GoldenFile &file, CompiledModule &compiled, const DiffModule &module,
                            Comparison &comparison) {
  Tensors tensors = tensorsOf(file, module, "param.lambda_");
  HostTensor lambda = HostTensor::zeros({});
  std::map<std::string, HostTensor *> arguments{{"lambda", &lambda}};
  for (auto &[name, tensor] : tensors)
    arguments["lambda_" + name] = &tensor;
  BIFOCAL_RETURN_IF_ERROR(compiled.run("lambda", arguments));
  comparison.relative("output.lambda", lambda.floats(), file["output.lambda"].values, outputBound);
  return {};
}

Status golden::compareDiffAttention(const GoldenFile &file, Comparison &comparison) {
  const DiffModule module(file);
  auto compiled = CompiledModule::ofText(moduleText(module, file["input.x"].shape.back()));
  if (!compiled.ok())
    return compiled.status();
  for (const char *table : {"cos", "sin"}) {
    const std::vector<float> &values = file[std::string("input.") + table].values;
    if (module.rotary)
      std::copy(values.begin(), values.end(), (*compiled)->parameter(table).begin());
  }
  Tensors tensors = tensorsOf(file, module, "param."), expected = tensorsOf(file, module, "grad.");
  auto tensorOf = [&](const char *name) { return HostTensor::ofFloats(file[name].shape, file[name].values); };
  tensors["x"] = tensorOf("input.x");
  expected["x"] = tensorOf("grad_input.x");
  std::map<std::string, HostTensor *> arguments;
  Tensors gradients;
  for (auto &[name, tensor] : tensors) {
    arguments[name] = &tensor;
    gradients[name] = HostTensor::zeros(tensor.shape);
    arguments[name + "_grad"] = &gradients[name];
  }
  HostTensor outputGradient = tensorOf("input.grad_output"), output = HostTensor::zeros(outputGradient.shape);
  arguments["y_grad"] = &outputGradient;
  arguments["y"] = &output;
  BIFOCAL_RETURN_IF_ERROR((*compiled)->run("module_gradient", arguments));
  comparison.relative("output.y", output.floats(), file["output.y"].values, outputBound);
  for (auto &[name, gradient] : expected)
    comparison.relative("grad." + name, gradients[name].floats(), gradient.floats(), gradientBound, 0.1);
  return module.pairedKeys ? compareLambda(file, **compiled, module, comparison) : Status();
}
