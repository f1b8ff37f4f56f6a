// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The state dicts of models with a memory, named as in the published code: kimiyoung/transformer-xl and
// facebookresearch/adaptive-span. Biases that are added to all heads lie flat here ([H * D] for [H, D]), and the
// positions of adaptive span by distance ([L, D]; the published (1, D, L) has them the other way round and backwards).

#include "frontend/RecurrentParameters.h"

#include <cmath>
#include <fmt/format.h>

using namespace bifocal;

namespace {
class RecurrentParameters {
public:
  explicit RecurrentParameters(const Spec &spec) : spec(spec), dim(spec.model.dim) {}
  std::vector<ParameterSpec> transformerXl();
  std::vector<ParameterSpec> adaptiveSpan();

private:
  ParameterSpec &add(std::string name, std::vector<int64_t> shape, Initializer init, std::string path) {
    return parameters.emplace_back(
        ParameterSpec{std::move(name), std::move(shape), std::move(init), {}, false, std::move(path)});
  }
  void addNorm(const std::string &prefix, const Initializer &weight) {
    add(prefix + ".weight", {dim}, weight, "model.norm");
    add(prefix + ".bias", {dim}, {"zeros"}, "model.norm");
  }
  /// PyTorch's own initial values of a linear layer.
  void addLinear(const std::string &prefix, int64_t out, int64_t in, bool bias, const std::string &path) {
    const Initializer init{"uniform", 1 / std::sqrt(static_cast<double>(in))};
    add(prefix + ".weight", {out, in}, init, path);
    if (bias)
      add(prefix + ".bias", {out}, init, path);
  }
  void addWords();
  void addSoftmax();
  void addXlLayer(const std::string &prefix);

  const Spec &spec;
  const int64_t dim;
  const Initializer weights{"normal", 0.02}, projections{"normal", 0.01};
  std::vector<ParameterSpec> parameters;
};
} // namespace

/// A table for each band, and a projection where bands differ in their width.
void RecurrentParameters::addWords() {
  const ModelSpec &model = spec.model;
  const AdaptiveSpec &bands = model.adaptiveInput;
  const bool tied = model.sharing != Sharing::none || model.adaptiveSoftmax.tieWeights;
  const int64_t tables = wordTables(spec);
  for (int64_t band = 0; band < tables; ++band) {
    const int64_t first = tables == 1 ? 0 : bands.first(band, model.targetVocabulary);
    const int64_t end = tables == 1 ? model.targetVocabulary : bands.first(band + 1, model.targetVocabulary);
    const int64_t width = tables == 1 ? dim : bands.width(band, dim);
    const std::string path = bands.isUsed() ? "model.adaptive_input" : "model.vocabulary";
    ParameterSpec &table = add(wordTableName(band), {end - first, width}, weights, path);
    if (tied)
      table.aliases = {fmt::format("crit.out_layers.{}.weight", band)};
    if (tables == 1)
      continue;
    ParameterSpec &projection = add(wordProjectionName(band), {dim, width}, projections, path);
    if (band > 0 && model.adaptiveSoftmax.tieProjections)
      projection.aliases = {softmaxProjectionName(band)};
  }
}

void RecurrentParameters::addSoftmax() {
  const ModelSpec &model = spec.model;
  const AdaptiveSoftmaxSpec &softmax = model.adaptiveSoftmax;
  const int64_t tables = wordTables(spec);
  const std::string path = softmax.isUsed() ? "model.adaptive_softmax" : "model.share_embeddings";
  for (int64_t band = 0; band < tables; ++band) {
    const int64_t rows =
        tables == 1 ? model.targetVocabulary
                    : softmax.first(band + 1, model.targetVocabulary) - softmax.first(band, model.targetVocabulary);
    if (!softmax.isUsed() && model.sharing == Sharing::none)
      add(fmt::format("crit.out_layers.{}.weight", band), {rows, dim}, weights, path);
    add(softmaxBiasName(band), {rows}, {"zeros"}, path);
    if (tables > 1 && (band == 0 || !softmax.tieProjections))
      add(softmaxProjectionName(band), {dim, softmax.width(band, dim)}, projections, path);
  }
  if (!softmax.isUsed())
    return;
  add("crit.cluster_weight", {softmax.bands() - 1, dim}, weights, path);
  add("crit.cluster_bias", {softmax.bands() - 1}, {"zeros"}, path);
}

void RecurrentParameters::addXlLayer(const std::string &prefix) {
  const Initializer norm{"normal", 0.02, -1, 1.0};
  const int64_t ffn = spec.decoder.ffnDim;
  const std::string attention = prefix + "dec_attn.", ffnPrefix = prefix + "pos_ff.";
  add(attention + "qkv_net.weight", {3 * dim, dim}, weights, "decoder.heads");
  add(attention + "r_net.weight", {dim, dim}, weights, "decoder.heads");
  add(attention + "o_net.weight", {dim, dim}, weights, "decoder.heads");
  addNorm(attention + "layer_norm", norm);
  add(ffnPrefix + "CoreNet.0.weight", {ffn, dim}, weights, "decoder.ffn_dim");
  add(ffnPrefix + "CoreNet.0.bias", {ffn}, {"zeros"}, "decoder.ffn_dim");
  add(ffnPrefix + "CoreNet.3.weight", {dim, ffn}, weights, "decoder.ffn_dim");
  add(ffnPrefix + "CoreNet.3.bias", {dim}, {"zeros"}, "decoder.ffn_dim");
  addNorm(ffnPrefix + "layer_norm", norm);
}

std::vector<ParameterSpec> RecurrentParameters::transformerXl() {
  addWords();
  add("r_w_bias", {dim}, weights, "decoder.heads");
  add("r_r_bias", {dim}, weights, "decoder.heads");
  for (int64_t layer = 0; layer < spec.decoder.layers; ++layer)
    addXlLayer(recurrentPrefix(layer));
  addSoftmax();
  add(std::string(distanceTableName), {spec.model.maxPositions, dim}, {"sinusoidal_distance"}, "decoder.memory")
      .constant = true;
  return std::move(parameters);
}

std::vector<ParameterSpec> RecurrentParameters::adaptiveSpan() {
  const StackSpec &stack = spec.decoder;
  const int64_t vocabulary = spec.model.targetVocabulary;
  add("in_emb.weight", {vocabulary, dim}, {"normal", 1.0}, "model.vocabulary");
  add("key_pe", {stack.recurrent.span, dim / stack.heads}, {"normal", 1.0}, "decoder.attention_span");
  for (int64_t layer = 0; layer < stack.layers; ++layer) {
    const std::string prefix = recurrentPrefix(layer);
    for (const char *part : {"query", "key", "val", "out"})
      addLinear(prefix + "attn.proj_" + part, dim, dim, /*bias=*/false, "decoder.heads");
    addNorm(prefix + "norm1", {"ones"});
    addLinear(prefix + "ff.fc1", stack.ffnDim, dim, /*bias=*/true, "decoder.ffn_dim");
    addLinear(prefix + "ff.fc2", dim, stack.ffnDim, /*bias=*/true, "decoder.ffn_dim");
    addNorm(prefix + "norm2", {"ones"});
  }
  addLinear("out_emb", vocabulary, dim, /*bias=*/true, "model.vocabulary");
  // Behind all others, so that one launch keeps all spans between 0 and 1.
  const std::vector<int64_t> spans =
      stack.recurrent.spanPerLayer ? std::vector<int64_t>{1} : std::vector<int64_t>{stack.heads, 1, 1};
  for (int64_t layer = 0; layer < stack.layers; ++layer)
    add(spanName(layer), spans, {"constant", stack.recurrent.spanInit}, "decoder.span_init").bounds = {{0.0f, 1.0f}};
  return std::move(parameters);
}

std::string bifocal::recurrentPrefix(int64_t layer) { return fmt::format("layers.{}.", layer); }
std::string bifocal::recurrentAttentionName(const Spec &spec, int64_t layer) {
  return recurrentPrefix(layer) + (spec.decoder.mixer == Mixer::spanAttention ? "attn" : "dec_attn");
}
std::string bifocal::spanName(int64_t layer) {
  return recurrentPrefix(layer) + "attn.attn.adaptive_span._mask.current_val";
}
bool bifocal::isOfRecurrentWords(std::string_view name) {
  return name.starts_with("word_emb.") || name.starts_with("in_emb.");
}
bool bifocal::isOfRecurrentSoftmax(std::string_view name) {
  return name.starts_with("crit.") || name.starts_with("out_emb.");
}
std::string bifocal::wordTableName(int64_t band) { return fmt::format("word_emb.emb_layers.{}.weight", band); }
std::string bifocal::wordProjectionName(int64_t band) { return fmt::format("word_emb.emb_projs.{}", band); }
std::string bifocal::softmaxProjectionName(int64_t band) { return fmt::format("crit.out_projs.{}", band); }
std::string bifocal::softmaxBiasName(int64_t band) { return fmt::format("crit.out_layers.{}.bias", band); }

int64_t bifocal::wordTables(const Spec &spec) {
  const AdaptiveSpec &bands = spec.model.adaptiveInput;
  return bands.isUsed() && bands.factor > 1 ? bands.bands() : 1;
}

std::vector<ParameterSpec> bifocal::listRecurrentParameters(const Spec &spec) {
  RecurrentParameters list(spec);
  return spec.decoder.mixer == Mixer::relativeAttention ? list.transformerXl() : list.adaptiveSpan();
}
