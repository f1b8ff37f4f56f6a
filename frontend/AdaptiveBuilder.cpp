// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Adaptive input and softmax: every band of the vocabulary has a table of its own, and products take the rows of its
// tokens alone, by a mask.

#include "frontend/GraphBuilder.h"

#include "frontend/Parameters.h"
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace mlir;

std::pair<Value, Value> GraphBuilder::bandOf(Value tokens, const AdaptiveSpec &bands, int64_t band, int64_t otherwise) {
  const int64_t vocabulary = spec.model.targetVocabulary;
  const auto outside = static_cast<uint32_t>(otherwise);
  Value ids = builder.create<BandIdsOp>(location, tokens.getType(), tokens,
                                        static_cast<uint32_t>(bands.first(band, vocabulary)),
                                        static_cast<uint32_t>(bands.first(band + 1, vocabulary)), outside);
  return {ids, builder.create<PaddingMaskOp>(location, like(tokens, builder.getI1Type()), ids, outside)};
}

Value GraphBuilder::product(Value x, Value weight, Value mask) {
  int64_t outputs = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  return builder.create<LinearOp>(location, withLast(x, outputs), Type(), x, weight, Value(), mask, Activation::none)
      .getOutput();
}

Value GraphBuilder::embedBands(Value tokens) {
  const AdaptiveSpec &bands = spec.model.adaptiveInput;
  const float scale = spec.model.scaleEmbeddings ? std::sqrt(static_cast<float>(spec.model.dim)) : 1.0f;
  Value sum;
  for (int64_t band = 0; band < bands.bands(); ++band) {
    at("model.adaptive_input", bandTableName(band));
    auto [ids, mask] = bandOf(tokens, bands, band, /*otherwise=*/-1);
    SmallVector<int64_t> shape(cast<RankedTensorType>(tokens.getType()).getShape());
    shape.push_back(bands.width(band, spec.model.dim));
    // The other bands have no padding: the row of that number is a word's.
    Value words = builder.create<EmbeddingOp>(location, RankedTensorType::get(shape, builder.getF32Type()), ids,
                                              parameter(bandTableName(band)), f32(scale),
                                              static_cast<uint32_t>(band == 0 ? padId : -1));
    Value wide = product(words, parameter(bandProjectionName(band)), mask);
    sum = sum ? builder.create<AddOp>(location, wide.getType(), sum, wide).getOutput() : wide;
  }
  return sum;
}

Value GraphBuilder::adaptiveHead(Value features, Value mask) {
  const std::string prefix = std::string(adaptiveSoftmaxName) + ".head";
  at("model.adaptive_softmax", prefix);
  if (!spec.model.adaptiveSoftmax.tieWeights)
    return product(features, parameter(prefix + ".weight"), mask);
  Value words = parameter(bandTableName(0)), classes = parameter(prefix + ".class_proj.weight");
  auto type = cast<RankedTensorType>(words.getType());
  const int64_t rows = type.getDimSize(0) + cast<RankedTensorType>(classes.getType()).getDimSize(0);
  Value weight = builder.create<ConcatRowsOp>(
      location, RankedTensorType::get({rows, type.getDimSize(1)}, builder.getF32Type()), ValueRange{words, classes});
  return product(features, weight, mask);
}

Value GraphBuilder::adaptiveTail(Value features, int64_t tail, Value mask) {
  const AdaptiveSoftmaxSpec &softmax = spec.model.adaptiveSoftmax;
  const std::string prefix = fmt::format("{}.tail.{}", adaptiveSoftmaxName, tail);
  at("model.adaptive_softmax", prefix);
  Value projection = parameter(softmax.tieProjections ? bandProjectionName(tail + 1) : prefix + ".0.weight");
  if (softmax.tieProjections) {
    auto type = cast<RankedTensorType>(projection.getType());
    projection = builder.create<TransposeOp>(
        location, RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType()), projection);
  }
  Value narrow = dropout(product(features, projection, mask), softmax.dropout);
  return product(narrow, parameter(softmax.tieWeights ? bandTableName(tail + 1) : prefix + ".2.weight"), mask);
}

SmallVector<Value> GraphBuilder::adaptiveLoss(Value features, Value target, Value mask) {
  const AdaptiveSoftmaxSpec &softmax = spec.model.adaptiveSoftmax;
  at("model.adaptive_softmax", adaptiveSoftmaxName);
  features = dropout(features, softmax.dropout);
  SmallVector<int32_t> cutoffs(softmax.cutoffs.begin(), softmax.cutoffs.end());
  Value classes = builder.create<ClusterIdsOp>(location, target.getType(), target, cutoffs, /*reversed=*/false);
  ValueRange head = crossEntropy(adaptiveHead(features, mask), classes, padId);
  SmallVector<Value> losses{head[0]}, likelihoods{head[1]};
  // The published loss marks what is outside of a band by the padding id, and so ignores the band's word of that
  // number.
  const int64_t outside = softmax.compat ? padId : -1;
  for (int64_t tail = 0; tail + 1 < softmax.bands(); ++tail) {
    at("model.adaptive_softmax", adaptiveSoftmaxName);
    auto [ids, members] = bandOf(target, softmax, tail + 1, outside);
    ValueRange part = crossEntropy(adaptiveTail(features, tail, members), ids, outside);
    losses.push_back(part[0]);
    likelihoods.push_back(part[1]);
  }
  at("training.criterion", "criterion");
  Type scalar = losses.front().getType();
  return {builder.create<AddScalarsOp>(location, scalar, losses),
          builder.create<AddScalarsOp>(location, scalar, likelihoods), head[2]};
}

Value GraphBuilder::adaptiveLogProbabilities(Value features) {
  auto normalize = [&](Value logits) -> Value {
    return builder.create<LogSoftmaxOp>(location, logits.getType(), logits);
  };
  Value head = normalize(adaptiveHead(features, Value()));
  SmallVector<Value> tails;
  for (int64_t tail = 0; tail + 1 < spec.model.adaptiveSoftmax.bands(); ++tail)
    tails.push_back(normalize(adaptiveTail(features, tail, Value())));
  at("model.adaptive_softmax", adaptiveSoftmaxName);
  return builder.create<JoinClustersOp>(location, withLast(features, spec.model.targetVocabulary), head, tails);
}
