// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_PARAMETERS_H
#define BIFOCAL_FRONTEND_PARAMETERS_H

#include "frontend/Spec.h"

#include <array>
#include <cmath>
#include <optional>

namespace bifocal {

/// How a parameter's first values are made; the kinds are those of docs/Artifact.md.
struct Initializer {
  std::string kind;
  double value = 0;     ///< gain, standard deviation, bound, or base of rotations; pad id of a sinusoid table
  int64_t zeroRow = -1; ///< `normal` only, like the next
  double mean = 0;
};

/// One tensor of the state dict.
struct ParameterSpec {
  std::string name;
  std::vector<int64_t> shape;
  Initializer init;
  std::vector<std::string> aliases;
  bool constant = false;                           ///< made by its initialiser, never trained and never stored
  std::string specPath;                            ///< the spec key that asked for it
  std::optional<std::array<float, 2>> bounds = {}; ///< of what updates leave

  int64_t elements() const;
};

/// Every parameter of the model: trained ones in state-dict order, then constants. Tied tensors appear once.
std::vector<ParameterSpec> listParameters(const Spec &spec);

/// Elements of all trained parameters.
int64_t countTrained(const std::vector<ParameterSpec> &parameters);

/// What mixes positions in a layer, alone or as one of its branches: sizes, and names as in the published state dicts.
struct MixerPart {
  Mixer kind = Mixer::attention;
  int64_t channels = 0; ///< of its input and its output
  int64_t dim = 0;      ///< inside: of keys and values, or of what is convolved
  int64_t heads = 0;
  int64_t kvHeads = 0, headDim = 0; ///< of attention
  int64_t depth = 0;                ///< the layer's number, from 0
  DiffVariant variant = DiffVariant::v1;
  int64_t taps = 0; ///< of a convolution
  bool glu = false, weightSoftmax = true, convBias = false;
  std::string prefix;             ///< of its linears and its keys, with the dot
  std::string tapsPrefix;         ///< of taps and of the inputs that decoding keeps, with the dot
  std::string specPath, tapsPath; ///< the spec keys that ask for the mixer and for its taps

  bool attends() const { return kind == Mixer::attention || kind == Mixer::diffAttention; }
  /// Two maps with keys of their own share a value as wide as both, and a norm stands behind their difference.
  bool hasPairedKeys() const { return kind == Mixer::diffAttention && variant == DiffVariant::v1; }
  /// Neighbouring heads are subtracted.
  bool hasGatedHeads() const { return kind == Mixer::diffAttention && variant == DiffVariant::v2; }
  /// Channels of queries, of keys or values, and of what the output projection reads.
  int64_t queryDim() const { return (kind == Mixer::diffAttention ? 2 : 1) * heads * headDim; }
  int64_t kvDim() const { return (hasPairedKeys() ? 2 : 1) * kvHeads * headDim; }
  int64_t outputDim() const { return (hasPairedKeys() ? 2 : 1) * heads * headDim; }
  /// The factor of the second map that training begins with, but for the vectors.
  double lambdaInit() const { return 0.8 - 0.6 * std::exp(-0.3 * static_cast<double>(depth)); }
  /// The output projection, as the published modules name it.
  std::string outputName() const { return prefix + (hasGatedHeads() ? "o_proj" : "out_proj"); }
};

/// The mixers of a layer: one, or its branches in the order of their channels.
std::vector<MixerPart> mixerParts(const Spec &spec, bool decoder, int64_t layer);

/// The names of a layer's parts as in the published state dicts.
std::string layerPrefix(bool decoder, int64_t layer);
std::string mixerNormName(const StackSpec &stack, bool decoder);
std::string ffnNormName(const StackSpec &stack, bool decoder);
std::string embeddingName(const Spec &spec, bool decoder);
std::string outputProjectionName(const Spec &spec);
std::string positionTableName(const Spec &spec, bool decoder);
/// The tables that turn heads of so many channels.
std::string cosineName(int64_t headDim);
std::string sineName(int64_t headDim);
/// The prefixes of adaptive input and softmax, and of the parts of one of their bands.
inline constexpr std::string_view adaptiveInputName = "decoder.embed_tokens.embeddings",
                                  adaptiveSoftmaxName = "decoder.adaptive_softmax";
std::string bandTableName(int64_t band);
std::string bandProjectionName(int64_t band);
/// The key that says how many rows the embedding has.
std::string vocabularyPath(const Spec &spec, bool decoder);
std::string convBiasName(const MixerPart &part);

} // namespace bifocal
#endif
