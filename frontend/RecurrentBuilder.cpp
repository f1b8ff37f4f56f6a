// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Models that read a text in segments, with a memory of what their layers had as inputs before: Transformer-XL and
// adaptive span. Their segments have no padding, so no id is special and no product has a mask.

#include "frontend/GraphBuilder.h"

#include "frontend/RecurrentImport.h"
#include "frontend/RecurrentParameters.h"
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace mlir;

/// No id of a vocabulary.
static constexpr int64_t noId = -1;

Value GraphBuilder::lookUp(Value ids, Value table, double scale) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(ids.getType()).getShape());
  shape.push_back(cast<RankedTensorType>(table.getType()).getDimSize(1));
  return builder.create<EmbeddingOp>(location, RankedTensorType::get(shape, builder.getF32Type()), ids, table,
                                     f32(scale), static_cast<uint32_t>(noId));
}

SmallVector<Value> GraphBuilder::rowsOfBands(Value rows) {
  SmallVector<Type> types;
  const AdaptiveSpec &bands = spec.model.adaptiveSoftmax;
  for (int64_t band = 0; band < bands.bands(); ++band) {
    auto type = cast<RankedTensorType>(rows.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape.front() = bands.first(band + 1, spec.model.targetVocabulary) - bands.first(band, spec.model.targetVocabulary);
    types.push_back(RankedTensorType::get(shape, type.getElementType()));
  }
  auto split = builder.create<SplitRowsOp>(location, types, rows);
  return SmallVector<Value>(split.getOutputs());
}

Value GraphBuilder::stack(ValueRange parts) {
  auto type = cast<RankedTensorType>(parts.front().getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.front() = 0;
  for (Value part : parts)
    shape.front() += cast<RankedTensorType>(part.getType()).getDimSize(0);
  return builder.create<ConcatRowsOp>(location, RankedTensorType::get(shape, type.getElementType()), parts);
}

/// x W^T + b of the rows where `mask` is true, or of all.
Value GraphBuilder::biasedProduct(Value x, Value weight, Value bias, Value mask) {
  int64_t outputs = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  return builder.create<LinearOp>(location, withLast(x, outputs), Type(), x, weight, bias, mask, Activation::none)
      .getOutput();
}

Value GraphBuilder::recurrentWords(Value tokens) {
  if (spec.decoder.mixer == Mixer::spanAttention) {
    at("model.vocabulary", "in_emb");
    return lookUp(tokens, parameter("in_emb.weight"), 1);
  }
  const double scale = std::sqrt(static_cast<double>(spec.model.dim));
  at(spec.model.adaptiveInput.isUsed() ? "model.adaptive_input" : "model.vocabulary", "word_emb");
  const int64_t tables = wordTables(spec);
  if (tables == 1)
    return lookUp(tokens, parameter(wordTableName(0)), scale);
  Value sum;
  for (int64_t band = 0; band < tables; ++band) {
    auto [ids, mask] = bandOf(tokens, spec.model.adaptiveInput, band, noId);
    Value words = lookUp(ids, parameter(wordTableName(band)), scale);
    Value wide = product(words, parameter(wordProjectionName(band)), mask);
    sum = sum ? builder.create<AddOp>(location, wide.getType(), sum, wide).getOutput() : wide;
  }
  return sum;
}

/// Distances that a query sees; 0 for all.
int64_t GraphBuilder::windowOf(const MemorySpec &length) const {
  const StackSpec &stack = spec.decoder;
  if (stack.mixer == Mixer::spanAttention)
    return stack.recurrent.span;
  return length.sameLength ? length.steps : 0;
}

Value GraphBuilder::relativeAttention(const RelativeInputs &inputs, Value span, const MemorySpec &length) {
  const StackSpec &stack = spec.decoder;
  auto type = cast<RankedTensorType>(inputs.query.getType());
  auto lse = RankedTensorType::get({type.getDimSize(0), stack.heads, type.getDimSize(1)}, builder.getF32Type());
  const uint32_t site = nextSite++;
  const bool drops = rng && spec.model.attentionDropout > 0;
  // A token of adaptive span does not attend to itself.
  const int64_t nearest = span ? 1 : 0, unit = span ? stack.recurrent.span : 0, ramp = span ? stack.recurrent.ramp : 0;
  return builder
      .create<RelativeAttentionOp>(location, type, lse, inputs.query, inputs.positionQuery, inputs.key, inputs.value,
                                   inputs.positions, span, drops ? rng : Value(), stack.heads,
                                   attentionScale(inputs.query, stack.heads), softCap(), nearest, windowOf(length),
                                   unit, ramp, f32(drops ? spec.model.attentionDropout : 0), drops ? site : 0)
      .getOutput();
}

/// The same of the newest step, over the steps that are cached.
Value GraphBuilder::relativeAttentionStep(const RelativeInputs &inputs, Value span, int64_t index, const Step &step) {
  const StackSpec &stack = spec.decoder;
  const std::string prefix = recurrentAttentionName(spec, index);
  const int64_t nearest = span ? 1 : 0, unit = span ? stack.recurrent.span : 0, ramp = span ? stack.recurrent.ramp : 0;
  return builder
      .create<RelativeAttentionStepOp>(location, inputs.query.getType(), inputs.query, inputs.positionQuery, inputs.key,
                                       inputs.value, inputs.positions, span, step.ancestors, step.step,
                                       prefix + ".keys", prefix + ".values", stack.heads,
                                       attentionScale(inputs.query, stack.heads), softCap(), nearest,
                                       windowOf(stack.recurrent.evaluation), unit, ramp)
      .getOutput();
}

Value GraphBuilder::recurrentFeedForward(Value input, const std::string &first, const std::string &second) {
  at("decoder.ffn_dim", first);
  Value x = linear(input, first, Value());
  x = builder.create<ReluOp>(location, x.getType(), x).getOutput();
  x = dropout(x, spec.model.reluDropout);
  at("decoder.ffn_dim", second);
  return linear(x, second, Value());
}

Value GraphBuilder::appendSteps(Value memory, Value x) {
  return builder.create<AppendStepsOp>(location, x.getType(), memory, x);
}

/// Queries of `input`, keys and values of `all`. A step, whose `all` is its input, has no use for a part of the weight.
std::tuple<Value, Value, Value> GraphBuilder::queryKeyValue(Value input, Value all, Value weight) {
  const int64_t dim = spec.model.dim;
  if (input == all) {
    Value joint = product(input, weight, Value());
    SmallVector<Type> types(3, withLast(joint, dim));
    auto parts = builder.create<SplitOp>(location, types, joint).getOutputs();
    return {parts[0], parts[1], parts[2]};
  }
  SmallVector<Type> types(3, RankedTensorType::get({dim, dim}, builder.getF32Type()));
  auto weights = builder.create<SplitRowsOp>(location, types, weight).getOutputs();
  return {product(input, weights[0], Value()), product(all, weights[1], Value()), product(all, weights[2], Value())};
}

Value GraphBuilder::distanceProjection(Value positions, int64_t index) {
  return linear(positions, recurrentAttentionName(spec, index) + ".r_net", Value(), /*bias=*/false);
}

/// What `writeDistanceStates` left for a layer.
Value GraphBuilder::distanceState(int64_t index) {
  auto type = RankedTensorType::get({ShapedType::kDynamic, spec.model.dim}, builder.getF32Type());
  return builder.create<StateReadOp>(location, type, distanceStates(spec)[static_cast<size_t>(index)]).getValue();
}

void GraphBuilder::writeDistanceStates(Value distances) {
  at("decoder.memory", "pos_emb");
  Value positions = distancePositions(distances);
  for (auto [index, name] : llvm::enumerate(distanceStates(spec))) {
    at("decoder.memory", recurrentAttentionName(spec, static_cast<int64_t>(index)));
    builder.create<StateWriteOp>(location, distanceProjection(positions, static_cast<int64_t>(index)), name);
  }
}

/// Dai et al. 2019, section 3.3; relative positions are products of the distances' sinusoids.
Value GraphBuilder::transformerXlLayer(Value x, int64_t index, Value memory, Value positions, const MemorySpec &length,
                                       const Step *step) {
  const std::string prefix = recurrentPrefix(index), attention = prefix + "dec_attn", norm = attention + ".layer_norm";
  at("decoder.memory", attention);
  Value all = step ? x : appendSteps(memory, x);
  x = residual(x, norm, [&](Value input) {
    if (spec.model.norm == NormPlace::pre)
      all = step ? input : normalize(all, norm);
    at("decoder.heads", attention);
    auto [query, key, value] = queryKeyValue(input, all, parameter(attention + ".qkv_net.weight"));
    auto biased = [&, query = query](const char *name) -> Value {
      return builder.create<AddBiasOp>(location, query.getType(), query, parameter(name));
    };
    RelativeInputs inputs{biased("r_w_bias"), biased("r_r_bias"), key, value,
                          step ? distanceState(index) : distanceProjection(positions, index)};
    Value y = step ? relativeAttentionStep(inputs, Value(), index, *step) : relativeAttention(inputs, Value(), length);
    return linear(y, attention + ".o_net", Value(), /*bias=*/false);
  });
  return residual(x, prefix + "pos_ff.layer_norm", [&](Value input) {
    return recurrentFeedForward(input, prefix + "pos_ff.CoreNet.0", prefix + "pos_ff.CoreNet.3");
  });
}

/// Sukhbaatar et al. 2019: one table of positions for all layers and heads.
Value GraphBuilder::spanLayer(Value x, int64_t index, Value memory, Value positions, const Step *step) {
  const std::string prefix = recurrentPrefix(index), attention = prefix + "attn";
  at("decoder.attention_span", attention);
  Value all = step ? x : appendSteps(memory, x);
  at("decoder.heads", attention);
  auto projected = [&](Value input, const char *name) {
    return linear(input, attention + ".proj_" + name, Value(), /*bias=*/false);
  };
  Value query = projected(x, "query");
  RelativeInputs inputs{query, query, projected(all, "key"), projected(all, "val"), positions};
  auto plus = [&](Value y, const std::string &norm) {
    at("model.norm", norm);
    return normalize(builder.create<AddOp>(location, x.getType(), x, y).getOutput(), norm);
  };
  Value span = parameter(spanName(index));
  if (spec.decoder.recurrent.spanPerLayer)
    span = stack(SmallVector<Value>(static_cast<size_t>(spec.decoder.heads), span));
  Value y = step ? relativeAttentionStep(inputs, span, index, *step) : relativeAttention(inputs, span, {});
  x = plus(projected(y, "out"), prefix + "norm1");
  return plus(recurrentFeedForward(x, prefix + "ff.fc1", prefix + "ff.fc2"), prefix + "norm2");
}

Value GraphBuilder::distancePositions(Value distances) {
  return lookUp(distances, parameter(std::string(distanceTableName)), 1);
}

Value GraphBuilder::recurrentStep(Value tokens, const Step &step) {
  const bool spans = spec.decoder.mixer == Mixer::spanAttention;
  Value x = recurrentWords(tokens), positions;
  if (spans) {
    at("decoder.attention_span", "key_pe");
    positions = parameter("key_pe");
  }
  for (int64_t index = 0; index < spec.decoder.layers; ++index)
    x = spans ? spanLayer(x, index, Value(), positions, &step)
              : transformerXlLayer(x, index, Value(), Value(), {}, &step);
  return x;
}

Value GraphBuilder::recurrentDecoder(Value previous, ValueRange memory, const MemorySpec &length,
                                     SmallVectorImpl<Value> &states) {
  const bool spans = spec.decoder.mixer == Mixer::spanAttention;
  Value x = recurrentWords(previous), positions;
  at("model.dropout", "decoder");
  x = dropout(x, spec.model.dropout);
  if (spans) {
    at("decoder.attention_span", "key_pe");
    positions = parameter("key_pe");
  } else {
    at("decoder.memory", "pos_emb");
    const int64_t last = spec.model.maxPositions - 1, clamp = length.clampLength;
    Value distances = builder.create<DistancesOp>(
        location, RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type()), appendSteps(memory.front(), x),
        static_cast<uint32_t>(clamp > 0 ? std::min(clamp, last) : last));
    positions = dropout(distancePositions(distances), spec.model.dropout);
  }
  for (int64_t index = 0; index < spec.decoder.layers; ++index) {
    states.push_back(x);
    x = spans ? spanLayer(x, index, memory[index], positions)
              : transformerXlLayer(x, index, memory[index], positions, length);
  }
  at("model.dropout", "decoder");
  return spans ? x : dropout(x, spec.model.dropout);
}

GraphBuilder::SoftmaxParts GraphBuilder::softmaxParts() {
  SoftmaxParts parts;
  const AdaptiveSoftmaxSpec &softmax = spec.model.adaptiveSoftmax;
  if (spec.decoder.mixer == Mixer::spanAttention) {
    at("model.vocabulary", "out_emb");
    parts.weights = {parameter("out_emb.weight")};
    parts.biases = {parameter("out_emb.bias")};
    return parts;
  }
  at(softmax.isUsed() ? "model.adaptive_softmax" : "model.share_embeddings", "crit");
  const int64_t tables = wordTables(spec);
  const bool tied = softmax.isUsed() || spec.model.sharing != Sharing::none;
  for (int64_t band = 0; band < tables; ++band) {
    parts.weights.push_back(parameter(tied ? wordTableName(band) : fmt::format("crit.out_layers.{}.weight", band)));
    parts.biases.push_back(parameter(softmaxBiasName(band)));
  }
  if (!softmax.isUsed())
    return parts;
  if (tables == 1) {
    parts.weights = rowsOfBands(parts.weights.front());
    parts.biases = rowsOfBands(parts.biases.front());
  }
  for (int64_t band = 0; band < softmax.bands(); ++band) {
    Value projection;
    if (tables > 1) {
      const bool shared = band > 0 && softmax.tieProjections;
      Value published = parameter(shared ? wordProjectionName(band) : softmaxProjectionName(band));
      auto type = cast<RankedTensorType>(published.getType());
      projection = builder.create<TransposeOp>(
          location, RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType()), published);
    }
    parts.projections.push_back(projection);
  }
  parts.weights.front() = stack({parts.weights.front(), parameter("crit.cluster_weight")});
  parts.biases.front() = stack({parts.biases.front(), parameter("crit.cluster_bias")});
  return parts;
}

Value GraphBuilder::bandLogits(const SoftmaxParts &parts, Value features, size_t band, Value mask) {
  Value projection = parts.projections.empty() ? Value() : parts.projections[band];
  if (projection)
    features = product(features, projection, mask);
  return biasedProduct(features, parts.weights[band], parts.biases[band], mask);
}

SmallVector<Value> GraphBuilder::recurrentLoss(Value features, Value target) {
  const AdaptiveSoftmaxSpec &softmax = spec.model.adaptiveSoftmax;
  const SoftmaxParts parts = softmaxParts();
  Value classes = target;
  if (softmax.isUsed()) {
    SmallVector<int32_t> cutoffs(softmax.cutoffs.begin(), softmax.cutoffs.end());
    classes = builder.create<ClusterIdsOp>(location, target.getType(), target, cutoffs, softmax.compat);
  }
  ValueRange head = crossEntropy(bandLogits(parts, features, 0, Value()), classes, noId);
  SmallVector<Value> losses{head[0]}, likelihoods{head[1]};
  for (int64_t band = 1; softmax.isUsed() && band < softmax.bands(); ++band) {
    at("model.adaptive_softmax", "crit");
    auto [ids, members] = bandOf(target, softmax, band, noId);
    ValueRange part = crossEntropy(bandLogits(parts, features, static_cast<size_t>(band), members), ids, noId);
    losses.push_back(part[0]);
    likelihoods.push_back(part[1]);
  }
  SmallVector<Value> sizes;
  const StackSpec &stack = spec.decoder;
  for (int64_t index = 0; stack.mixer == Mixer::spanAttention && index < stack.layers; ++index) {
    at("decoder.span_loss", spanName(index));
    auto penalty = builder.create<SpanPenaltyOp>(location, head[2].getType(),
                                                 RankedTensorType::get({stack.spans()}, builder.getF32Type()),
                                                 parameter(spanName(index)), head[2], f32(stack.recurrent.spanLoss),
                                                 static_cast<uint64_t>(stack.recurrent.span));
    losses.push_back(penalty.getPenalty());
    sizes.push_back(penalty.getSizes());
  }
  at("training.criterion", "criterion");
  auto sum = [&](ValueRange values) -> Value {
    return values.size() == 1 ? values.front()
                              : builder.create<AddScalarsOp>(location, values.front().getType(), values).getOutput();
  };
  SmallVector<Value> results{sum(losses), sum(likelihoods), head[2]};
  results.append(sizes);
  return results;
}

Value GraphBuilder::recurrentLogits(Value features) {
  const AdaptiveSoftmaxSpec &softmax = spec.model.adaptiveSoftmax;
  const SoftmaxParts parts = softmaxParts();
  if (!softmax.isUsed())
    return bandLogits(parts, features, 0, Value());
  SmallVector<Value> bands;
  for (int64_t band = 0; band < softmax.bands(); ++band) {
    Value logits = bandLogits(parts, features, static_cast<size_t>(band), Value());
    bands.push_back(builder.create<LogSoftmaxOp>(location, logits.getType(), logits));
  }
  return builder.create<JoinClustersOp>(location, withLast(features, spec.model.targetVocabulary), bands.front(),
                                        ArrayRef(bands).drop_front(), softmax.compat);
}
