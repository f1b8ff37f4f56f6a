// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Models with a memory of earlier segments: Transformer-XL (`relative_attention`) and adaptive span (`span_attention`).

#include "frontend/RecurrentSpec.h"

#include <algorithm>
#include <fmt/format.h>

using namespace bifocal;

bool bifocal::isRecurrent(Mixer mixer) { return mixer == Mixer::relativeAttention || mixer == Mixer::spanAttention; }

static constexpr std::string_view memoryKeys[] = {"memory", "clamp_length", "same_length", "evaluation"};
static constexpr std::string_view spanKeys[] = {"attention_span", "span_ramp", "span_init", "span_loss", "span_per"};

/// Reports keys that belong to the mixer `owner`.
static void rejectKeys(TableReader &table, std::span<const std::string_view> keys, std::string_view owner,
                       const StackSpec &stack) {
  for (std::string_view key : keys) {
    table.accept(key);
    if (table.userHas(key))
      table.error(key,
                  fmt::format("`{}` belongs to the mixer `{}`, but the mixer is `{}`", key, owner, name(stack.mixer)));
  }
}

static void readMemory(TableReader &table, MemorySpec &memory) {
  memory.steps = table.integer("memory", memory.steps, 0, 1 << 24);
  memory.clampLength = table.integer("clamp_length", memory.clampLength, 0, 1 << 24);
  memory.sameLength = table.boolean("same_length", memory.sameLength);
  if (memory.sameLength && memory.steps == 0)
    table.error("same_length", "`same_length` expects a memory of at least 1 step, the length that all steps see, but "
                               "got 0");
}

void bifocal::readRecurrent(TableReader &table, StackSpec &stack) {
  RecurrentSpec &recurrent = stack.recurrent;
  if (stack.mixer == Mixer::relativeAttention) {
    recurrent.training.steps = 512;
    readMemory(table, recurrent.training);
    recurrent.evaluation = recurrent.training;
    TableReader evaluation = table.table("evaluation");
    readMemory(evaluation, recurrent.evaluation);
    evaluation.finish();
  } else {
    rejectKeys(table, memoryKeys, "relative_attention", stack);
  }
  if (stack.mixer == Mixer::spanAttention) {
    recurrent.span = table.integer("attention_span", 1024, 1, 1 << 24);
    recurrent.ramp = table.integer("span_ramp", 32, 1, 1 << 24);
    static constexpr TableReader::Choice owners[] = {{"head", 0}, {"layer", 1}};
    recurrent.spanPerLayer = table.choice("span_per", 0, owners) == 1;
    recurrent.spanInit = table.number("span_init", 0, 0, 1);
    recurrent.spanLoss = table.number("span_loss", 2e-6, 0, std::numeric_limits<double>::infinity());
  } else {
    rejectKeys(table, spanKeys, "span_attention", stack);
  }
}

/// Published softmaxes of Transformer-XL share their words with the input.
static void checkVocabulary(TableReader &root, const Spec &spec) {
  const ModelSpec &model = spec.model;
  const bool adaptive = model.adaptiveInput.isUsed() || model.adaptiveSoftmax.isUsed();
  if (spec.decoder.mixer == Mixer::spanAttention) {
    if (adaptive)
      root.errorAt(model.adaptiveInput.isUsed() ? "model.adaptive_input" : "model.adaptive_softmax",
                   "expects no adaptive input or softmax beside the mixer `span_attention`");
    if (model.sharing != Sharing::none)
      root.errorAt("model.share_embeddings", fmt::format("expects `none` beside the mixer `span_attention`, but got "
                                                         "`{}`",
                                                         name(model.sharing)));
    return;
  }
  if (adaptive && !model.adaptiveSoftmax.tieWeights)
    root.errorAt("model.adaptive_softmax",
                 "expects an adaptive input and an adaptive softmax with `tie_weights = true` beside the mixer "
                 "`relative_attention`, but got one without the other");
}

static void checkDistances(TableReader &root, const Spec &spec) {
  const RecurrentSpec &recurrent = spec.decoder.recurrent;
  const int64_t memory = std::max(recurrent.training.steps, recurrent.evaluation.steps);
  const int64_t longest = memory + spec.training.tokensPerSample;
  if (spec.decoder.mixer == Mixer::relativeAttention && longest > spec.model.maxPositions)
    root.errorAt("model.max_positions",
                 fmt::format("expects max_positions of at least {}, the longest memory {} and tokens_per_sample {} "
                             "together, but got {}",
                             longest, memory, spec.training.tokensPerSample, spec.model.maxPositions));
}

namespace {
/// A key that has one value in such models, or none.
struct Fixed {
  std::string_view path;
  bool otherwise; ///< whether its value is not what such models have
  std::string_view expected, why;
  std::string found;
};
} // namespace

static std::vector<Fixed> fixedKeys(const Spec &spec) {
  const ModelSpec &model = spec.model;
  const bool spans = spec.decoder.mixer == Mixer::spanAttention;
  const auto quoted = [](std::string_view text) { return fmt::format("`{}`", text); };
  const auto text = [](auto value) { return fmt::format("{}", value); };
  constexpr std::string_view noConvolutions = ", which has no convolutions";
  const double softmaxDropout = model.adaptiveSoftmax.dropout;
  return {
      {"decoder.ffn_activation", spec.decoder.ffnActivation != FfnActivation::relu, "`ffn_activation = \"relu\"`", "",
       quoted(name(spec.decoder.ffnActivation))},
      {"model.norm_kind", model.normKind != NormKind::layer, "`norm_kind = \"layer_norm\"`", "",
       quoted(name(model.normKind))},
      {"model.bias", !model.bias, "`bias = true`", "", text(model.bias)},
      {"model.scale_embeddings", spans || !model.scaleEmbeddings,
       spans ? "no `scale_embeddings`" : "`scale_embeddings = true`", spans ? ", whose words are not scaled" : "",
       text(model.scaleEmbeddings)},
      {"model.ffn_init", model.ffnInit != FfnInit::xavier, "no `ffn_init`",
       ", whose first weights are the published ones", quoted(name(model.ffnInit))},
      {"model.rotary_base", model.positions == PositionKind::rotary, "no `rotary_base`",
       ", which knows distances alone", text(model.rotaryBase)},
      {"model.input_dropout", model.inputDropout > 0, "no `input_dropout`", noConvolutions, text(model.inputDropout)},
      {"model.weight_dropout", model.weightDropout > 0, "no `weight_dropout`", noConvolutions,
       text(model.weightDropout)},
      // Beside spans the whole table is an error.
      {"model.adaptive_softmax.dropout", !spans && softmaxDropout > 0, "no `dropout` of the adaptive softmax", "",
       text(softmaxDropout)}};
}

/// Reports what the user wrote for nothing. A preset of other models may say otherwise; it is overruled.
static void fixKeys(TableReader &root, Spec &spec) {
  const Mixer mixer = spec.decoder.mixer;
  for (const Fixed &fixed : fixedKeys(spec))
    if (fixed.otherwise && spec.where.contains(fixed.path))
      root.errorAt(fixed.path, fmt::format("expects {} beside the mixer `{}`{}, but got {}", fixed.expected,
                                           name(mixer), fixed.why, fixed.found));
  ModelSpec &model = spec.model;
  spec.decoder.ffnActivation = FfnActivation::relu;
  model.normKind = NormKind::layer;
  model.bias = true;
  model.scaleEmbeddings = mixer == Mixer::relativeAttention;
  model.ffnInit = FfnInit::xavier;
  model.positions = PositionKind::sinusoidal;
  model.inputDropout = model.weightDropout = model.adaptiveSoftmax.dropout = 0;
}

void bifocal::checkRecurrent(TableReader &root, Spec &spec) {
  const std::string_view mixer = name(spec.decoder.mixer);
  if (isRecurrent(spec.encoder.mixer) || (isRecurrent(spec.decoder.mixer) && !spec.isLanguageModel())) {
    const bool encoder = isRecurrent(spec.encoder.mixer);
    root.errorAt(encoder ? "encoder.mixer" : "decoder.mixer",
                 fmt::format("the mixer `{}` belongs to language models, but the kind is `translation`",
                             encoder ? name(spec.encoder.mixer) : mixer));
    return;
  }
  if (!isRecurrent(spec.decoder.mixer))
    return;
  if (spec.model.finalNorm && spec.where.contains("model.final_norm"))
    root.errorAt("model.final_norm", fmt::format("expects no norm after the last layer beside the mixer `{}`", mixer));
  spec.model.finalNorm = false;
  if (spec.where.contains("model.positions"))
    root.errorAt("model.positions",
                 fmt::format("`positions` belongs to other mixers: `{}` knows distances alone", mixer));
  if (spec.decoder.mixer == Mixer::spanAttention && spec.model.norm == NormPlace::pre)
    root.errorAt("model.norm", "expects the norm `post` beside the mixer `span_attention`, but got `pre`");
  if (spec.training.sampleBreakMode != "none")
    root.errorAt("training.sample_break_mode",
                 fmt::format("expects `none` beside the mixer `{}`, whose memory goes on where a segment ends, but got "
                             "`{}`",
                             mixer, spec.training.sampleBreakMode));
  fixKeys(root, spec);
  checkVocabulary(root, spec);
  checkDistances(root, spec);
}

std::string bifocal::printRecurrent(const StackSpec &stack) {
  const RecurrentSpec &recurrent = stack.recurrent;
  const auto text = [](const MemorySpec &memory, std::string_view separator) {
    return fmt::format("memory = {1}{0}clamp_length = {2}{0}same_length = {3}", separator, memory.steps,
                       memory.clampLength, memory.sameLength);
  };
  if (stack.mixer == Mixer::relativeAttention)
    return fmt::format("{}\nevaluation = {{ {} }}\n", text(recurrent.training, "\n"), text(recurrent.evaluation, ", "));
  if (stack.mixer == Mixer::spanAttention)
    return fmt::format("attention_span = {}\nspan_ramp = {}\nspan_init = {}\nspan_loss = {}\nspan_per = \"{}\"\n",
                       recurrent.span, recurrent.ramp, recurrent.spanInit, recurrent.spanLoss,
                       recurrent.spanPerLayer ? "layer" : "head");
  return {};
}
