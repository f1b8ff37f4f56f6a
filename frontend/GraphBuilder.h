// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_GRAPHBUILDER_H
#define BIFOCAL_FRONTEND_GRAPHBUILDER_H

#include "dialect/bifocal/BifocalOps.h"
#include "frontend/Parameters.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

namespace bifocal {

/// Builds the body of one function of a model: the published layers, in ops of the dialect, unfused. Every op carries
/// the place of the spec key that asked for it, under the name of its layer.
class GraphBuilder {
public:
  using Value = mlir::Value;

  /// `rng` is null in functions without dropout. Sites are numbered by the order in which layers are built, whether
  /// their rate is zero or not, so a site keeps its number when another rate changes.
  GraphBuilder(const Spec &spec, mlir::OpBuilder &builder,
               const llvm::StringMap<mlir::RankedTensorType> &parameterTypes, Value rng)
      : spec(spec), builder(builder), parameterTypes(parameterTypes), rng(rng), location(builder.getUnknownLoc()) {}

  /// What a step of decoding has instead of the whole sequence.
  struct Step {
    Value sentences, ancestors, step;
  };

  /// i1 [B, S], true at real tokens.
  Value sourceMask(Value source);
  /// i1 [B, T], true where there is something to predict.
  Value targetMask(Value target);
  /// [B, S] -> [B, S, C].
  Value encoder(Value source, Value mask);
  /// [B, T] and [B, S, C] -> [B, T, C]. Steps that `targetMask` leaves out are not predicted, so no layer multiplies
  /// them; null where all are wanted. A language model has neither `encoderOutput` nor `mask`.
  Value decoder(Value previous, Value encoderOutput, Value mask, Value targetMask);
  /// [N] -> [N, C]; reads and writes the states. A language model's step has no sentences.
  Value decoderStep(Value tokens, Value positions, const Step &step);
  /// Writes what the steps of a decoder read of the encoder.
  void writeEncoderStates(Value encoderOutput, Value mask);
  /// [..., C] -> [..., V]; of the rows where `mask` is true, or of all without one.
  Value project(Value features, Value mask);
  /// [N, C] and K tokens -> [N, K], the logits of these tokens alone.
  Value projectTo(Value features, Value tokens);
  /// loss, nll, count.
  mlir::ValueRange crossEntropy(Value logits, Value target) { return crossEntropy(logits, target, padId); }
  /// The same by an adaptive softmax, from [B, T, C].
  llvm::SmallVector<Value> adaptiveLoss(Value features, Value target, Value mask);
  /// [..., C] -> [..., V] by an adaptive softmax.
  Value adaptiveLogProbabilities(Value features);

  // RecurrentBuilder.cpp: models that read a text in segments.

  /// [B, T] and a memory [B, M, C] for each layer -> [B, T, C]; `states` get the inputs of the layers.
  Value recurrentDecoder(Value previous, mlir::ValueRange memory, const MemorySpec &length,
                         llvm::SmallVectorImpl<Value> &states);
  /// [N] -> [N, C]; reads and writes the caches.
  Value recurrentStep(Value tokens, const Step &step);
  /// The distances [P] of all steps that Transformer-XL may have in its caches, for `recurrentStep`.
  void writeDistanceStates(Value distances);
  /// loss, nll, count, and where spans are adaptive those of each layer.
  llvm::SmallVector<Value> recurrentLoss(Value features, Value target);
  /// [..., C] -> [..., V]: logits, or log-probabilities of an adaptive softmax.
  Value recurrentLogits(Value features);

  /// Later ops carry the place of `specPath` and the name `layer`.
  void at(std::string_view specPath, llvm::StringRef layer);
  mlir::Location loc() const { return location; }

private:
  struct Layer {
    const StackSpec &stack;
    bool decoder;
    int64_t index;
    std::string side, prefix;
    Value mask; ///< the rows that its linears multiply; null for all
  };

  Value embed(Value tokens, Value positions, bool decoder);
  Value embedBands(Value tokens);
  /// A row of `tokens` counted from the beginning of a band, `otherwise` outside, and the mask of those inside.
  std::pair<Value, Value> bandOf(Value tokens, const AdaptiveSpec &bands, int64_t band, int64_t otherwise);
  Value adaptiveHead(Value features, Value mask);
  Value adaptiveTail(Value features, int64_t tail, Value mask);
  mlir::ValueRange crossEntropy(Value logits, Value target, int64_t ignored);
  /// What mixes positions: one mixer, or branches on channels of their own.
  Value mix(Value input, const Layer &layer, Value mask, const Step *step);
  Value mixPart(Value input, const MixerPart &part, const Layer &layer, Value mask, const Step *step);
  Value convolution(Value input, const MixerPart &part, const Layer &layer, Value mask, const Step *step);
  Value dynamicConvolution(Value input, const MixerPart &part, const Layer &layer, const Step *step);
  Value lightConvolution(Value input, const MixerPart &part, const Layer &layer, const Step *step);
  Value selfAttention(Value input, const MixerPart &part, const Layer &layer, Value mask, const Step *step);
  /// The newest step's, from the states.
  Value attentionStep(Value query, Value key, Value value, const MixerPart &part, const Step &step);
  /// The difference of two maps and the norm behind it.
  Value pairedAttention(Value query, Value key, Value value, const MixerPart &part, const Layer &layer, Value mask,
                        const Step *step);
  /// Turns heads by their positions where the spec asks for it.
  Value rotate(Value input, const MixerPart &part, int64_t heads, const Step *step);
  Value crossAttention(Value input, const Layer &layer, Value encoderOutput, Value mask, const Step *step);
  /// Keys and values have so many heads.
  Value attention(Value query, Value key, Value value, Value mask, int64_t heads, int64_t kvHeads, bool causal);
  Value feedForward(Value input, const Layer &layer);
  Value encoderLayer(Value x, const Layer &layer);
  Value decoderLayer(Value x, const Layer &layer, Value encoderOutput, Value mask, const Step *step);
  Layer layerOf(bool decoder, int64_t index, Value mask) const;

  /// What relative attention reads beside its spans.
  struct RelativeInputs {
    Value query, positionQuery, key, value, positions;
  };
  /// A softmax over a vocabulary, or over its bands: the first one's words and the clusters, then the clusters' words.
  struct SoftmaxParts {
    llvm::SmallVector<Value> weights, biases, projections;
  };
  Value lookUp(Value ids, Value table, double scale);
  llvm::SmallVector<Value> rowsOfBands(Value rows);
  Value stack(mlir::ValueRange parts);
  Value biasedProduct(Value x, Value weight, Value bias, Value mask);
  Value recurrentWords(Value tokens);
  int64_t windowOf(const MemorySpec &length) const;
  Value relativeAttention(const RelativeInputs &inputs, Value span, const MemorySpec &length);
  Value relativeAttentionStep(const RelativeInputs &inputs, Value span, int64_t index, const Step &step);
  Value recurrentFeedForward(Value input, const std::string &first, const std::string &second);
  Value appendSteps(Value memory, Value x);
  std::tuple<Value, Value, Value> queryKeyValue(Value input, Value all, Value weight);
  /// Without a memory `step` is a step of decoding.
  Value transformerXlLayer(Value x, int64_t index, Value memory, Value positions, const MemorySpec &length,
                           const Step *step = nullptr);
  Value spanLayer(Value x, int64_t index, Value memory, Value positions, const Step *step = nullptr);
  Value distancePositions(Value distances);
  Value distanceProjection(Value positions, int64_t index);
  Value distanceState(int64_t index);
  SoftmaxParts softmaxParts();
  Value bandLogits(const SoftmaxParts &parts, Value features, size_t band, Value mask);

  /// The norm that published pre-norm models have after the last layer.
  Value finish(Value x, llvm::StringRef side);
  /// x + dropout(body(norm(x))) or norm(x + dropout(body(x))).
  Value residual(Value x, const std::string &norm, llvm::function_ref<Value(Value)> body);
  Value normalize(Value x, const std::string &prefix);
  /// With a bias where the spec has them and the layer does not say otherwise.
  Value linear(Value x, const std::string &prefix, Value mask, bool bias = true);
  Value product(Value x, Value weight, Value mask);
  /// The next site; no op where the rate is zero or the function has no generator.
  Value dropout(Value x, double rate);
  Value parameter(const std::string &name);
  Value optionalParameter(bool present, const std::string &name) { return present ? parameter(name) : Value(); }
  /// Of queries with so many heads.
  llvm::APFloat attentionScale(Value query, int64_t heads) const;
  /// What no score of attention is beyond; 0 for none.
  llvm::APFloat softCap() const;
  llvm::APFloat f32(double value) const { return llvm::APFloat(static_cast<float>(value)); }
  mlir::RankedTensorType withLast(Value like, int64_t last) const;
  mlir::RankedTensorType like(Value tokens, mlir::Type element) const;

  const Spec &spec;
  mlir::OpBuilder &builder;
  const llvm::StringMap<mlir::RankedTensorType> &parameterTypes;
  Value rng;
  mlir::Location location;
  uint32_t nextSite = 0;
};

} // namespace bifocal
#endif
