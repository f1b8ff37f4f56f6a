// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/GraphBuilder.h"

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
  Value offset = optionalParameter(bias && spec.model.bias, prefix + ".bias");
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
  if (spec.model.normKind == NormKind::rms)
    return builder.create<RmsNormOp>(location, x.getType(), x, parameter(prefix + ".weight"), /*group=*/0, f32(1),
                                     f32(1e-5));
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
  if (layer.stack.ffnActivation == FfnActivation::swiglu)
    x = builder.create<GluOp>(location, withLast(x, layer.stack.ffnDim), x, Gate::silu).getOutput();
  else
    x = builder.create<ReluOp>(location, x.getType(), x).getOutput();
  x = dropout(x, spec.model.reluDropout);
  at(layer.side + ".ffn_dim", layer.prefix + "fc2");
  return linear(x, layer.prefix + "fc2", layer.mask);
}

Value GraphBuilder::lightConvolution(Value input, const MixerPart &part, const Layer &layer, const Step *step) {
  Value weight = parameter(part.tapsPrefix + "weight");
  if (part.weightSoftmax)
    weight = builder.create<SoftmaxOp>(location, weight.getType(), weight, part.taps).getOutput();
  weight = dropout(weight, spec.model.weightDropout);
  Value bias = optionalParameter(part.convBias, convBiasName(part));
  if (step)
    return builder
        .create<LightConvStepOp>(location, input.getType(), input, weight, bias, step->ancestors, step->step,
                                 part.tapsPrefix + "input")
        .getOutput();
  int64_t padding = layer.decoder ? part.taps - 1 : part.taps / 2;
  return builder.create<LightConvOp>(location, input.getType(), input, weight, bias, Value(), padding, false, f32(0))
      .getOutput();
}

Value GraphBuilder::dynamicConvolution(Value input, const MixerPart &part, const Layer &layer, const Step *step) {
  Value weight = linear(input, part.tapsPrefix + "weight_linear", layer.mask, /*bias=*/false);
  if (part.weightSoftmax)
    weight = builder.create<SoftmaxOp>(location, weight.getType(), weight, part.taps).getOutput();
  weight = dropout(weight, spec.model.weightDropout);
  Value bias = optionalParameter(part.convBias, convBiasName(part));
  if (step)
    return builder
        .create<DynamicConvStepOp>(location, input.getType(), input, weight, bias, step->ancestors, step->step,
                                   part.tapsPrefix + "input", part.heads)
        .getOutput();
  int64_t padding = layer.decoder ? part.taps - 1 : part.taps / 2;
  return builder
      .create<DynamicConvOp>(location, input.getType(), input, weight, bias, Value(), part.heads, padding,
                             /*normalized=*/false, /*renormalized=*/false, /*compat=*/false, f32(0))
      .getOutput();
}

Value GraphBuilder::convolution(Value input, const MixerPart &part, const Layer &layer, Value mask, const Step *step) {
  at(part.specPath, part.prefix + "linear1");
  Value x = linear(dropout(input, spec.model.inputDropout), part.prefix + "linear1", layer.mask);
  if (part.glu)
    x = builder.create<GluOp>(location, withLast(x, part.dim), x).getOutput();
  // linear1's bias would leak from padded steps into real ones, and does where the spec asks for the published order:
  // its own mask has made zeros before. A causal convolution never sees the right.
  if (mask && !layer.stack.maskBeforeLinear)
    x = builder.create<MaskPaddingOp>(location, x.getType(), x, mask).getOutput();
  at(part.tapsPath, StringRef(part.tapsPrefix).drop_back());
  x = part.kind == Mixer::lightConv ? lightConvolution(x, part, layer, step) : dynamicConvolution(x, part, layer, step);
  at(part.specPath, part.prefix + "linear2");
  return linear(x, part.prefix + "linear2", layer.mask);
}

Value GraphBuilder::mixPart(Value input, const MixerPart &part, const Layer &layer, Value mask, const Step *step) {
  return part.attends() ? selfAttention(input, part, layer, mask, step) : convolution(input, part, layer, mask, step);
}

Value GraphBuilder::mix(Value input, const Layer &layer, Value mask, const Step *step) {
  std::vector<MixerPart> parts = mixerParts(spec, layer.decoder, layer.index);
  if (parts.size() == 1)
    return mixPart(input, parts.front(), layer, mask, step);
  const std::string place = layer.side + ".mixer", name = layer.prefix + "self_attn";
  SmallVector<Type> types;
  for (const MixerPart &part : parts)
    types.push_back(withLast(input, part.channels));
  at(place, name);
  auto split = builder.create<SplitOp>(location, types, input);
  SmallVector<Value> outputs;
  for (auto [part, slice] : llvm::zip_equal(parts, split.getOutputs()))
    outputs.push_back(mixPart(slice, part, layer, mask, step));
  at(place, name);
  return builder.create<ConcatOp>(location, input.getType(), outputs);
}
