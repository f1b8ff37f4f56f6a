// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/AdaptiveSpec.h"
#include "frontend/AttentionSpec.h"
#include "frontend/Branches.h"
#include "frontend/OptimizerSpec.h"
#include "frontend/Parameters.h"
#include "frontend/Presets.h"
#include "frontend/RecurrentSpec.h"
#include "frontend/TableReader.h"
#include "runtime/core/Manifest.h"
#include "runtime/core/Nearest.h"

#include <algorithm>
#include <fmt/format.h>

using namespace bifocal;

static constexpr double unbounded = std::numeric_limits<double>::infinity();

Position Spec::whereOf(std::string_view path) const {
  for (std::string_view rest = path; !rest.empty();) {
    if (auto found = where.find(rest); found != where.end())
      return found->second;
    size_t cut = rest.find_last_of(".[");
    rest = cut == std::string_view::npos ? std::string_view() : rest.substr(0, cut);
  }
  if (auto found = where.find("preset"); found != where.end())
    return found->second;
  return {1, 1};
}

static void readVocabularies(TableReader &table, ModelSpec &model) {
  // Four ids are reserved, so a vocabulary with less than five has no word.
  int64_t both = table.integer("vocabulary", 0, 5, std::numeric_limits<int32_t>::max());
  if (table.userHas("vocabulary") && (table.userHas("source_vocabulary") || table.userHas("target_vocabulary")))
    table.error("vocabulary",
                "expects either `vocabulary` or `source_vocabulary` and `target_vocabulary`, but got both");
  model.sourceVocabulary = table.integer("source_vocabulary", 0, 5, std::numeric_limits<int32_t>::max());
  model.targetVocabulary = table.integer("target_vocabulary", 0, 5, std::numeric_limits<int32_t>::max());
  if (both > 0)
    model.sourceVocabulary = model.targetVocabulary = both;
  if (!table.has("vocabulary") && !table.has("source_vocabulary"))
    table.error("source_vocabulary", "expects `source_vocabulary` (or `vocabulary`) in [model], but it is missing");
  if (!table.has("vocabulary") && !table.has("target_vocabulary"))
    table.error("target_vocabulary", "expects `target_vocabulary` (or `vocabulary`) in [model], but it is missing");
  if (model.sharing == Sharing::all && model.sourceVocabulary > 0 && model.targetVocabulary > 0 &&
      model.sourceVocabulary != model.targetVocabulary)
    table.error("share_embeddings",
                fmt::format("`share_embeddings = \"all\"` expects one vocabulary for both sides, but the "
                            "source has {} words and the target {}",
                            model.sourceVocabulary, model.targetVocabulary));
}

/// A language model has one text, and so one vocabulary.
static void readVocabulary(TableReader &table, ModelSpec &model) {
  model.targetVocabulary = table.integer("vocabulary", 0, 5, std::numeric_limits<int32_t>::max());
  for (std::string_view key : {"source_vocabulary", "target_vocabulary"}) {
    table.accept(key);
    if (table.userHas(key))
      table.error(key, fmt::format("`{}` belongs to translation, but the kind is `language_model`, which has one "
                                   "`vocabulary`",
                                   key));
  }
  if (!table.has("vocabulary"))
    table.error("vocabulary", "expects `vocabulary` in [model], but it is missing");
  if (model.sharing == Sharing::all)
    table.error("share_embeddings", "expects `none` or `decoder_in_out` of a language model, which has no encoder, "
                                    "but got `all`");
}

/// The published models of pre-norm layers have a norm after the last one, but for convolutional language models.
static void readNorm(TableReader &table, ModelSpec &model) {
  static constexpr TableReader::Choice norms[] = {{"post", int(NormPlace::post)}, {"pre", int(NormPlace::pre)}};
  static constexpr TableReader::Choice kinds[] = {{"layer_norm", int(NormKind::layer)},
                                                  {"rms_norm", int(NormKind::rms)}};
  model.norm = NormPlace(table.choice("norm", int(model.norm), norms));
  model.normKind = NormKind(table.choice("norm_kind", int(model.normKind), kinds));
  const bool pre = model.norm == NormPlace::pre;
  model.finalNorm = table.boolean("final_norm", pre) && pre;
  if (!pre && table.userHas("final_norm") && table.boolean("final_norm", false))
    table.error("final_norm", "`final_norm` belongs to the norm `pre`, but the norm is `post`, which ends every layer");
}

static void readModel(TableReader table, ModelSpec &model) {
  static constexpr TableReader::Choice kinds[] = {{"translation", int(ModelKind::translation)},
                                                  {"language_model", int(ModelKind::languageModel)}};
  static constexpr TableReader::Choice sharings[] = {
      {"none", int(Sharing::none)}, {"decoder_in_out", int(Sharing::decoderInOut)}, {"all", int(Sharing::all)}};
  static constexpr TableReader::Choice positions[] = {{"sinusoidal", int(PositionKind::sinusoidal)},
                                                      {"learned", int(PositionKind::learned)},
                                                      {"rotary", int(PositionKind::rotary)},
                                                      {"none", int(PositionKind::none)}};
  static constexpr TableReader::Choice ffnInits[] = {{"xavier", int(FfnInit::xavier)}, {"fan_in", int(FfnInit::fanIn)}};
  model.kind = ModelKind(table.choice("kind", int(model.kind), kinds));
  model.dim = table.integer("dim", 512, 1, 1 << 20);
  readNorm(table, model);
  model.sharing = Sharing(table.choice("share_embeddings", int(model.sharing), sharings));
  model.positions = PositionKind(table.choice("positions", int(model.positions), positions));
  readRotary(table, model);
  model.scaleEmbeddings = table.boolean("scale_embeddings", model.scaleEmbeddings);
  model.bias = table.boolean("bias", model.bias);
  model.ffnInit = FfnInit(table.choice("ffn_init", int(model.ffnInit), ffnInits));
  model.maxPositions = table.integer("max_positions", model.maxPositions, 1, 1 << 24);
  // The first and the last frequency of the sinusoid stand half - 1 apart.
  if (model.positions == PositionKind::sinusoidal && model.dim < 4)
    table.error("dim", fmt::format("sinusoidal positions expect dim >= 4, but got {}", model.dim));
  if (model.kind == ModelKind::languageModel)
    readVocabulary(table, model);
  else
    readVocabularies(table, model);
  model.dropout = table.number("dropout", 0.1, 0, 1, true);
  model.attentionDropout = table.number("attention_dropout", 0, 0, 1, true);
  readSoftCap(table, model);
  model.reluDropout = table.number("relu_dropout", 0, 0, 1, true);
  model.inputDropout = table.number("input_dropout", 0, 0, 1, true);
  model.weightDropout = table.number("weight_dropout", model.attentionDropout, 0, 1, true);
  readAdaptive(table, model);
  table.finish();
}

/// Broadcasts a list of one size and compares the length of any other with the layers.
static void checkKernelSizes(TableReader &table, StackSpec &stack) {
  if (stack.kernelSizes.size() == 1)
    stack.kernelSizes.resize(stack.layers, stack.kernelSizes.front());
  if (stack.kernelSizes.size() == static_cast<size_t>(stack.layers))
    return;
  if (table.wrong("kernel_sizes") || table.wrong("layers"))
    return;
  std::string_view culprit = table.userHas("kernel_sizes") || !table.userHas("layers") ? "kernel_sizes" : "layers";
  if (!table.has("kernel_sizes"))
    table.error(culprit,
                fmt::format("expects `kernel_sizes`, one per layer, in {}, but the key is missing", table.title()));
  else
    table.error(culprit,
                fmt::format("`kernel_sizes` expects one size per layer ({}) or one for all, but got {}{}", stack.layers,
                            stack.kernelSizes.size(), table.userHas("kernel_sizes") ? "" : " from the preset"));
}

/// `heads` do not divide `name`, which is the model's dim unless the user gave the stack its own.
static void reportHeads(TableReader &table, const StackSpec &stack, std::string_view name, int64_t value) {
  if (table.wrong("heads") || table.wrong(name))
    return;
  std::string message = fmt::format("expects heads to divide {} in {}, but got {} heads and {} {}", name, table.title(),
                                    stack.heads, name, value);
  if (table.userHas("heads") || table.userHas(name))
    table.error(table.userHas(name) ? name : "heads", std::move(message));
  else
    table.errorAt("model.dim", std::move(message));
}

static void readMixer(TableReader &table, StackSpec &stack, int64_t dim, bool decoder) {
  // The preset's sizes suit its own mixer; they are ignored where no convolution reads them.
  std::vector<int64_t> sizes = table.integers("kernel_sizes", 1, 1 << 20);
  if (table.isList("mixer")) {
    readBranches(table, stack, dim, decoder);
    if (std::ranges::any_of(stack.branches, [](const BranchSpec &branch) {
          return branch.kind != Mixer::attention && branch.kernelSize == 0;
        })) {
      stack.kernelSizes = std::move(sizes);
      checkKernelSizes(table, stack);
    }
    return;
  }
  readRecurrent(table, stack);
  table.accept("mask_before_linear");
  if (table.userHas("mask_before_linear"))
    table.error("mask_before_linear", "`mask_before_linear` belongs to a mixer that is a list of branches");
  stack.convDim = table.userHas("conv_dim") ? table.integer("conv_dim", dim, 1, 1 << 20) : dim;
  table.accept("conv_dim"); // the preset's follows its own dim
  stack.glu = table.boolean("glu", true);
  stack.weightSoftmax = table.boolean("weight_softmax", true);
  stack.convBias = table.boolean("conv_bias", false);
  if (stack.mixer == Mixer::attention || stack.mixer == Mixer::diffAttention || isRecurrent(stack.mixer)) {
    for (std::string_view key : {"kernel_sizes", "conv_dim", "glu", "weight_softmax", "conv_bias"})
      if (table.userHas(key))
        table.error(key, fmt::format("`{}` belongs to convolutions, but the mixer is `{}`", key, name(stack.mixer)));
    stack.glu = false;
    stack.convDim = dim;
    return;
  }
  stack.kernelSizes = std::move(sizes);
  checkKernelSizes(table, stack);
  if (stack.convDim % stack.heads != 0)
    reportHeads(table, stack, "conv_dim", stack.convDim);
}

static void readStack(TableReader table, StackSpec &stack, const ModelSpec &model, bool decoder) {
  static constexpr TableReader::Choice mixers[] = {{"light_conv", int(Mixer::lightConv)},
                                                   {"dynamic_conv", int(Mixer::dynamicConv)},
                                                   {"attention", int(Mixer::attention)},
                                                   {"diff_attention", int(Mixer::diffAttention)},
                                                   {"relative_attention", int(Mixer::relativeAttention)},
                                                   {"span_attention", int(Mixer::spanAttention)}};
  static constexpr TableReader::Choice activations[] = {{"relu", int(FfnActivation::relu)},
                                                        {"swiglu", int(FfnActivation::swiglu)}};
  stack.layers = table.integer("layers", 6, 1, 1000);
  if (!table.isList("mixer"))
    stack.mixer = Mixer(table.choice("mixer", int(stack.mixer), mixers));
  stack.heads = table.integer("heads", 8, 1, 1 << 20);
  stack.ffnDim = table.integer("ffn_dim", 2048, 1, 1 << 24);
  stack.ffnActivation = FfnActivation(table.choice("ffn_activation", int(stack.ffnActivation), activations));
  readMixer(table, stack, model.dim, decoder);
  readAttention(table, stack, model);
  // The decoder of a translation attends to the encoder, with the same number of heads.
  const bool attends = (decoder && model.kind == ModelKind::translation) || isRecurrent(stack.mixer);
  if (attends && model.dim % stack.heads != 0)
    reportHeads(table, stack, "dim", model.dim);
  table.finish();
}

static void readSchedule(TableReader table, ScheduleSpec &schedule) {
  static constexpr std::string_view names[] = {"inverse_sqrt", "cosine", "polynomial", "constant", "fixed"};
  schedule.name = table.text("name", schedule.name, names);
  schedule.lr = table.number("lr", schedule.lr, 0, unbounded);
  schedule.warmupUpdates = table.integer("warmup_updates", schedule.name == "inverse_sqrt" ? 4000 : 0, 0);
  schedule.warmupInitLr = table.number("warmup_init_lr", -1, -1, unbounded);
  schedule.minLr = table.number("min_lr", 0, 0, unbounded);
  schedule.periodUpdates = table.integer("period_updates", -1, -1);
  schedule.periodMult = table.number("period_mult", 1, 1, unbounded);
  schedule.shrink = table.number("shrink", 0.1, 0, 1);
  schedule.endLr = table.number("end_lr", 0, 0, unbounded);
  schedule.power = table.number("power", 1, 0, unbounded);
  schedule.totalUpdates = table.integer("total_updates", 0, 0);
  // The decay begins at the end of the warm-up and is scaled by its length.
  if (schedule.name == "inverse_sqrt" && schedule.warmupUpdates == 0)
    table.error("warmup_updates", "the schedule `inverse_sqrt` expects warmup_updates >= 1, but got 0");
  table.finish();
}

static constexpr std::string_view precisions[] = {"f32", "bf16", "int8", "int8_weight_only"},
                                  laterPrecisions[] = {"f16"}, whyLater = "its gradients need loss scaling";

Status bifocal::checkPrecision(std::string_view precision) {
  if (std::ranges::find(precisions, precision) != std::end(precisions))
    return {};
  if (std::ranges::find(laterPrecisions, precision) != std::end(laterPrecisions))
    return {StatusCode::unsupported, notYet(precision, "precision", precisions, whyLater)};
  return {StatusCode::usage, fmt::format("expects {}, but got `{}`", listOf(precisions), precision)};
}

/// How the text of a language model is cut into rows of batches.
static void readSamples(TableReader &table, TrainingSpec &training, const ModelSpec &model) {
  constexpr std::string_view keys[] = {"tokens_per_sample", "sample_break_mode"};
  if (model.kind != ModelKind::languageModel) {
    for (std::string_view key : keys) {
      table.accept(key);
      if (table.userHas(key))
        table.error(key, fmt::format("`{}` belongs to language models, but the kind is `translation`", key));
    }
    return;
  }
  static constexpr std::string_view modes[] = {"none", "complete", "eos"};
  training.tokensPerSample = table.integer(keys[0], std::min<int64_t>(512, model.maxPositions), 1);
  training.sampleBreakMode = table.text(keys[1], modes[0], modes);
  if (training.tokensPerSample <= model.maxPositions || table.wrong(keys[0]))
    return;
  std::string message = fmt::format("expects tokens_per_sample of at most max_positions {}, but got {}",
                                    model.maxPositions, training.tokensPerSample);
  if (table.userHas(keys[0]))
    table.error(keys[0], std::move(message));
  else
    table.errorAt("model.max_positions", std::move(message));
}

static void readTraining(TableReader table, TrainingSpec &training, const ModelSpec &model) {
  static constexpr std::string_view criteria[] = {"label_smoothed_cross_entropy", "cross_entropy"};
  if (model.kind == ModelKind::languageModel)
    training.criterion.name = criteria[1];
  TableReader criterion = table.table("criterion");
  training.criterion.name = criterion.text("name", training.criterion.name, criteria);
  bool smoothed = training.criterion.name == criteria[0];
  training.criterion.smoothing = criterion.number("smoothing", smoothed ? 0.1 : 0.0, 0, 1, true);
  if (!smoothed) {
    if (criterion.userHas("smoothing") && training.criterion.smoothing != 0)
      criterion.error("smoothing",
                      "`smoothing` belongs to `label_smoothed_cross_entropy`, but the criterion is `cross_entropy`");
    training.criterion.smoothing = 0;
  }
  if (smoothed && model.adaptiveSoftmax.isUsed())
    criterion.error("name", "expects `cross_entropy` beside an adaptive softmax, but got "
                            "`label_smoothed_cross_entropy`");
  criterion.finish();
  readOptimizer(table.table("optimizer"), training.optimizer);
  readSchedule(table.table("schedule"), training.schedule);
  training.maxTokens = table.integer("max_tokens", training.maxTokens, 1);
  training.maxSentences = table.integer("max_sentences", 0, 0);
  training.batchMultiple = table.integer("batch_multiple", 1, 1);
  training.updateFreq = table.integer("update_freq", training.updateFreq, 1);
  training.clipNorm = table.number("clip_norm", training.clipNorm, 0, unbounded);
  training.maxUpdate = table.integer("max_update", training.maxUpdate, 0);
  training.maxEpoch = table.integer("max_epoch", training.maxEpoch, 0);
  training.validateEvery = table.integer("validate_every", 0, 0);
  training.saveEvery = table.integer("save_every", 0, 0);
  training.patience = table.integer("patience", 0, 0);
  training.seed = table.integer("seed", training.seed, 0);
  training.precision = table.text("precision", training.precision, precisions, laterPrecisions, whyLater);
  static constexpr std::string_view recomputed[] = {"none", "rows", "attention"};
  training.recompute = table.text("recompute", training.recompute, recomputed);
  readSamples(table, training, model);
  table.finish();
}

/// Parses TOML; a syntax error becomes a diagnostic.
static std::optional<toml::table> parseToml(std::string_view text, Diagnostics &diagnostics) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error &error) {
    const toml::source_position &at = error.source().begin;
    std::string reason(error.description());
    reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
    diagnostics.error({static_cast<uint32_t>(at.line), static_cast<uint32_t>(at.column)},
                      fmt::format("expects TOML: {}", reason));
    return std::nullopt;
  }
}

/// A model whose artifact no runtime would open is not worth its compilation.
static void checkSize(TableReader &root, const Spec &spec) {
  int64_t total = 0;
  for (const ParameterSpec &parameter : listParameters(spec))
    total += parameter.elements();
  if (total > Manifest::mostParameters)
    root.errorAt("model.dim", fmt::format("expects a model of at most {} parameters, but it has {}",
                                          int64_t{Manifest::mostParameters}, total));
}

Result<Spec> bifocal::parseSpec(std::string_view text, std::string_view fileName) {
  Diagnostics diagnostics(fileName, text);
  std::optional<toml::table> user = parseToml(text, diagnostics);
  if (!user)
    return diagnostics.status();
  Spec spec;
  spec.fileName = fileName;
  std::vector<std::string> names = presetNames();
  std::vector<std::string_view> nameViews(names.begin(), names.end());
  TableReader preliminary("", &*user, nullptr, {1, 1}, spec, diagnostics);
  toml::table preset;
  std::string presetName = preliminary.text("preset", "", nameViews);
  // The rest is judged by the preset that was meant; where that is anybody's guess, nothing would be certain.
  if (preliminary.wrong("preset")) {
    if (const toml::node *given = user->get("preset"); given->is_string())
      presetName = nearest(**given->as_string(), nameViews);
    if (presetName.empty())
      return diagnostics.status();
  }
  if (!presetName.empty())
    preset = toml::parse(presetText(presetName));
  dropOtherOptimizer(*user, preset);
  Position start = spec.whereOf("preset");
  TableReader root("", &*user, &preset, start, spec, diagnostics);
  root.accept("preset"); // read above
  readModel(root.table("model"), spec.model);
  if (!spec.isLanguageModel())
    readStack(root.table("encoder"), spec.encoder, spec.model, false);
  else if (root.accept("encoder"); root.userHas("encoder"))
    root.error("encoder", "[encoder] belongs to translation, but the kind is `language_model`, which has a [decoder] "
                          "alone");
  readStack(root.table("decoder"), spec.decoder, spec.model, true);
  readTraining(root.table("training"), spec.training, spec.model);
  // First the models that know distances alone, also where a preset has rotary positions.
  checkRecurrent(root, spec);
  checkRotary(root, spec);
  checkSoftCap(root, spec);
  root.finish();
  if (diagnostics.empty())
    checkSize(root, spec);
  if (!diagnostics.empty())
    return diagnostics.status();
  return spec;
}
