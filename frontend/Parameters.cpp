// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Parameters.h"

#include <cmath>
#include <fmt/format.h>

using namespace bifocal;

int64_t ParameterSpec::elements() const {
  int64_t product = 1;
  for (int64_t dim : shape)
    product *= dim;
  return product;
}

int64_t bifocal::countTrained(const std::vector<ParameterSpec> &parameters) {
  int64_t sum = 0;
  for (const ParameterSpec &parameter : parameters)
    sum += parameter.constant ? 0 : parameter.elements();
  return sum;
}

std::string bifocal::layerPrefix(bool decoder, int64_t layer) {
  return fmt::format("{}.layers.{}.", decoder ? "decoder" : "encoder", layer);
}
std::string bifocal::mixerNormName(const StackSpec &stack, bool decoder) {
  if (stack.mixer == Mixer::attention)
    return "self_attn_layer_norm";
  return decoder ? "conv_layer_norm" : "layer_norm1";
}
std::string bifocal::ffnNormName(const StackSpec &stack, bool decoder) {
  return decoder || stack.mixer == Mixer::attention ? "final_layer_norm" : "layer_norm2";
}
std::string bifocal::embeddingName(const Spec &spec, bool decoder) {
  return decoder && spec.model.sharing != Sharing::all ? "decoder.embed_tokens.weight" : "encoder.embed_tokens.weight";
}
std::string bifocal::outputProjectionName(const Spec &spec) {
  return spec.model.sharing == Sharing::none ? "decoder.output_projection.weight" : embeddingName(spec, true);
}
std::string bifocal::positionTableName(const Spec &spec, bool decoder) {
  if (spec.model.positions == PositionKind::sinusoidal)
    return "embed_positions.sinusoidal";
  return decoder ? "decoder.embed_positions.weight" : "encoder.embed_positions.weight";
}
std::string bifocal::convBiasName(const StackSpec &stack) {
  return stack.mixer == Mixer::lightConv ? "conv.bias" : "conv.conv_bias";
}

namespace {
/// Appends the parameters of one part after the other.
class ParameterList {
public:
  explicit ParameterList(const Spec &spec) : spec(spec) {}

  void addStack(bool decoder);
  void addOutputProjection();
  void addSinusoids();
  std::vector<ParameterSpec> take() { return std::move(parameters); }

private:
  void add(std::string name, std::vector<int64_t> shape, Initializer init, std::string path) {
    parameters.push_back({std::move(name), std::move(shape), std::move(init), {}, false, std::move(path)});
  }
  void addLinear(const std::string &prefix, int64_t out, int64_t in, const std::string &path, double gain = 1,
                 double biasBound = 0) {
    add(prefix + ".weight", {out, in}, {"xavier_uniform", gain}, path);
    add(prefix + ".bias", {out}, biasBound > 0 ? Initializer{"uniform", biasBound} : Initializer{"zeros"}, path);
  }
  void addNorm(const std::string &prefix) {
    add(prefix + ".weight", {spec.model.dim}, {"ones"}, "model.norm");
    add(prefix + ".bias", {spec.model.dim}, {"zeros"}, "model.norm");
  }
  void addAttention(const std::string &prefix, const std::string &path);
  void addConvolution(const std::string &prefix, const StackSpec &stack, int64_t kernelSize, const std::string &path);
  void addEmbeddings(bool decoder);

  const Spec &spec;
  std::vector<ParameterSpec> parameters;
};
} // namespace

void ParameterList::addAttention(const std::string &prefix, const std::string &path) {
  int64_t dim = spec.model.dim;
  double bound = 1 / std::sqrt(static_cast<double>(dim));
  for (const char *part : {"k_proj", "v_proj", "q_proj"})
    addLinear(prefix + "." + part, dim, dim, path, std::sqrt(0.5), bound);
  addLinear(prefix + ".out_proj", dim, dim, path);
}

void ParameterList::addConvolution(const std::string &prefix, const StackSpec &stack, int64_t kernelSize,
                                   const std::string &path) {
  addLinear(prefix + "linear1", (stack.glu ? 2 : 1) * stack.convDim, spec.model.dim, path);
  if (stack.mixer == Mixer::lightConv)
    add(prefix + "conv.weight", {stack.heads, 1, kernelSize}, {"xavier_uniform", 1.0}, path);
  else
    add(prefix + "conv.weight_linear.weight", {stack.heads * kernelSize, stack.convDim},
        {"uniform", 1 / std::sqrt(static_cast<double>(stack.convDim))}, path);
  if (stack.convBias)
    add(prefix + convBiasName(stack), {stack.convDim}, {"zeros"}, path);
  addLinear(prefix + "linear2", spec.model.dim, stack.convDim, path);
}

void ParameterList::addEmbeddings(bool decoder) {
  const ModelSpec &model = spec.model;
  std::string side = decoder ? "decoder" : "encoder", vocabulary = decoder ? "target_vocabulary" : "source_vocabulary";
  double deviation = 1 / std::sqrt(static_cast<double>(model.dim));
  if (!decoder || model.sharing != Sharing::all) {
    add(side + ".embed_tokens.weight", {decoder ? model.targetVocabulary : model.sourceVocabulary, model.dim},
        {"normal", deviation, padId},
        spec.where.contains("model." + vocabulary) ? "model." + vocabulary : "model.vocabulary");
    if (!decoder && model.sharing == Sharing::all)
      parameters.back().aliases = {"decoder.embed_tokens.weight", "decoder.output_projection.weight"};
    if (decoder && model.sharing == Sharing::decoderInOut)
      parameters.back().aliases = {"decoder.output_projection.weight"};
  }
  if (model.positions == PositionKind::learned)
    add(positionTableName(spec, decoder), {model.maxPositions + padId + 1, model.dim}, {"normal", deviation, padId},
        "model.positions");
}

void ParameterList::addStack(bool decoder) {
  const StackSpec &stack = decoder ? spec.decoder : spec.encoder;
  const std::string side = decoder ? "decoder" : "encoder";
  addEmbeddings(decoder);
  for (int64_t layer = 0; layer < stack.layers; ++layer) {
    std::string prefix = layerPrefix(decoder, layer);
    if (stack.mixer == Mixer::attention)
      addAttention(prefix + "self_attn", side + ".heads");
    else
      addConvolution(prefix, stack, stack.kernelSizes[layer], fmt::format("{}.kernel_sizes[{}]", side, layer));
    addNorm(prefix + mixerNormName(stack, decoder));
    if (decoder) {
      addAttention(prefix + "encoder_attn", side + ".heads");
      addNorm(prefix + "encoder_attn_layer_norm");
    }
    addLinear(prefix + "fc1", stack.ffnDim, spec.model.dim, side + ".ffn_dim");
    addLinear(prefix + "fc2", spec.model.dim, stack.ffnDim, side + ".ffn_dim");
    addNorm(prefix + ffnNormName(stack, decoder));
  }
  if (spec.model.norm == NormPlace::pre)
    addNorm(side + ".layer_norm");
}

void ParameterList::addOutputProjection() {
  if (spec.model.sharing == Sharing::none)
    add("decoder.output_projection.weight", {spec.model.targetVocabulary, spec.model.dim},
        {"normal", 1 / std::sqrt(static_cast<double>(spec.model.dim))}, "model.share_embeddings");
}

void ParameterList::addSinusoids() {
  if (spec.model.positions != PositionKind::sinusoidal)
    return;
  add("embed_positions.sinusoidal", {spec.model.maxPositions + padId + 1, spec.model.dim},
      {"sinusoidal", static_cast<double>(padId)}, "model.positions");
  parameters.back().constant = true;
}

std::vector<ParameterSpec> bifocal::listParameters(const Spec &spec) {
  ParameterList list(spec);
  list.addStack(false);
  list.addStack(true);
  list.addOutputProjection();
  list.addSinusoids();
  return list.take();
}
