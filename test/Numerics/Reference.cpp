// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Numerics/Reference.h"

#include "dialect/bifocal/BifocalOps.h"
#include "runtime/core/Philox.h"
#include "test/Numerics/ReferenceMath.h"

using namespace bifocal;
using namespace bifocal::test;

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

bool Reference::setResults(mlir::Operation *op, llvm::ArrayRef<Tensor> tensors) {
  for (auto [result, tensor] : llvm::zip(op->getResults(), tensors))
    value(result) = tensor;
  return true;
}

Reference::Reference(mlir::ModuleOp module) : module(module) {
  torch::set_num_threads(1); // the tensors are too small to share
}

std::vector<Tensor> Reference::run(llvm::StringRef name, const std::vector<Tensor> &arguments) {
  auto function = module.lookupSymbol<mlir::func::FuncOp>(name);
  if (!function || function.getNumArguments() != arguments.size())
    throw std::runtime_error("no function @" + name.str() + " with so many arguments");
  for (auto [argument, tensor] : llvm::zip(function.getArguments(), arguments))
    value(argument) = tensor;
  evaluateBody(function.getBody().front());
  std::vector<Tensor> results;
  for (mlir::Value operand : function.getBody().front().getTerminator()->getOperands())
    results.push_back(value(operand));
  return results;
}

void Reference::evaluateBody(mlir::Block &block) {
  for (mlir::Operation &op : block.without_terminator())
    evaluate(&op);
}

void Reference::evaluate(mlir::Operation *op) {
  if (!evaluateTokens(op) && !evaluateAdaptive(op) && !evaluateRecurrent(op) && !evaluateRelative(op) &&
      !evaluateRow(op) && !evaluateLayer(op) && !evaluateSequence(op) && !evaluateStep(op) &&
      !evaluateRowGradient(op) && !evaluateLayerGradient(op) && !evaluateSequenceGradient(op) && !evaluateFused(op) &&
      !evaluateUpdate(op))
    throw std::runtime_error("no reference for " + op->getName().getStringRef().str());
}

Tensor Reference::masked(Tensor rows, mlir::Value mask) {
  return mask ? rows.masked_fill(value(mask).logical_not().unsqueeze(-1), 0) : rows;
}

bool Reference::evaluateTokens(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](ParamRefOp ref) {
        value(ref.getValue()) = parameters.at(ref.getParam().str());
        return true;
      })
      .Case([&](EmbeddingOp embedding) {
        int64_t pad = static_cast<int32_t>(embedding.getPad());
        Tensor table = value(embedding.getTable());
        // An id outside of the table reads the nearest row.
        Tensor ids = value(embedding.getIds()).clamp(0, table.size(0) - 1);
        value(embedding.getOutput()) = torch::embedding(table, ids, pad) * embedding.getScale().convertToDouble();
        return true;
      })
      .Case([&](PositionsOp positions) {
        Tensor tokens = value(positions.getTokens()),
               real = tokens.ne(static_cast<int64_t>(positions.getPad())).to(torch::kInt64);
        value(positions.getOutput()) = torch::cumsum(real, -1) * real + static_cast<int64_t>(positions.getPad());
        return true;
      })
      .Case([&](PaddingMaskOp mask) {
        value(mask.getMask()) = value(mask.getTokens()).ne(int64_t{static_cast<int32_t>(mask.getPad())});
        return true;
      })
      .Case([&](TopKOp best) {
        const auto [values, indices] = value(best.getInput()).topk(static_cast<int64_t>(best.getK()));
        value(best.getValues()) = values;
        value(best.getIndices()) = indices;
        return true;
      })
      .Case([&](SplitOp split) {
        std::vector<int64_t> widths;
        for (mlir::Value part : split.getOutputs())
          widths.push_back(mlir::cast<mlir::ShapedType>(part.getType()).getShape().back());
        return setResults(split, value(split.getInput()).split_with_sizes(widths, -1));
      })
      .Case([&](ConcatOp concat) {
        std::vector<Tensor> parts;
        for (mlir::Value part : concat.getInputs())
          parts.push_back(value(part));
        value(concat.getOutput()) = torch::cat(parts, -1);
        return true;
      })
      .Case([&](MaskPaddingOp mask) {
        value(mask.getOutput()) = masked(value(mask.getInput()), mask.getMask());
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}

bool Reference::evaluateRow(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](LinearOp linear) {
        Tensor sums = torch::matmul(masked(value(linear.getInput()), linear.getMask()), value(linear.getWeight()).t());
        if (linear.getBias())
          sums = sums + value(linear.getBias());
        value(linear.getOutput()) = linear.getActivation() == Activation::relu ? torch::relu(sums)
                                    : isGated(linear.getActivation())
                                        ? gated(sums, gateOf(linear.getActivation()) == Gate::silu)
                                        : sums;
        if (linear.getPreactivation())
          value(linear.getPreactivation()) = sums;
        return true;
      })
      .Case([&](LayerNormOp norm) {
        return setResults(norm, layerNorm(value(norm.getInput()), value(norm.getScale()), value(norm.getBias()),
                                          norm.getEpsilon().convertToFloat()));
      })
      .Case([&](DropoutOp dropout) {
        Tensor input = value(dropout.getInput());
        value(dropout.getOutput()) = input * dropoutMask(input.sizes(), dropout.getRate().convertToFloat(),
                                                         dropout.getSite(), value(dropout.getRng()));
        return true;
      })
      .Case([&](ReluOp relu) {
        value(relu.getOutput()) = torch::relu(value(relu.getInput()));
        return true;
      })
      .Case([&](GluOp glu) {
        value(glu.getOutput()) = gated(value(glu.getInput()), glu.getGate() == Gate::silu);
        return true;
      })
      .Case([&](AddOp add) {
        value(add.getOutput()) = value(add.getLhs()) + value(add.getRhs());
        return true;
      })
      .Case([&](AddBiasOp add) {
        value(add.getOutput()) = value(add.getInput()) + value(add.getBias());
        return true;
      })
      .Case([&](SoftmaxOp softmax) {
        value(softmax.getOutput()) = softmaxOfGroups(value(softmax.getInput()), softmax.getGroup());
        return true;
      })
      .Case([&](LogSoftmaxOp softmax) {
        value(softmax.getOutput()) = torch::log_softmax(value(softmax.getInput()), -1);
        return true;
      })
      .Case([&](CrossEntropyOp loss) {
        return setResults(loss, crossEntropy(value(loss.getLogits()), value(loss.getTargets()),
                                             loss.getSmoothing().convertToFloat(),
                                             static_cast<int32_t>(loss.getIgnoreIndex())));
      })
      .Default([](mlir::Operation *) { return false; });
}

bool Reference::evaluateLayer(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](SiluOp silu) { return setResults(silu, {torch::silu(value(silu.getInput()))}); })
      .Case([&](MulOp mul) { return setResults(mul, {value(mul.getLhs()) * value(mul.getRhs())}); })
      .Case([&](RmsNormOp norm) {
        return setResults(norm, {rmsNorm(value(norm.getInput()), optional(norm.getWeight()), norm.groupSize(),
                                         norm.getFactor().convertToFloat(), norm.getEpsilon().convertToFloat())});
      })
      .Case([&](HeadDifferenceOp op) {
        return setResults(op, {headDifference(value(op.getInput()), value(op.getGate()))});
      })
      .Case([&](DiffLambdaOp op) {
        std::vector<Tensor> vectors;
        for (mlir::Value vector : op.getOperands())
          vectors.push_back(value(vector));
        return setResults(op, {diffLambda(vectors, op.getInitial().convertToFloat())});
      })
      .Default([](mlir::Operation *) { return false; });
}

bool Reference::evaluateSequence(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](LightConvOp conv) {
        Tensor output = lightConvolution(conv, value(conv.getInput()), value(conv.getTaps()), optional(conv.getRng()));
        value(conv.getOutput()) = conv.getBias() ? output + value(conv.getBias()) : output;
        return true;
      })
      .Case([&](DynamicConvOp conv) {
        Tensor output =
            dynamicConvolution(conv, value(conv.getInput()), value(conv.getTaps()), optional(conv.getRng()));
        value(conv.getOutput()) = conv.getBias() ? output + value(conv.getBias()) : output;
        return true;
      })
      .Case([&](AttentionOp attention) {
        Tensor lse;
        value(attention.getOutput()) =
            attend(attention, value(attention.getQuery()), value(attention.getKey()), value(attention.getValue()),
                   optional(attention.getMask()), optional(attention.getRng()), lse);
        value(attention.getLse()) = lse;
        return true;
      })
      .Case([&](DiffAttentionOp attention) {
        Tensor lse, output = attendTwice(attention, value(attention.getQuery()), value(attention.getKey()),
                                         value(attention.getValue()), value(attention.getLambda()),
                                         optional(attention.getMask()), optional(attention.getRng()), lse);
        return setResults(attention, {output, lse});
      })
      .Case([&](RotaryOp rotary) {
        int64_t first = rotary.getStep() ? value(rotary.getStep()).item<int64_t>() : 0;
        return setResults(rotary,
                          {rotate(value(rotary.getInput()), value(rotary.getCos()), value(rotary.getSin()), first,
                                  rotary.getHeads(), rotary.getInverse(), rotary.getLayout() == RotaryLayout::halves)});
      })
      .Default([](mlir::Operation *) { return false; });
}
