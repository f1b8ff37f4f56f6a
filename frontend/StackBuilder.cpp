// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// How the layers of GraphBuilder.cpp make an encoder and a decoder.

#include "frontend/GraphBuilder.h"

#include "frontend/Parameters.h"
#include <cmath>

using namespace bifocal;
using namespace mlir;

Value GraphBuilder::sourceMask(Value source) {
  at("encoder", "encoder");
  return builder.create<PaddingMaskOp>(location, like(source, builder.getI1Type()), source,
                                       builder.getI32IntegerAttr(padId));
}

Value GraphBuilder::targetMask(Value target) {
  at("decoder", "decoder");
  return builder.create<PaddingMaskOp>(location, like(target, builder.getI1Type()), target,
                                       builder.getI32IntegerAttr(padId));
}

Value GraphBuilder::embed(Value tokens, Value positions, bool decoder) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(tokens.getType()).getShape());
  shape.push_back(spec.model.dim);
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  Value words;
  if (spec.model.adaptiveInput.isUsed()) {
    words = embedBands(tokens);
  } else {
    std::string name = embeddingName(spec, decoder);
    at(vocabularyPath(spec, decoder), name);
    float scale = spec.model.scaleEmbeddings ? std::sqrt(static_cast<float>(spec.model.dim)) : 1.0f;
    words =
        builder.create<EmbeddingOp>(location, type, tokens, parameter(name), f32(scale), static_cast<uint32_t>(padId));
  }
  if (spec.model.hasPositionTable()) {
    at("model.positions", positionTableName(spec, decoder));
    if (!positions)
      positions = builder.create<PositionsOp>(location, tokens.getType(), tokens, static_cast<uint32_t>(padId));
    Value places = builder.create<EmbeddingOp>(location, type, positions, parameter(positionTableName(spec, decoder)),
                                               f32(1), static_cast<uint32_t>(padId));
    words = builder.create<AddOp>(location, type, words, places).getOutput();
  }
  at("model.dropout", decoder ? "decoder" : "encoder");
  return dropout(words, spec.model.dropout);
}

Value GraphBuilder::finish(Value x, StringRef side) {
  if (!spec.model.finalNorm)
    return x;
  std::string name = (side + ".layer_norm").str();
  at("model.norm", name);
  return normalize(x, name);
}

Value GraphBuilder::encoderLayer(Value x, const Layer &layer) {
  x = residual(x, layer.prefix + mixerNormName(layer.stack, false),
               [&](Value input) { return mix(input, layer, layer.mask, nullptr); });
  return residual(x, layer.prefix + ffnNormName(layer.stack, false),
                  [&](Value input) { return feedForward(input, layer); });
}

Value GraphBuilder::encoder(Value source, Value mask) {
  Value x = embed(source, Value(), /*decoder=*/false);
  for (int64_t index = 0; index < spec.encoder.layers; ++index)
    x = encoderLayer(x, layerOf(false, index, mask));
  return finish(x, "encoder");
}

Value GraphBuilder::decoderLayer(Value x, const Layer &layer, Value encoderOutput, Value mask, const Step *step) {
  x = residual(x, layer.prefix + mixerNormName(layer.stack, true),
               [&](Value input) { return mix(input, layer, Value(), step); });
  if (!spec.isLanguageModel())
    x = residual(x, layer.prefix + "encoder_attn_layer_norm",
                 [&](Value input) { return crossAttention(input, layer, encoderOutput, mask, step); });
  return residual(x, layer.prefix + ffnNormName(layer.stack, true),
                  [&](Value input) { return feedForward(input, layer); });
}

Value GraphBuilder::decoder(Value previous, Value encoderOutput, Value mask, Value targetMask) {
  Value x = embed(previous, Value(), /*decoder=*/true);
  for (int64_t index = 0; index < spec.decoder.layers; ++index)
    x = decoderLayer(x, layerOf(true, index, targetMask), encoderOutput, mask, nullptr);
  return finish(x, "decoder");
}

Value GraphBuilder::decoderStep(Value tokens, Value positions, const Step &step) {
  Value x = embed(tokens, positions, /*decoder=*/true);
  for (int64_t index = 0; index < spec.decoder.layers; ++index)
    x = decoderLayer(x, layerOf(true, index, Value()), Value(), Value(), &step);
  return finish(x, "decoder");
}

void GraphBuilder::writeEncoderStates(Value encoderOutput, Value mask) {
  at("encoder", "source_mask");
  builder.create<StateWriteOp>(location, mask, "source_mask");
  for (int64_t index = 0; index < spec.decoder.layers; ++index) {
    std::string prefix = layerPrefix(true, index) + "encoder_attn";
    at("decoder.heads", prefix);
    builder.create<StateWriteOp>(location, linear(encoderOutput, prefix + ".k_proj", mask), prefix + ".keys");
    builder.create<StateWriteOp>(location, linear(encoderOutput, prefix + ".v_proj", mask), prefix + ".values");
  }
}

Value GraphBuilder::project(Value features, Value mask) {
  std::string name = outputProjectionName(spec);
  at("model.share_embeddings", "decoder.output_projection");
  Value weight = parameter(name);
  return builder
      .create<LinearOp>(location, withLast(features, spec.model.targetVocabulary), Type(), features, weight, Value(),
                        mask, Activation::none)
      .getOutput();
}

Value GraphBuilder::projectTo(Value features, Value tokens) {
  at("model.share_embeddings", "decoder.output_projection");
  return product(features, lookUp(tokens, parameter(outputProjectionName(spec)), /*scale=*/1), Value());
}

ValueRange GraphBuilder::crossEntropy(Value logits, Value target, int64_t ignored) {
  at("training.criterion", "criterion");
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  return builder
      .create<CrossEntropyOp>(location, scalar, scalar, scalar, logits, target, f32(spec.training.criterion.smoothing),
                              static_cast<uint32_t>(ignored))
      ->getResults();
}
