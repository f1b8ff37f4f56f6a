// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Numerics/Reference.h"

#include "dialect/bifocal/BifocalOps.h"
#include "runtime/core/Philox.h"

using namespace bifocal;
using namespace bifocal::test;
using torch::Tensor;
using torch::indexing::Ellipsis;
using torch::indexing::Slice;

Tensor test::dropoutMask(torch::IntArrayRef shape, double rate, uint32_t site, const Tensor &rng) {
  Tensor mask = torch::zeros(shape, torch::kFloat64);
  double *values = mask.data_ptr<double>();
  auto seed = static_cast<uint64_t>(rng[0].item<int64_t>());
  auto step = static_cast<uint32_t>(rng[1].item<int64_t>());
  for (int64_t i = 0; i < mask.numel(); ++i)
    values[i] = philoxDraw(seed, static_cast<uint64_t>(i), site, step) >= dropThreshold(rate) ? 1 / (1 - rate) : 0;
  return mask;
}

Tensor &Reference::value(mlir::Value value) { return values[value.getAsOpaquePointer()]; }
Tensor Reference::optional(mlir::Value operand) { return operand ? value(operand) : Tensor(); }

std::vector<Tensor> Reference::run(llvm::StringRef name, const std::vector<Tensor> &arguments) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>(name);
  if (!function || function.getNumArguments() != arguments.size())
    throw std::runtime_error("no function @" + name.str() + " with so many arguments");
  for (auto [argument, tensor] : llvm::zip(function.getArguments(), arguments))
    value(argument) = tensor;
  for (mlir::Operation &op : function.getBody().front().without_terminator())
    evaluate(&op);
  std::vector<Tensor> results;
  for (mlir::Value operand : function.getBody().front().getTerminator()->getOperands())
    results.push_back(value(operand));
  return results;
}

void Reference::evaluate(mlir::Operation *op) {
  if (!evaluateRow(op) && !evaluateSequence(op) && !evaluateStep(op))
    throw std::runtime_error("no reference for " + op->getName().getStringRef().str());
}

/// log p and its sums over the targets that count; the smoothing spreads over all other classes.
static std::array<Tensor, 3> crossEntropy(const Tensor &logits, const Tensor &targets, double smoothing, int64_t ignored) {
  int64_t classes = logits.size(-1);
  Tensor logp = torch::log_softmax(logits.reshape({-1, classes}), -1), flat = targets.reshape({-1});
  Tensor counts = flat.ne(ignored).to(torch::kFloat64);
  Tensor nll = -(logp.gather(1, flat.clamp(0, classes - 1).unsqueeze(1)).squeeze(1) * counts).sum();
  Tensor smooth = -(logp.sum(-1) * counts).sum();
  double share = classes > 1 ? smoothing / static_cast<double>(classes - 1) : 0;
  return {(1 - smoothing - share) * nll + share * smooth, nll, counts.sum()};
}

static std::vector<Tensor> layerNorm(const Tensor &x, const Tensor &scale, const Tensor &bias, double epsilon) {
  Tensor mean = x.mean(-1, true), centred = x - mean;
  Tensor rstd = torch::rsqrt((centred * centred).mean(-1, true) + epsilon);
  return {centred * rstd * scale + bias, mean.squeeze(-1), rstd.squeeze(-1)};
}

bool Reference::evaluateRow(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](ParamRefOp ref) { value(ref.getValue()) = parameters.at(ref.getParam().str()); return true; })
      .Case([&](LinearOp linear) {
        Tensor sums = torch::matmul(value(linear.getInput()), value(linear.getWeight()).t());
        if (linear.getBias())
          sums = sums + value(linear.getBias());
        value(linear.getOutput()) = linear.getActivation() == Activation::relu  ? torch::relu(sums)
                                    : linear.getActivation() == Activation::glu ? torch::glu(sums, -1)
                                                                                : sums;
        if (linear.getPreactivation())
          value(linear.getPreactivation()) = sums;
        return true;
      })
      .Case([&](EmbeddingOp embedding) {
        int64_t pad = static_cast<int32_t>(embedding.getPad());
        value(embedding.getOutput()) =
            torch::embedding(value(embedding.getTable()), value(embedding.getIds()), pad) * embedding.getScale().convertToDouble();
        return true;
      })
      .Case([&](PositionsOp positions) {
        Tensor tokens = value(positions.getTokens()), real = tokens.ne(static_cast<int64_t>(positions.getPad())).to(torch::kInt64);
        value(positions.getOutput()) = torch::cumsum(real, -1) * real + static_cast<int64_t>(positions.getPad());
        return true;
      })
      .Case([&](PaddingMaskOp mask) { value(mask.getMask()) = value(mask.getTokens()).ne(static_cast<int64_t>(mask.getPad())); return true; })
      .Case([&](MaskPaddingOp mask) {
        value(mask.getOutput()) = value(mask.getInput()).masked_fill(value(mask.getMask()).logical_not().unsqueeze(-1), 0);
        return true;
      })
      .Case([&](LayerNormOp norm) {
        auto results = layerNorm(value(norm.getInput()), value(norm.getScale()), value(norm.getBias()), norm.getEpsilon().convertToFloat());
        for (auto [result, tensor] : llvm::zip(norm->getResults(), results))
          value(result) = tensor;
        return true;
      })
      .Case([&](DropoutOp dropout) {
        Tensor input = value(dropout.getInput());
        value(dropout.getOutput()) = input * dropoutMask(input.sizes(), dropout.getRate().convertToFloat(), dropout.getSite(), value(dropout.getRng()));
        return true;
      })
      .Case([&](ReluOp relu) { value(relu.getOutput()) = torch::relu(value(relu.getInput())); return true; })
      .Case([&](GluOp glu) { value(glu.getOutput()) = torch::glu(value(glu.getInput()), -1); return true; })
      .Case([&](AddOp add) { value(add.getOutput()) = value(add.getLhs()) + value(add.getRhs()); return true; })
      .Case([&](AddBiasOp add) { value(add.getOutput()) = value(add.getInput()) + value(add.getBias()); return true; })
      .Case([&](SoftmaxOp softmax) {
        Tensor input = value(softmax.getInput());
        int64_t group = softmax.getGroup();
        auto shape = input.sizes().vec();
        value(softmax.getOutput()) = torch::softmax(input.reshape({-1, group}), -1).reshape(shape);
        return true;
      })
      .Case([&](LogSoftmaxOp softmax) { value(softmax.getOutput()) = torch::log_softmax(value(softmax.getInput()), -1); return true; })
      .Case([&](CrossEntropyOp loss) {
        auto sums = crossEntropy(value(loss.getLogits()), value(loss.getTargets()), loss.getSmoothing().convertToFloat(),
                                 static_cast<int32_t>(loss.getIgnoreIndex()));
        for (auto [result, tensor] : llvm::zip(loss->getResults(), sums))
          value(result) = tensor;
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}

/// y[b, t, c] = sum over k of taps[b, t, h(c), k] * x[b, t + k - P, c]; taps may have one row for all b and t.
static Tensor convolve(const Tensor &x, const Tensor &taps, int64_t padding) {
  int64_t steps = x.size(1), heads = taps.size(2), count = taps.size(3), width = x.size(2) / heads;
  Tensor padded = torch::constant_pad_nd(x, {0, 0, padding, count - 1 - padding}), sum;
  for (int64_t k = 0; k < count; ++k) {
    Tensor weight = taps.index({Ellipsis, k}).repeat_interleave(width, -1);
    Tensor term = padded.index({Slice(), Slice(k, k + steps)}) * weight;
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

/// The softmax of dynamic taps [B, T, H, K] over all taps, those inside the sequence, or the last T.
static Tensor normalizeTaps(const Tensor &taps, int64_t padding, bool renormalized, bool compat) {
  int64_t steps = taps.size(1), count = taps.size(3);
  if (!renormalized && !(compat && padding == count - 1 && steps < count))
    return torch::softmax(taps, -1);
  Tensor t = torch::arange(steps).unsqueeze(1), k = torch::arange(count).unsqueeze(0), position = t + k - padding;
  Tensor inside = renormalized ? position.ge(0).logical_and(position.lt(steps)) : k.ge(count - steps).expand({steps, count});
  Tensor masked = taps.masked_fill(inside.logical_not().unsqueeze(1), -INFINITY);
  return torch::softmax(masked, -1);
}

static Tensor attend(AttentionOp op, Tensor query, Tensor key, Tensor value, const Tensor &mask, const Tensor &rng, Tensor &lse) {
  int64_t heads = op.getHeads(), steps = query.size(1), keys = key.size(1), width = query.size(2) / heads;
  auto split = [&](const Tensor &x) { return x.reshape({x.size(0), x.size(1), heads, width}).transpose(1, 2); };
  Tensor scores = torch::matmul(split(query), split(key).transpose(2, 3)) * static_cast<double>(op.getScale().convertToFloat());
  Tensor allowed = torch::ones({query.size(0), 1, steps, keys}, torch::kBool);
  if (mask.defined())
    allowed = allowed.logical_and(mask.unsqueeze(1).unsqueeze(1));
  if (op.getCausal())
    allowed = allowed.logical_and(torch::ones({steps, keys}, torch::kBool).tril());
  scores = scores.masked_fill(allowed.logical_not(), -INFINITY);
  // A row without any key gives zero, and its gradient too.
  Tensor any = allowed.any(-1, true);
  Tensor safe = scores.masked_fill(any.logical_not(), 0);
  Tensor probabilities = torch::softmax(safe, -1).masked_fill(any.logical_not(), 0);
  lse = torch::logsumexp(safe, -1);
  double rate = op.getDropRate().convertToFloat();
  if (rate > 0)
    probabilities = probabilities * dropoutMask(probabilities.sizes(), rate, op.getSite(), rng);
  return torch::matmul(probabilities, split(value)).transpose(1, 2).reshape(query.sizes());
}

bool Reference::evaluateSequence(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](LightConvOp conv) {
        Tensor taps = value(conv.getTaps());
        if (conv.getNormalized())
          taps = torch::softmax(taps, -1);
        if (double rate = conv.getDropRate().convertToFloat(); rate > 0)
          taps = taps * dropoutMask(taps.sizes(), rate, conv.getSite(), value(conv.getRng()));
        Tensor output = convolve(value(conv.getInput()), taps.reshape({1, 1, taps.size(0), taps.size(2)}), conv.getLeftPadding());
        value(conv.getOutput()) = conv.getBias() ? output + value(conv.getBias()) : output;
        return true;
      })
      .Case([&](DynamicConvOp conv) {
        Tensor input = value(conv.getInput()), taps = value(conv.getTaps());
        int64_t heads = conv.getHeads();
        auto shape = taps.sizes().vec();
        taps = taps.reshape({shape[0], shape[1], heads, shape[2] / heads});
        if (conv.getNormalized())
          taps = normalizeTaps(taps, conv.getLeftPadding(), conv.getRenormalized(), conv.getCompat());
        if (double rate = conv.getDropRate().convertToFloat(); rate > 0)
          taps = taps * dropoutMask(shape, rate, conv.getSite(), value(conv.getRng())).reshape(taps.sizes());
        Tensor output = convolve(input, taps, conv.getLeftPadding());
        value(conv.getOutput()) = conv.getBias() ? output + value(conv.getBias()) : output;
        return true;
      })
      .Case([&](AttentionOp attention) {
        Tensor lse;
        value(attention.getOutput()) = attend(attention, value(attention.getQuery()), value(attention.getKey()), value(attention.getValue()),
                                              optional(attention.getMask()), optional(attention.getRng()), lse);
        value(attention.getLse()) = lse;
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}
