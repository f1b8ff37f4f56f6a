// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Parameters.h"

#include "frontend/RecurrentParameters.h"
#include "frontend/RecurrentSpec.h"

#include <cmath>
#include <fmt/format.h>
#include <set>

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
  return stack.mixer == Mixer::attention || stack.mixer == Mixer::diffAttention || stack.mixer == Mixer::branches;
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
std::string bifocal::cosineName(int64_t headDim) { return fmt::format("rotary.{}.cos", headDim); }
std::string bifocal::sineName(int64_t headDim) { return fmt::format("rotary.{}.sin", headDim); }
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
  MixerPart part;
  part.kind = stack.mixer, part.channels = dim, part.dim = stack.convDim, part.heads = stack.heads;
  part.glu = stack.glu, part.weightSoftmax = stack.weightSoftmax, part.convBias = stack.convBias;
  part.kvHeads = stack.kvHeads, part.headDim = stack.headDim, part.variant = stack.diffVariant;
  part.prefix = part.attends() ? prefix + "self_attn." : prefix;
  part.tapsPrefix = prefix + "conv.";
  part.specPath = side + (part.attends() ? ".heads" : ".layers");
  return part;
}

static MixerPart branchMixer(const BranchSpec &branch, size_t number, const std::string &side,
                             const std::string &prefix) {
  MixerPart part;
  part.kind = branch.kind, part.channels = part.dim = branch.dim, part.heads = branch.heads;
  part.glu = branch.glu, part.weightSoftmax = branch.weightSoftmax;
  part.kvHeads = branch.heads, part.headDim = branch.dim / branch.heads;
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
    part.depth = layer;
    if (part.attends())
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
  void addPositionTables();
  std::vector<ParameterSpec> take() { return std::move(parameters); }

private:
  void add(std::string name, std::vector<int64_t> shape, Initializer init, std::string path) {
    parameters.push_back({std::move(name), std::move(shape), std::move(init), {}, false, std::move(path)});
  }
  void addLinear(const std::string &prefix, int64_t out, int64_t in, const std::string &path, double gain = 1,
                 double biasBound = 0) {
    add(prefix + ".weight", {out, in}, {"xavier_uniform", gain}, path);
    addBias(prefix, out, biasBound > 0 ? Initializer{"uniform", biasBound} : Initializer{"zeros"}, path);
  }
  void addBias(const std::string &prefix, int64_t out, Initializer init, const std::string &path) {
    if (spec.model.bias)
      add(prefix + ".bias", {out}, std::move(init), path);
  }
  void addNorm(const std::string &prefix) {
    add(prefix + ".weight", {spec.model.dim}, {"ones"}, "model.norm");
    if (spec.model.normKind == NormKind::layer)
      add(prefix + ".bias", {spec.model.dim}, {"zeros"}, "model.norm");
  }
  void addConstant(std::string name, std::vector<int64_t> shape, Initializer init) {
    add(std::move(name), std::move(shape), std::move(init), "model.positions");
    parameters.back().constant = true;
  }
  void addAttention(const MixerPart &part);
  void addCrossAttention(const std::string &prefix, const std::string &path);
  void addDiffAttention(const MixerPart &part);
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

static double inverseRoot(int64_t dim) { return 1 / std::sqrt(static_cast<double>(dim)); }

void ParameterList::addAttention(const MixerPart &part) {
  const double bound = inverseRoot(part.channels);
  for (const char *name : {"k_proj", "v_proj"})
    addLinear(part.prefix + name, part.kvDim(), part.channels, part.specPath, std::sqrt(0.5), bound);
  addLinear(part.prefix + "q_proj", part.queryDim(), part.channels, part.specPath, std::sqrt(0.5), bound);
  addLinear(part.outputName(), part.channels, part.outputDim(), part.specPath);
}

void ParameterList::addCrossAttention(const std::string &prefix, const std::string &path) {
  const int64_t dim = spec.model.dim;
  for (const char *name : {"k_proj", "v_proj", "q_proj"})
    addLinear(prefix + name, dim, dim, path, std::sqrt(0.5), inverseRoot(dim));
  addLinear(prefix + "out_proj", dim, dim, path);
}

/// The published modules keep the first values that PyTorch gives to linears.
void ParameterList::addDiffAttention(const MixerPart &part) {
  auto addProjection = [&](const std::string &name, int64_t out, int64_t in) {
    const Initializer init{"uniform", inverseRoot(in)};
    add(name + ".weight", {out, in}, init, part.specPath);
    addBias(name, out, init, part.specPath);
  };
  addProjection(part.prefix + "q_proj", part.queryDim(), part.channels);
  for (const char *name : {"k_proj", "v_proj"})
    addProjection(part.prefix + name, part.kvDim(), part.channels);
  addProjection(part.outputName(), part.channels, part.outputDim());
  if (part.hasGatedHeads()) {
    add(part.prefix + "lambda_proj.weight", {part.heads, part.channels}, {"uniform", inverseRoot(part.channels)},
        part.specPath);
    return;
  }
  for (const char *name : {"lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"})
    add(part.prefix + name, {part.headDim}, {"normal", 0.1}, part.specPath);
  add(part.prefix + "subln.weight", {2 * part.headDim}, {"ones"}, part.specPath);
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
    parameters[parameters.size() - (spec.model.bias ? 2 : 1)].init = {"uniform",
                                                                      std::sqrt(2.0 / static_cast<double>(in))};
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
        addAttention(part);
      else if (part.kind == Mixer::diffAttention)
        addDiffAttention(part);
      else
        addConvolution(part);
    addNorm(prefix + mixerNormName(stack, decoder));
    if (decoder && !spec.isLanguageModel()) {
      addCrossAttention(prefix + "encoder_attn.", side + ".heads");
      addNorm(prefix + "encoder_attn_layer_norm");
    }
    // Beside each unit of SwiGLU stands its gate, in the second half of the rows.
    const int64_t units = (stack.ffnActivation == FfnActivation::swiglu ? 2 : 1) * stack.ffnDim;
    addFeedForward(prefix + "fc1", units, spec.model.dim, side + ".ffn_dim");
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

void ParameterList::addPositionTables() {
  const ModelSpec &model = spec.model;
  if (model.positions == PositionKind::sinusoidal)
    addConstant("embed_positions.sinusoidal", {model.maxPositions + padId + 1, model.dim},
                {"sinusoidal", static_cast<double>(padId)});
  if (model.positions != PositionKind::rotary)
    return;
  // One pair of tables for each size of heads.
  std::set<int64_t> sizes;
  for (bool decoder : {false, true})
    if (decoder || !spec.isLanguageModel())
      for (const MixerPart &part : mixerParts(spec, decoder, 0))
        if (part.attends())
          sizes.insert(part.headDim);
  for (int64_t size : sizes) {
    addConstant(cosineName(size), {model.maxPositions, size / 2}, {"rotary_cos", model.rotaryBase});
    addConstant(sineName(size), {model.maxPositions, size / 2}, {"rotary_sin", model.rotaryBase});
  }
}

std::vector<ParameterSpec> bifocal::listParameters(const Spec &spec) {
  if (isRecurrent(spec.decoder.mixer))
    return listRecurrentParameters(spec);
  ParameterList list(spec);
  if (!spec.isLanguageModel())
    list.addStack(false);
  list.addStack(true);
  list.addOutputProjection();
  list.addPositionTables();
  return list.take();
}
