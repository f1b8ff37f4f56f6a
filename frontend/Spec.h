// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_SPEC_H
#define BIFOCAL_FRONTEND_SPEC_H

#include "frontend/Diagnostics.h"

#include <map>
#include <string>
#include <vector>

namespace bifocal {

/// What a model is for: text from text, or text from its own beginning.
enum class ModelKind { translation, languageModel };
/// How a layer mixes positions; `branches` is a list of others, each on channels of its own (LSRA). The last two read a
/// memory of earlier segments: Transformer-XL and adaptive span.
enum class Mixer { lightConv, dynamicConv, attention, diffAttention, branches, relativeAttention, spanAttention };
/// The versions of differential attention: two maps with keys of their own and a norm behind their difference, or
/// neighbouring heads that share keys and values, the second one gated.
enum class DiffVariant { v1, v2 };
/// Where the norm of a residual block stands.
enum class NormPlace { post, pre };
enum class NormKind { layer, rms };
/// Which embedding tables are one tensor.
enum class Sharing { none, decoderInOut, all };
/// How positions are told: by a table that is added to the words, by turning queries and keys, or not at all.
enum class PositionKind { sinusoidal, learned, rotary, none };
/// The first weights of feed-forward layers: Xavier's, or uniform in +-sqrt(2 / inputs).
enum class FfnInit { xavier, fanIn };
/// Between the two linears of a feed-forward layer.
enum class FfnActivation { relu, swiglu };

/// One of the mixers that a layer has side by side.
struct BranchSpec {
  Mixer kind = Mixer::attention;
  int64_t dim = 0;
  int64_t heads = 0;
  int64_t kernelSize = 0; ///< of a convolution, in all layers; 0: that of the layer in the stack's list
  bool glu = false;
  bool weightSoftmax = true;
};

/// How much of earlier segments a layer of Transformer-XL sees.
struct MemorySpec {
  int64_t steps = 0;
  int64_t clampLength = 0; ///< distances from here on count as one; 0: all differ
  bool sameLength = false; ///< every step sees `steps` steps, itself included

  bool operator==(const MemorySpec &) const = default;
};

/// What layers with a memory have beside those of attention.
struct RecurrentSpec {
  MemorySpec training, evaluation;   ///< of `Mixer::relativeAttention`
  int64_t span = 0, ramp = 0;        ///< of `Mixer::spanAttention`: the longest span, and the steps in which it ends
  double spanInit = 0, spanLoss = 0; ///< the first spans as parts of the longest one; the price of a step
  bool spanPerLayer = false;         ///< all heads of a layer share a span

  bool operator==(const RecurrentSpec &) const = default;
};

/// Encoder or decoder; a language model is a decoder alone. Sizes are those of the published models; see the presets.
struct StackSpec {
  int64_t layers = 0;
  Mixer mixer = Mixer::lightConv;
  std::vector<BranchSpec> branches; ///< of `Mixer::branches`, in the order of their channels
  std::vector<int64_t> kernelSizes; ///< one per layer; empty when no convolution reads it
  int64_t heads = 0;                ///< of convolutions, self-attention and cross-attention; branches have their own
  int64_t kvHeads = 0;              ///< of self-attention: heads of keys and values
  int64_t headDim = 0;              ///< of self-attention: channels of a query's head
  DiffVariant diffVariant = DiffVariant::v1;
  int64_t ffnDim = 0;
  FfnActivation ffnActivation = FfnActivation::relu;
  int64_t convDim = 0;
  bool glu = false;
  bool weightSoftmax = true;
  bool convBias = false;
  RecurrentSpec recurrent;
  bool maskBeforeLinear = false; ///< of branches: padding becomes zeros before the first linear, not after it

  /// Of `Mixer::spanAttention`: how many spans a layer learns.
  int64_t spans() const { return recurrent.spanPerLayer ? 1 : heads; }
};

/// A vocabulary in bands, the rarer words with less width each: adaptive input or softmax of a language model.
struct AdaptiveSpec {
  std::vector<int64_t> cutoffs; ///< the first ids of all bands but the first; empty: not adaptive
  int64_t factor = 4;           ///< by which the width of a band is smaller than that of the one before

  bool operator==(const AdaptiveSpec &) const = default;
  bool isUsed() const { return !cutoffs.empty(); }
  int64_t bands() const { return static_cast<int64_t>(cutoffs.size()) + 1; }
  /// Ids [first(band), first(band + 1)) are the band's.
  int64_t first(int64_t band, int64_t vocabulary) const {
    return band == 0 ? 0 : band == bands() ? vocabulary : cutoffs[static_cast<size_t>(band - 1)];
  }
  int64_t width(int64_t band, int64_t dim) const {
    for (; band > 0; --band)
      dim /= factor;
    return dim;
  }
};

struct AdaptiveSoftmaxSpec : AdaptiveSpec {
  double dropout = 0;
  bool tieWeights = false;     ///< the words' weights are those of the adaptive input
  bool tieProjections = false; ///< and so are the tails' projections, transposed
  bool compat = false;         ///< the second word of each tail is not learnt, as in the published loss
};

struct ModelSpec {
  ModelKind kind = ModelKind::translation;
  int64_t dim = 0;
  NormPlace norm = NormPlace::post;
  NormKind normKind = NormKind::layer;
  bool finalNorm = false; ///< after the last layer; where `norm` is pre
  bool bias = true;       ///< of linears
  Sharing sharing = Sharing::none;
  PositionKind positions = PositionKind::sinusoidal;
  double rotaryBase = 10000;   ///< of rotary positions: pair p of D/2 turns by base^(-2p/D) a step
  bool scaleEmbeddings = true; ///< words are multiplied by sqrt(dim)
  FfnInit ffnInit = FfnInit::xavier;
  int64_t maxPositions = 1024;
  int64_t sourceVocabulary = 0;
  int64_t targetVocabulary = 0; ///< a language model's only one
  AdaptiveSpec adaptiveInput;
  AdaptiveSoftmaxSpec adaptiveSoftmax;
  double dropout = 0;
  double attentionDropout = 0;
  double attentionSoftCap = 0; ///< 0: none
  double reluDropout = 0;
  double inputDropout = 0;
  double weightDropout = 0;

  /// Whether positions are added to the words.
  bool hasPositionTable() const { return positions == PositionKind::sinusoidal || positions == PositionKind::learned; }
};

struct CriterionSpec {
  std::string name = "label_smoothed_cross_entropy";
  double smoothing = 0.1;
};

/// All optimizers share one set of numbers; those of another are zero.
struct OptimizerSpec {
  std::string name = "adam";
  double beta1 = 0, beta2 = 0; ///< adam
  double epsilon = 0;          ///< adam, adagrad
  double weightDecay = 0;
  double momentum = 0; ///< nag, sgd
  double clip = 0;     ///< adagrad: the longest gradient of one parameter that is not clipped; 0: none is
  double lrDecay = 0;  ///< adagrad
};

/// All schedules share one set of numbers; docs of the runtime's schedules say who reads which.
struct ScheduleSpec {
  std::string name = "inverse_sqrt";
  double lr = 5e-4;
  int64_t warmupUpdates = 4000;
  double warmupInitLr = -1; ///< below 0: where the schedule begins
  double minLr = 0;
  int64_t periodUpdates = -1;
  double periodMult = 1;
  double shrink = 0.1;
  double endLr = 0;
  double power = 1;
  int64_t totalUpdates = 0;
};

struct TrainingSpec {
  CriterionSpec criterion;
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  int64_t maxTokens = 4000;
  int64_t maxSentences = 0; ///< 0: no limit
  int64_t batchMultiple = 1;
  int64_t updateFreq = 1;
  double clipNorm = 0; ///< 0: measure only
  int64_t maxUpdate = 0;
  int64_t maxEpoch = 0;
  int64_t validateEvery = 0; ///< updates; 0: each epoch
  int64_t saveEvery = 0;     ///< updates; 0: each epoch
  int64_t patience = 0;      ///< validations without progress; 0: never stop
  int64_t seed = 1;
  /// Of activations in memory (f32 or bf16), or of factors in inference's products (int8, int8_weight_only).
  std::string precision = "f32";
  /// What backward computes again instead of keeping it: none, rows (norms and gates), attention (these, its output).
  std::string recompute = "rows";
  /// How a language model's text is cut; 0 and empty for translation.
  int64_t tokensPerSample = 0;
  std::string sampleBreakMode;
};

/// Whether a compiler may be asked for this precision; else what is allowed instead.
Status checkPrecision(std::string_view precision);

/// A validated model description: presets overlaid, lists broadcast, every cross-check passed.
struct Spec {
  std::string fileName;
  ModelSpec model;
  StackSpec encoder;
  StackSpec decoder;
  TrainingSpec training;
  /// Where each key of the user's text stands, by its path: `encoder.kernel_sizes`, `encoder.kernel_sizes[2]`.
  std::map<std::string, Position, std::less<>> where;

  bool isLanguageModel() const { return model.kind == ModelKind::languageModel; }
  /// The place of `path`; else of the table that would hold it, of `preset`, or the first line.
  Position whereOf(std::string_view path) const;
};

/// The ids that every vocabulary begins with.
inline constexpr int64_t bosId = 0, padId = 1, eosId = 2, unkId = 3;

/// Reads and checks the TOML `text`. On error the message is the full rendering of all problems, to be printed as it
/// is.
Result<Spec> parseSpec(std::string_view text, std::string_view fileName);

/// The same model as TOML with every value written out; `parseSpec` reads it back to an equal Spec.
std::string printSpec(const Spec &spec);

std::string_view name(ModelKind kind);
std::string_view name(Mixer mixer);
std::string_view name(NormPlace place);
std::string_view name(Sharing sharing);
std::string_view name(PositionKind kind);
std::string_view name(FfnInit init);
std::string_view name(FfnActivation activation);
std::string_view name(NormKind kind);
std::string_view name(DiffVariant variant);

} // namespace bifocal
#endif
