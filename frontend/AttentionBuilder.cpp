// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Attention of a layer to its own steps, plain and differential, and to the encoder.

#include "frontend/GraphBuilder.h"

#include <cmath>

using namespace bifocal;
using namespace mlir;

llvm::APFloat GraphBuilder::attentionScale(Value query, int64_t heads) const {
  auto channels = static_cast<double>(cast<RankedTensorType>(query.getType()).getShape().back());
  return f32(1 / std::sqrt(channels / static_cast<double>(heads)));
}

llvm::APFloat GraphBuilder::softCap() const { return f32(spec.model.attentionSoftCap); }

static int64_t channelsOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape().back(); }

Value GraphBuilder::attention(Value query, Value key, Value value, Value mask, int64_t heads, int64_t kvHeads,
                              bool causal) {
  auto type = cast<RankedTensorType>(query.getType());
  auto lse = RankedTensorType::get({type.getDimSize(0), heads, type.getDimSize(1)}, builder.getF32Type());
  uint32_t site = nextSite++;
  bool drops = rng && spec.model.attentionDropout > 0;
  return builder
      .create<AttentionOp>(location, withLast(query, channelsOf(value) / kvHeads * heads), lse, query, key, value, mask,
                           drops ? rng : Value(), heads, attentionScale(query, heads), softCap(), causal,
                           f32(drops ? spec.model.attentionDropout : 0), drops ? site : 0,
                           kvHeads == heads ? 0 : kvHeads)
      .getOutput();
}

Value GraphBuilder::attentionStep(Value query, Value key, Value value, const MixerPart &part, const Step &step) {
  const int64_t heads = part.queryDim() / part.headDim;
  return builder
      .create<AttentionStepOp>(location, withLast(query, heads * part.headDim), query, key, value, step.ancestors,
                               step.step, part.prefix + "keys", part.prefix + "values", heads,
                               attentionScale(query, heads), softCap(), part.kvHeads == heads ? 0 : part.kvHeads)
      .getOutput();
}

Value GraphBuilder::pairedAttention(Value query, Value key, Value value, const MixerPart &part, const Layer &layer,
                                    Value mask, const Step *step) {
  SmallVector<Value> vectors;
  for (const char *name : {"lambda_q1", "lambda_k1", "lambda_q2", "lambda_k2"})
    vectors.push_back(parameter(part.prefix + name));
  Value lambda = builder.create<DiffLambdaOp>(location, RankedTensorType::get({}, builder.getF32Type()), vectors[0],
                                              vectors[1], vectors[2], vectors[3], f32(part.lambdaInit()));
  auto type = withLast(query, part.outputDim());
  const int64_t kvHeads = part.kvHeads == part.heads ? 0 : part.kvHeads;
  llvm::APFloat scale = attentionScale(query, 2 * part.heads);
  uint32_t site = nextSite++;
  Value difference;
  if (step) {
    difference = builder
                     .create<DiffAttentionStepOp>(location, type, query, key, value, lambda, step->ancestors,
                                                  step->step, part.prefix + "keys", part.prefix + "values", part.heads,
                                                  scale, softCap(), kvHeads)
                     .getOutput();
  } else {
    auto lse = RankedTensorType::get({type.getDimSize(0), 2 * part.heads, type.getDimSize(1)}, builder.getF32Type());
    bool drops = rng && spec.model.attentionDropout > 0;
    difference = builder
                     .create<DiffAttentionOp>(location, type, lse, query, key, value, lambda, mask,
                                              drops ? rng : Value(), part.heads, scale, softCap(), layer.decoder,
                                              f32(drops ? spec.model.attentionDropout : 0), drops ? site : 0, kvHeads)
                     .getOutput();
  }
  return builder.create<RmsNormOp>(location, type, difference, parameter(part.prefix + "subln.weight"),
                                   2 * part.headDim, f32(1 - part.lambdaInit()), f32(1e-5));
}

Value GraphBuilder::rotate(Value input, const MixerPart &part, int64_t heads, const Step *step) {
  if (spec.model.positions != PositionKind::rotary)
    return input;
  Value cosine = parameter(cosineName(part.headDim)), sine = parameter(sineName(part.headDim));
  return builder.create<RotaryOp>(location, input.getType(), input, cosine, sine, step ? step->step : Value(),
                                  /*inverse=*/false, heads, RotaryLayout::interleaved);
}

Value GraphBuilder::selfAttention(Value input, const MixerPart &part, const Layer &layer, Value mask,
                                  const Step *step) {
  const std::string &prefix = part.prefix;
  at(part.specPath, StringRef(prefix).drop_back());
  const int64_t heads = part.queryDim() / part.headDim, kvHeads = part.kvDim() / part.headDim;
  Value query = linear(input, prefix + "q_proj", layer.mask), key = linear(input, prefix + "k_proj", layer.mask);
  Value value = linear(input, prefix + "v_proj", layer.mask), x;
  query = rotate(query, part, heads, step);
  key = rotate(key, part, kvHeads, step);
  if (part.hasPairedKeys())
    x = pairedAttention(query, key, value, part, layer, mask, step);
  else if (step)
    x = attentionStep(query, key, value, part, *step);
  else
    x = attention(query, key, value, mask, heads, kvHeads, layer.decoder);
  if (part.hasGatedHeads()) {
    Value gate = linear(input, prefix + "lambda_proj", layer.mask, /*bias=*/false);
    x = builder.create<HeadDifferenceOp>(location, withLast(x, part.outputDim()), x, gate);
  }
  return linear(x, part.outputName(), layer.mask);
}

Value GraphBuilder::crossAttention(Value input, const Layer &layer, Value encoderOutput, Value mask, const Step *step) {
  std::string prefix = layer.prefix + "encoder_attn";
  at(layer.side + ".heads", prefix);
  Value query = linear(input, prefix + ".q_proj", layer.mask), x;
  if (step)
    x = builder
            .create<CrossAttentionStepOp>(location, query.getType(), query, step->sentences, prefix + ".keys",
                                          prefix + ".values", "source_mask", layer.stack.heads,
                                          attentionScale(query, layer.stack.heads), softCap())
            .getOutput();
  else
    x = attention(query, linear(encoderOutput, prefix + ".k_proj", mask),
                  linear(encoderOutput, prefix + ".v_proj", mask), mask, layer.stack.heads, layer.stack.heads,
                  /*causal=*/false);
  return linear(x, prefix + ".out_proj", layer.mask);
}
