// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Language models with differential attention: forward, a step at a time, gradients, ten updates.

#include "tools/bifocal-golden/ModelCases.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

/// The name that a tensor of the file's has in our state dicts.
static std::string ownName(const std::string &name) {
  for (const auto &[theirs, ours] :
       {std::pair<std::string_view, std::string_view>{"tok_embeddings.weight", "decoder.embed_tokens.weight"},
        {"output.weight", "decoder.output_projection.weight"},
        {"norm.weight", "decoder.layer_norm.weight"}})
    if (name == theirs)
      return std::string(ours);
  const size_t cut = name.find('.', std::string_view("layers.").size());
  const std::string layer = "decoder." + name.substr(0, cut + 1), rest = name.substr(cut + 1);
  if (rest.starts_with("attn."))
    return layer + "self_attn." + rest.substr(5);
  if (rest == "attn_norm.weight")
    return layer + "self_attn_layer_norm.weight";
  return layer + (rest == "ffn_norm.weight" ? "final_layer_norm.weight" : "fc2.weight");
}

/// The file's tensors of one kind under our names. Units of SwiGLU and their gates are one tensor.
static void rename(const GoldenFile &file, const std::string &prefix, GoldenFile &own) {
  constexpr std::string_view units = "ffn.w_up.weight", gates = "ffn.w_gate.weight";
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with(prefix) || name.ends_with(gates))
      continue;
    const std::string published = name.substr(prefix.size());
    if (!name.ends_with(units)) {
      own.tensors[prefix + ownName(published)] = tensor;
      continue;
    }
    const std::string layer = published.substr(0, published.size() - units.size());
    GoldenTensor joined = tensor;
    const std::vector<float> &second = file[prefix + layer + std::string(gates)].values;
    joined.values.insert(joined.values.end(), second.begin(), second.end());
    joined.shape[0] *= 2;
    own.tensors[prefix + "decoder." + layer + "fc1.weight"] = joined;
  }
}

static void swapIds(GoldenTensor &tokens, int64_t left, int64_t right) {
  for (int64_t &id : tokens.integers)
    id = id == left ? right : id == right ? left : id;
}

/// Rows of tables, or columns of logits.
static void swapWords(GoldenTensor &tensor, bool columns, int64_t left, int64_t right) {
  const int64_t width = tensor.shape.back(), rows = static_cast<int64_t>(tensor.values.size()) / width;
  if (!columns)
    std::swap_ranges(tensor.values.begin() + left * width, tensor.values.begin() + (left + 1) * width,
                     tensor.values.begin() + right * width);
  for (int64_t row = 0; columns && row < rows; ++row)
    std::swap(tensor.values[row * width + left], tensor.values[row * width + right]);
}

/// In the file's models every id is a word, in ours 1 is padding: the word 1 and one that the text lacks swap places.
static Status freePadding(GoldenFile &file) {
  std::set<int64_t> used;
  for (const char *name : {"input.src_tokens", "input.target"})
    used.insert(file[name].integers.begin(), file[name].integers.end());
  int64_t unused = 0;
  while (used.contains(unused))
    ++unused;
  if (unused >= file.integer("vocab"))
    return Status(StatusCode::unsupported, "expects a file whose text lacks a word, but it has all of them");
  for (auto &[name, tensor] : file.tensors) {
    if (name.starts_with("input."))
      swapIds(tensor, 1, unused);
    else if (name == "output.logits" || name.ends_with("embed_tokens.weight") ||
             name.ends_with("output_projection.weight"))
      swapWords(tensor, name == "output.logits", 1, unused);
  }
  return {};
}

static GoldenTensor logSoftmax(GoldenTensor logits) {
  const auto width = static_cast<size_t>(logits.shape.back());
  for (size_t begin = 0; begin < logits.values.size(); begin += width) {
    const auto row = std::span(logits.values).subspan(begin, width);
    double sum = 0;
    for (float value : row)
      sum += std::exp(static_cast<double>(value));
    for (float &value : row)
      value = static_cast<float>(value - std::log(sum));
  }
  return logits;
}

static ExpectedUpdates updatesOf(const GoldenFile &file, double tokens) {
  ExpectedUpdates updates;
  const std::vector<float> &losses = file["output.loss"].values, &norms = file["output.grad_norm"].values;
  for (float loss : losses)
    updates.losses.push_back(loss * tokens);
  updates.norms.assign(norms.begin(), norms.end());
  const json &settings = file.hparams["optimizer"];
  const double rate = settings.value("lr", 0.0), clip = settings.value("grad_clip_norm", 0.0);
  const double beta1 = settings["betas"][0], beta2 = settings["betas"][1];
  updates.rates.assign(norms.size(), rate);
  updates.hyper = [=](size_t update) -> std::array<float, 4> {
    const double steps = static_cast<double>(update) + 1;
    const double correction = std::sqrt(1 - std::pow(beta2, steps)) / (1 - std::pow(beta1, steps));
    return {static_cast<float>(rate), static_cast<float>(rate * correction), static_cast<float>(clip), 0};
  };
  return updates;
}

Status golden::compareDiffModel(const GoldenFile &published, Comparison &comparison) {
  GoldenFile file;
  file.hparams = published.hparams;
  for (const char *prefix : {"param.", "grad.", "output.final."})
    rename(published, prefix, file);
  for (const auto &[theirs, ours] : {std::pair<const char *, const char *>{"input.tokens", "input.src_tokens"},
                                     {"input.targets", "input.target"},
                                     {"output.logits", "output.logits"}})
    file.tensors[ours] = published[theirs];
  BIFOCAL_RETURN_IF_ERROR(freePadding(file));
  file.tensors["output.lprobs"] = logSoftmax(file["output.logits"]);
  auto module = CompiledModule::ofSpec(specOfDiffModel(file), /*training=*/true);
  if (!module.ok())
    return module.status();
  for (const char *table : {"cos", "sin"})
    comparison.relative(fmt::format("input.{}", table),
                        (*module)->parameter(fmt::format("rotary.{}.{}", file.integer("head_dim"), table)),
                        published[fmt::format("input.{}", table)].values, 1e-6);
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  Batch batch(file);
  auto arguments = batch.arguments();
  HostTensor logits = HostTensor::zeros(file["output.logits"].shape);
  arguments["logits"] = &logits;
  BIFOCAL_RETURN_IF_ERROR((*module)->run("forward", arguments));
  comparison.relative("output.logits", logits.floats(), file["output.logits"].values, outputBound);
  BIFOCAL_RETURN_IF_ERROR(compareDecoding(**module, file, comparison));
  BIFOCAL_RETURN_IF_ERROR((*module)->run("accumulate_gradients", batch.arguments()));
  const auto tokens = static_cast<double>(file["input.target"].integers.size());
  comparison.equal("count", batch.value(batch.count) == tokens);
  compareGradients(**module, file, tokens, comparison);
  return compareTraining(**module, file, updatesOf(published, tokens), batch, comparison);
}
