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

/// Layers of branches are the Transformer's with another self-attention.
static bool hasTransformerNames(const StackSpec &stack) {
  return stack.mixer == Mixer::attention || stack.mixer == Mixer::branches;
}

std::string bifocal::mixerNormName(const StackSpec &stack, bool decoder) {
  if (hasTransformerNames(stack))
    return "self_attn_layer_norm";
  return decoder ? "conv_layer_norm" : "layer_norm1";
}
std::string bifocal::ffnNormName(const StackSpec &stack, bool decoder) {
  return decoder || hasTransformerNames(stack) ? "final_layer_norm" : "layer_norm2";
}
std::string bifocal::embeddingName(const Spec &spec, bool decoder) {
  return decoder && spec.model.sharing != Sharing::all ? "decoder.embed_tokens.weight" : "encoder.embed_tokens.weight";
}
std::string bifocal::outputProjectionName(const Spec &spec) {
  if (spec.model.sharing != Sharing::none)
    return embeddingName(spec, true);
  return spec.decoder.mixer == Mixer::branches ? "decoder.embed_out" : "decoder.output_projection.weight";
}
std::string bifocal::positionTableName(const Spec &spec, bool decoder) {
  if (spec.model.positions == PositionKind::sinusoidal)
    return "embed_positions.sinusoidal";
  return decoder ? "decoder.embed_positions.weight" : "encoder.embed_positions.weight";
}
std::string bifocal::bandTableName(int64_t band) { return fmt::format("{}.{}.0.weight", adaptiveInputName, band); }
std::string bifocal::bandProjectionName(int64_t band) { return fmt::format("{}.{}.1.weight", adaptiveInputName, band); }
std::string bifocal::vocabularyPath(const Spec &spec, bool decoder) {
  std::string own = decoder ? "model.target_vocabulary" : "model.source_vocabulary";
  return spec.where.contains(own) ? own : "model.vocabulary";
}
std::string bifocal::convBiasName(const MixerPart &part) {
  return part.tapsPrefix + (part.kind == Mixer::lightConv ? "bias" : "conv_bias");
}

/// The mixer of a layer that has one.
static MixerPart wholeMixer(const StackSpec &stack, int64_t dim, const std::string &side, const std::string &prefix) {
  MixerPart part{stack.mixer, dim, stack.convDim, stack.heads};
  part.glu = stack.glu, part.weightSoftmax = stack.weightSoftmax, part.convBias = stack.convBias;
  part.prefix = part.kind == Mixer::attention ? prefix + "self_attn." : prefix;
  part.tapsPrefix = prefix + "conv.";
  part.specPath = side + (part.kind == Mixer::attention ? ".heads" : ".layers");
  return part;
}

static MixerPart branchMixer(const BranchSpec &branch, size_t number, const std::string &side,
                             const std::string &prefix) {
  MixerPart part{branch.kind, branch.dim, branch.dim, branch.heads};
  part.glu = branch.glu, part.weightSoftmax = branch.weightSoftmax;
  part.prefix = part.tapsPrefix = fmt::format("{}self_attn.branches.{}.", prefix, number);
  part.specPath = fmt::format("{}.mixer[{}]", side, number);
  return part;
}

std::vector<MixerPart> bifocal::mixerParts(const Spec &spec, bool decoder, int64_t layer) {
  const StackSpec &stack = decoder ? spec.decoder : spec.encoder;
  const std::string side = decoder ? "decoder" : "encoder", prefix = layerPrefix(decoder, layer);
  std::vector<MixerPart> parts;
  for (size_t number = 0; number < stack.branches.size(); ++number)
    parts.push_back(branchMixer(stack.branches[number], number, side, prefix));
  if (parts.empty())
    parts.push_back(wholeMixer(stack, spec.model.dim, side, prefix));
  for (size_t number = 0; number < parts.size(); ++number) {
    MixerPart &part = parts[number];
    if (part.kind == Mixer::attention)
      continue;
    const int64_t own = stack.branches.empty() ? 0 : stack.branches[number].kernelSize;
    part.taps = own > 0 ? own : stack.kernelSizes[layer];
    part.tapsPath = own > 0 ? part.specPath + ".kernel_size" : fmt::format("{}.kernel_sizes[{}]", side, layer);
  }
  return parts;
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
  void addAttention(const std::string &prefix, int64_t dim, const std::string &path);
  void addConvolution(const MixerPart &part);
  void addFeedForward(const std::string &prefix, int64_t out, int64_t in, const std::string &path);
  void addEmbeddings(bool decoder);
  void addTable(bool decoder);
  void addAdaptiveInput();
  void addAdaptiveSoftmax();

  const Spec &spec;
  std::vector<ParameterSpec> parameters;
};
} // namespace

void ParameterList::addAttention(const std::string &prefix, int64_t dim, const std::string &path) {
  double bound = 1 / std::sqrt(static_cast<double>(dim));
  for (const char *part : {"k_proj", "v_proj", "q_proj"})
    addLinear(prefix + part, dim, dim, path, std::sqrt(0.5), bound);
  addLinear(prefix + "out_proj", dim, dim, path);
}

void ParameterList::addConvolution(const MixerPart &part) {
  addLinear(part.prefix + "linear1", (part.glu ? 2 : 1) * part.dim, part.channels, part.tapsPath);
  if (part.kind == Mixer::lightConv)
    add(part.tapsPrefix + "weight", {part.heads, 1, part.taps}, {"xavier_uniform", 1.0}, part.tapsPath);
  else
    add(part.tapsPrefix + "weight_linear.weight", {part.heads * part.taps, part.dim},
        {"uniform", 1 / std::sqrt(static_cast<double>(part.dim))}, part.tapsPath);
  if (part.convBias)
    add(convBiasName(part), {part.dim}, {"zeros"}, part.tapsPath);
  addLinear(part.prefix + "linear2", part.channels, part.dim, part.tapsPath);
}

void ParameterList::addFeedForward(const std::string &prefix, int64_t out, int64_t in, const std::string &path) {
  addLinear(prefix, out, in, path);
  if (spec.model.ffnInit == FfnInit::fanIn)
    parameters[parameters.size() - 2].init = {"uniform", std::sqrt(2.0 / static_cast<double>(in))};
}

void ParameterList::addTable(bool decoder) {
  const ModelSpec &model = spec.model;
  add(decoder ? "decoder.embed_tokens.weight" : "encoder.embed_tokens.weight",
      {decoder ? model.targetVocabulary : model.sourceVocabulary, model.dim},
      {"normal", 1 / std::sqrt(static_cast<double>(model.dim)), padId}, vocabularyPath(spec, decoder));
  if (!decoder && model.sharing == Sharing::all)
    parameters.back().aliases = {"decoder.embed_tokens.weight", "decoder.output_projection.weight"};
  if (decoder && model.sharing == Sharing::decoderInOut)
    parameters.back().aliases = {"decoder.output_projection.weight"};
}

/// A table and a projection for each band; those that the softmax shares have its names too.
void ParameterList::addAdaptiveInput() {
  const ModelSpec &model = spec.model;
  const AdaptiveSpec &bands = model.adaptiveInput;
  const AdaptiveSoftmaxSpec &softmax = model.adaptiveSoftmax;
  for (int64_t band = 0; band < bands.bands(); ++band) {
    const int64_t width = bands.width(band, model.dim), first = bands.first(band, model.targetVocabulary);
    // The published models also zero the row of the padding id in the other bands.
    add(bandTableName(band), {bands.first(band + 1, model.targetVocabulary) - first, width},
        {"normal", 1 / std::sqrt(static_cast<double>(width)), padId}, "model.adaptive_input");
    if (softmax.tieWeights)
      parameters.back().aliases = {band == 0 ? fmt::format("{}.head.word_proj.weight", adaptiveSoftmaxName)
                                             : fmt::format("{}.tail.{}.2.weight", adaptiveSoftmaxName, band - 1)};
    add(bandProjectionName(band), {model.dim, width}, {"xavier_uniform", 1.0}, "model.adaptive_input");
    if (softmax.tieProjections && band > 0)
      parameters.back().aliases = {fmt::format("{}.tail.{}.0.weight", adaptiveSoftmaxName, band - 1)};
  }
}

void ParameterList::addAdaptiveSoftmax() {
  const ModelSpec &model = spec.model;
  const AdaptiveSoftmaxSpec &softmax = model.adaptiveSoftmax;
  const std::string prefix(adaptiveSoftmaxName), path = "model.adaptive_softmax";
  auto addWeight = [&](const std::string &name, int64_t rows, int64_t columns) {
    add(prefix + name, {rows, columns}, {"xavier_uniform", 1.0}, path);
  };
  const int64_t tails = softmax.bands() - 1;
  if (softmax.tieWeights)
    addWeight(".head.class_proj.weight", tails, model.dim);
  else
    addWeight(".head.weight", softmax.cutoffs.front() + tails, model.dim);
  for (int64_t tail = 0; tail < tails; ++tail) {
    const int64_t width = softmax.width(tail + 1, model.dim), first = softmax.cutoffs[static_cast<size_t>(tail)];
    if (!softmax.tieProjections)
      addWeight(fmt::format(".tail.{}.0.weight", tail), width, model.dim);
    if (!softmax.tieWeights)
      addWeight(fmt::format(".tail.{}.2.weight", tail), softmax.first(tail + 2, model.targetVocabulary) - first, width);
  }
}

void ParameterList::addEmbeddings(bool decoder) {
  const ModelSpec &model = spec.model;
  double deviation = 1 / std::sqrt(static_cast<double>(model.dim));
  if (decoder && model.adaptiveInput.isUsed())
    addAdaptiveInput();
  else if (!decoder || model.sharing != Sharing::all)
    addTable(decoder);
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
    for (const MixerPart &part : mixerParts(spec, decoder, layer))
      if (part.kind == Mixer::attention)
        addAttention(part.prefix, part.dim, part.specPath);
      else
        addConvolution(part);
    addNorm(prefix + mixerNormName(stack, decoder));
    if (decoder && !spec.isLanguageModel()) {
      addAttention(prefix + "encoder_attn.", spec.model.dim, side + ".heads");
      addNorm(prefix + "encoder_attn_layer_norm");
    }
    addFeedForward(prefix + "fc1", stack.ffnDim, spec.model.dim, side + ".ffn_dim");
    addFeedForward(prefix + "fc2", spec.model.dim, stack.ffnDim, side + ".ffn_dim");
    addNorm(prefix + ffnNormName(stack, decoder));
  }
  if (spec.model.finalNorm)
    addNorm(side + ".layer_norm");
}

void ParameterList::addOutputProjection() {
  if (spec.model.adaptiveSoftmax.isUsed())
    return addAdaptiveSoftmax();
  if (spec.model.sharing == Sharing::none)
    add(outputProjectionName(spec), {spec.model.targetVocabulary, spec.model.dim},
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
  if (!spec.isLanguageModel())
    list.addStack(false);
  list.addStack(true);
  list.addOutputProjection();
  list.addSinusoids();
  return list.take();
}
