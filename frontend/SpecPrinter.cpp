// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/AttentionSpec.h"
#include "frontend/Branches.h"
#include "frontend/RecurrentSpec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace bifocal;

std::string_view bifocal::name(ModelKind kind) {
  return kind == ModelKind::languageModel ? "language_model" : "translation";
}
std::string_view bifocal::name(Mixer mixer) {
  switch (mixer) {
  case Mixer::lightConv:
    return "light_conv";
  case Mixer::dynamicConv:
    return "dynamic_conv";
  case Mixer::attention:
    return "attention";
  case Mixer::diffAttention:
    return "diff_attention";
  case Mixer::branches:
    return "branches";
  case Mixer::relativeAttention:
    return "relative_attention";
  case Mixer::spanAttention:
    return "span_attention";
  }
  return "";
}
std::string_view bifocal::name(NormPlace place) { return place == NormPlace::pre ? "pre" : "post"; }
std::string_view bifocal::name(Sharing sharing) {
  switch (sharing) {
  case Sharing::none:
    return "none";
  case Sharing::decoderInOut:
    return "decoder_in_out";
  case Sharing::all:
    return "all";
  }
  return "";
}
std::string_view bifocal::name(FfnInit init) { return init == FfnInit::fanIn ? "fan_in" : "xavier"; }
std::string_view bifocal::name(FfnActivation activation) {
  return activation == FfnActivation::swiglu ? "swiglu" : "relu";
}
std::string_view bifocal::name(NormKind kind) { return kind == NormKind::rms ? "rms_norm" : "layer_norm"; }
std::string_view bifocal::name(DiffVariant variant) { return variant == DiffVariant::v2 ? "v2" : "v1"; }
std::string_view bifocal::name(PositionKind kind) {
  switch (kind) {
  case PositionKind::sinusoidal:
    return "sinusoidal";
  case PositionKind::learned:
    return "learned";
  case PositionKind::rotary:
    return "rotary";
  case PositionKind::none:
    return "none";
  }
  return "";
}

static std::string printStack(std::string_view table, const StackSpec &stack) {
  const bool branches = stack.mixer == Mixer::branches;
  std::string mixer = branches ? printBranches(stack) : fmt::format("\"{}\"", name(stack.mixer));
  std::string text = fmt::format("\n[{}]\nlayers = {}\nmixer = {}\nheads = {}\nffn_dim = {}\nffn_activation = \"{}\"\n",
                                 table, stack.layers, mixer, stack.heads, stack.ffnDim, name(stack.ffnActivation));
  text += printAttention(stack);
  if (branches && !stack.kernelSizes.empty())
    text += fmt::format("kernel_sizes = [{}]\n", fmt::join(stack.kernelSizes, ", "));
  if (branches && table == "encoder")
    text += fmt::format("mask_before_linear = {}\n", stack.maskBeforeLinear);
  if (isRecurrent(stack.mixer))
    text += printRecurrent(stack);
  if (stack.mixer == Mixer::lightConv || stack.mixer == Mixer::dynamicConv)
    text +=
        fmt::format("kernel_sizes = [{}]\nconv_dim = {}\nglu = {}\nweight_softmax = {}\nconv_bias = {}\n",
                    fmt::join(stack.kernelSizes, ", "), stack.convDim, stack.glu, stack.weightSoftmax, stack.convBias);
  return text;
}

static std::string printOptimizer(const OptimizerSpec &optimizer) {
  std::string own;
  if (optimizer.name == "adam")
    own = fmt::format("betas = [{}, {}], epsilon = {}", optimizer.beta1, optimizer.beta2, optimizer.epsilon);
  else if (optimizer.name == "adagrad")
    own = fmt::format("epsilon = {}, clip = {}, lr_decay = {}", optimizer.epsilon, optimizer.clip, optimizer.lrDecay);
  else
    own = fmt::format("momentum = {}", optimizer.momentum);
  return fmt::format("optimizer = {{ name = \"{}\", {}, weight_decay = {} }}\n", optimizer.name, own,
                     optimizer.weightDecay);
}

static std::string printAdaptive(const ModelSpec &model) {
  const AdaptiveSpec &input = model.adaptiveInput;
  const AdaptiveSoftmaxSpec &softmax = model.adaptiveSoftmax;
  std::string text;
  if (input.isUsed())
    text += fmt::format("adaptive_input = {{ cutoffs = [{}], factor = {} }}\n", fmt::join(input.cutoffs, ", "),
                        input.factor);
  if (softmax.isUsed())
    text += fmt::format("adaptive_softmax = {{ cutoffs = [{}], factor = {}, dropout = {}, tie_weights = {}, "
                        "tie_projections = {}, compat = {} }}\n",
                        fmt::join(softmax.cutoffs, ", "), softmax.factor, softmax.dropout, softmax.tieWeights,
                        softmax.tieProjections, softmax.compat);
  return text;
}

static std::string printTraining(const TrainingSpec &training) {
  const ScheduleSpec &schedule = training.schedule;
  std::string text = fmt::format("\n[training]\ncriterion = {{ name = \"{}\", smoothing = {} }}\n",
                                 training.criterion.name, training.criterion.smoothing);
  text += printOptimizer(training.optimizer);
  text += fmt::format("schedule = {{ name = \"{}\", lr = {}, warmup_updates = {}, warmup_init_lr = {}, min_lr = {}, "
                      "period_updates = {}, "
                      "period_mult = {}, shrink = {}, end_lr = {}, power = {}, total_updates = {} }}\n",
                      schedule.name, schedule.lr, schedule.warmupUpdates, schedule.warmupInitLr, schedule.minLr,
                      schedule.periodUpdates, schedule.periodMult, schedule.shrink, schedule.endLr, schedule.power,
                      schedule.totalUpdates);
  text += fmt::format(
      "max_tokens = {}\nmax_sentences = {}\nbatch_multiple = {}\nupdate_freq = {}\nclip_norm = {}\nmax_update = {}\n"
      "max_epoch = {}\nvalidate_every = {}\nsave_every = {}\npatience = {}\nseed = {}\nprecision = \"{}\"\n"
      "recompute = \"{}\"\n",
      training.maxTokens, training.maxSentences, training.batchMultiple, training.updateFreq, training.clipNorm,
      training.maxUpdate, training.maxEpoch, training.validateEvery, training.saveEvery, training.patience,
      training.seed, training.precision, training.recompute);
  if (training.tokensPerSample > 0)
    text += fmt::format("tokens_per_sample = {}\nsample_break_mode = \"{}\"\n", training.tokensPerSample,
                        training.sampleBreakMode);
  return text;
}

std::string bifocal::printSpec(const Spec &spec) {
  const ModelSpec &model = spec.model;
  const std::string positions =
      isRecurrent(spec.decoder.mixer) ? "" : fmt::format("positions = \"{}\"\n", name(model.positions));
  std::string text = fmt::format("[model]\nkind = \"{}\"\ndim = {}\nnorm = \"{}\"\nshare_embeddings = \"{}\"\n"
                                 "{}ffn_init = \"{}\"\nmax_positions = {}\n",
                                 name(model.kind), model.dim, name(model.norm), name(model.sharing), positions,
                                 name(model.ffnInit), model.maxPositions);
  text += fmt::format("norm_kind = \"{}\"\nbias = {}\n", name(model.normKind), model.bias);
  // Words of adaptive span are not scaled, so the key would be an error.
  if (spec.decoder.mixer != Mixer::spanAttention)
    text += fmt::format("scale_embeddings = {}\n", model.scaleEmbeddings);
  if (model.positions == PositionKind::rotary)
    text += fmt::format("rotary_base = {}\n", model.rotaryBase);
  if (model.norm == NormPlace::pre)
    text += fmt::format("final_norm = {}\n", model.finalNorm);
  text += spec.isLanguageModel() ? fmt::format("vocabulary = {}\n", model.targetVocabulary)
                                 : fmt::format("source_vocabulary = {}\ntarget_vocabulary = {}\n",
                                               model.sourceVocabulary, model.targetVocabulary);
  text +=
      fmt::format("dropout = {}\nattention_dropout = {}\nrelu_dropout = {}\ninput_dropout = {}\nweight_dropout = {}\n",
                  model.dropout, model.attentionDropout, model.reluDropout, model.inputDropout, model.weightDropout);
  text += fmt::format("attention_soft_cap = {}\n", model.attentionSoftCap);
  text += printAdaptive(model);
  if (!spec.isLanguageModel())
    text += printStack("encoder", spec.encoder);
  return text + printStack("decoder", spec.decoder) + printTraining(spec.training);
}
