// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/GraphBuilder.h"

#include "frontend/Parameters.h"
#include <cmath>

using namespace bifocal;
using namespace mlir;

void GraphBuilder::at(std::string_view specPath, StringRef layer) {
  Position where = spec.whereOf(specPath);
  MLIRContext *context = builder.getContext();
  Location place = FileLineColLoc::get(context, spec.fileName, where.line, where.column);
  location = NameLoc::get(StringAttr::get(context, layer), place);
}

GraphBuilder::Layer GraphBuilder::layerOf(bool decoder, int64_t index, Value mask) const {
  return {decoder ? spec.decoder : spec.encoder, decoder, index, decoder ? "decoder" : "encoder",
          layerPrefix(decoder, index),           mask};
}

double GraphBuilder::attentionScale(const Layer &layer) const {
  return 1 / std::sqrt(static_cast<double>(spec.model.dim) / static_cast<double>(layer.stack.heads));
}

RankedTensorType GraphBuilder::withLast(Value like, int64_t last) const {
  auto type = cast<RankedTensorType>(like.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = last;
  return RankedTensorType::get(shape, type.getElementType());
}

RankedTensorType GraphBuilder::like(Value tokens, Type element) const {
  return RankedTensorType::get(cast<RankedTensorType>(tokens.getType()).getShape(), element);
}

Value GraphBuilder::parameter(const std::string &name) {
  auto type = parameterTypes.find(name);
  assert(type != parameterTypes.end() && "every parameter that a layer reads is declared");
  return builder.create<ParamRefOp>(location, type->second, FlatSymbolRefAttr::get(builder.getContext(), name));
}

Value GraphBuilder::linear(Value x, const std::string &prefix, Value mask, bool bias) {
  Value weight = parameter(prefix + ".weight");
  Value offset = optionalParameter(bias, prefix + ".bias");
  int64_t outputs = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  return builder.create<LinearOp>(location, withLast(x, outputs), Type(), x, weight, offset, mask, Activation::none)
      .getOutput();
}

Value GraphBuilder::dropout(Value x, double rate) {
  uint32_t site = nextSite++;
  if (rate == 0 || !rng)
    return x;
  return builder.create<DropoutOp>(location, x.getType(), x, rng, f32(rate), site).getOutput();
}

Value GraphBuilder::normalize(Value x, const std::string &prefix) {
  auto type = cast<RankedTensorType>(x.getType());
  auto statistic = RankedTensorType::get(type.getShape().drop_back(), builder.getF32Type());
  Value scale = parameter(prefix + ".weight"), bias = parameter(prefix + ".bias");
  return builder.create<LayerNormOp>(location, type, statistic, statistic, x, scale, bias, f32(1e-5)).getOutput();
}

Value GraphBuilder::residual(Value x, const std::string &norm, llvm::function_ref<Value(Value)> body) {
  bool pre = spec.model.norm == NormPlace::pre;
  Value kept = x;
  if (pre) {
    at("model.norm", norm);
    x = normalize(x, norm);
  }
  x = body(x);
  at("model.dropout", norm);
  x = dropout(x, spec.model.dropout);
  x = builder.create<AddOp>(location, x.getType(), kept, x).getOutput();
  if (!pre) {
    at("model.norm", norm);
    x = normalize(x, norm);
  }
  return x;
}

Value GraphBuilder::feedForward(Value input, const Layer &layer) {
  at(layer.side + ".ffn_dim", layer.prefix + "fc1");
  Value x = linear(input, layer.prefix + "fc1", layer.mask);
  x = builder.create<ReluOp>(location, x.getType(), x).getOutput();
  x = dropout(x, spec.model.reluDropout);
  at(layer.side + ".ffn_dim", layer.prefix + "fc2");
  return linear(x, layer.prefix + "fc2", layer.mask);
}

Value GraphBuilder::lightConvolution(Value input, const Layer &layer, const Step *step) {
  const StackSpec &stack = layer.stack;
  int64_t taps = stack.kernelSizes[layer.index];
  Value weight = parameter(layer.prefix + "conv.weight");
  if (stack.weightSoftmax)
    weight = builder.create<SoftmaxOp>(location, weight.getType(), weight, taps).getOutput();
  weight = dropout(weight, spec.model.weightDropout);
  Value bias = optionalParameter(stack.convBias, layer.prefix + convBiasName(stack));
  if (step)
    return builder
        .create<LightConvStepOp>(location, input.getType(), input, weight, bias, step->ancestors, step->step,
                                 layer.prefix + "conv.input")
        .getOutput();
  int64_t padding = layer.decoder ? taps - 1 : taps / 2;
  return builder.create<LightConvOp>(location, input.getType(), input, weight, bias, Value(), padding, false, f32(0))
      .getOutput();
}

Value GraphBuilder::dynamicConvolution(Value input, const Layer &layer, const Step *step) {
  const StackSpec &stack = layer.stack;
  int64_t taps = stack.kernelSizes[layer.index];
  Value weight = linear(input, layer.prefix + "conv.weight_linear", layer.mask, /*bias=*/false);
  if (stack.weightSoftmax)
    weight = builder.create<SoftmaxOp>(location, weight.getType(), weight, taps).getOutput();
  weight = dropout(weight, spec.model.weightDropout);
  Value bias = optionalParameter(stack.convBias, layer.prefix + convBiasName(stack));
  if (step)
    return builder
        .create<DynamicConvStepOp>(location, input.getType(), input, weight, bias, step->ancestors, step->step,
                                   layer.prefix + "conv.input", stack.heads)
        .getOutput();
  int64_t padding = layer.decoder ? taps - 1 : taps / 2;
  return builder
      .create<DynamicConvOp>(location, input.getType(), input, weight, bias, Value(), stack.heads, padding,
                             /*normalized=*/false, /*renormalized=*/false, /*compat=*/false, f32(0))
      .getOutput();
}

Value GraphBuilder::convolution(Value input, const Layer &layer, Value mask, const Step *step) {
  at(layer.side + ".layers", layer.prefix + "linear1");
  Value x = linear(dropout(input, spec.model.inputDropout), layer.prefix + "linear1", layer.mask);
  if (layer.stack.glu)
    x = builder.create<GluOp>(location, withLast(x, layer.stack.convDim), x).getOutput();
  // linear1's bias would leak from padded steps into real ones. A causal convolution never sees the right.
  if (mask)
    x = builder.create<MaskPaddingOp>(location, x.getType(), x, mask).getOutput();
  at(layer.side + ".kernel_sizes[" + std::to_string(layer.index) + "]", layer.prefix + "conv");
  x = layer.stack.mixer == Mixer::lightConv ? lightConvolution(x, layer, step) : dynamicConvolution(x, layer, step);
  at(layer.side + ".layers", layer.prefix + "linear2");
  return linear(x, layer.prefix + "linear2", layer.mask);
}

Value GraphBuilder::attention(Value query, Value key, Value value, Value mask, const Layer &layer, bool causal) {
  auto type = cast<RankedTensorType>(query.getType());
  auto lse = RankedTensorType::get({type.getDimSize(0), layer.stack.heads, type.getDimSize(1)}, builder.getF32Type());
  uint32_t site = nextSite++;
  bool drops = rng && spec.model.attentionDropout > 0;
  return builder
      .create<AttentionOp>(location, type, lse, query, key, value, mask, drops ? rng : Value(), layer.stack.heads,
                           f32(attentionScale(layer)), causal, f32(drops ? spec.model.attentionDropout : 0),
                           drops ? site : 0)
      .getOutput();
}

Value GraphBuilder::selfAttention(Value input, const Layer &layer, Value mask, const Step *step) {
  std::string prefix = layer.prefix + "self_attn";
  at(layer.side + ".heads", prefix);
  Value query = linear(input, prefix + ".q_proj", layer.mask), key = linear(input, prefix + ".k_proj", layer.mask);
  Value value = linear(input, prefix + ".v_proj", layer.mask), x;
  if (step)
    x = builder
            .create<AttentionStepOp>(location, query.getType(), query, key, value, step->ancestors, step->step,
                                     prefix + ".keys", prefix + ".values", layer.stack.heads,
                                     f32(attentionScale(layer)))
            .getOutput();
  else
    x = attention(query, key, value, mask, layer, layer.decoder);
  return linear(x, prefix + ".out_proj", layer.mask);
}

Value GraphBuilder::crossAttention(Value input, const Layer &layer, Value encoderOutput, Value mask, const Step *step) {
  std::string prefix = layer.prefix + "encoder_attn";
  at(layer.side + ".heads", prefix);
  Value query = linear(input, prefix + ".q_proj", layer.mask), x;
  if (step)
    x = builder
            .create<CrossAttentionStepOp>(location, query.getType(), query, step->sentences, prefix + ".keys",
                                          prefix + ".values", "source_mask", layer.stack.heads,
                                          f32(attentionScale(layer)))
            .getOutput();
  else
    x = attention(query, linear(encoderOutput, prefix + ".k_proj", mask),
                  linear(encoderOutput, prefix + ".v_proj", mask), mask, layer,
                  /*causal=*/false);
  return linear(x, prefix + ".out_proj", layer.mask);
}
