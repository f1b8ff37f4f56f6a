// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Gradient ops as LibTorch's derivatives of their forward ops.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/ReferenceMath.h"

using namespace bifocal;
using namespace bifocal::test;

static Tensor rowsOf(const Tensor &x) { return x.reshape({-1, x.size(-1)}); }

bool Reference::evaluateRowGradient(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](LinearInputGradOp grad) {
        return setResults(
            op, {torch::matmul(masked(value(grad.getOutputGrad()), grad.getMask()), value(grad.getWeight()))});
      })
      .Case([&](LinearWeightGradOp grad) {
        return setResults(op, {torch::matmul(rowsOf(value(grad.getOutputGrad())).t(),
                                             rowsOf(masked(value(grad.getInput()), grad.getMask())))});
      })
      .Case([&](ColumnSumOp sum) { return setResults(op, {rowsOf(value(sum.getInput())).sum(0)}); })
      .Case([&](EmbeddingGradOp grad) {
        auto shape = mlir::cast<mlir::RankedTensorType>(grad.getTableGrad().getType()).getShape();
        Tensor zero = torch::zeros(std::vector<int64_t>(shape.begin(), shape.end()), torch::kFloat64),
               given = value(grad.getIds()), ids = given.clamp(0, shape[0] - 1);
        // An id outside of the table has no row.
        Tensor outputGrad = value(grad.getOutputGrad()) * given.eq(ids).unsqueeze(-1);
        int64_t pad = static_cast<int32_t>(grad.getPad());
        double scale = grad.getScale().convertToFloat();
        Tensor table = derivatives(
            {zero}, outputGrad, [&](std::vector<Tensor> &in) { return torch::embedding(in[0], ids, pad) * scale; })[0];
        return setResults(op, {grad.getInitial() ? table + value(grad.getInitial()) : table});
      })
      .Case([&](LayerNormGradOp grad) {
        // The bias does not enter its own gradient; rstd fixes no epsilon, so the statistics are taken as they are.
        Tensor g = value(grad.getOutputGrad()), x = value(grad.getInput()), scale = value(grad.getScale());
        Tensor mean = value(grad.getMean()).unsqueeze(-1), rstd = value(grad.getRstd()).unsqueeze(-1);
        Tensor normal = (x - mean) * rstd, scaled = g * scale;
        Tensor input = rstd * (scaled - scaled.mean(-1, true) - normal * (scaled * normal).mean(-1, true));
        return setResults(op, {input, rowsOf(g * normal).sum(0), rowsOf(g).sum(0)});
      })
      .Case([&](ReluGradOp grad) {
        return setResults(op, {value(grad.getOutputGrad()) * value(grad.getOutput()).gt(0)});
      })
      .Case([&](GluGradOp grad) {
        return setResults(
            op, derivatives({value(grad.getInput())}, value(grad.getOutputGrad()),
                            [&](std::vector<Tensor> &in) { return gated(in[0], grad.getGate() == Gate::silu); }));
      })
      .Case([&](SoftmaxGradOp grad) {
        Tensor y = value(grad.getOutput()), g = value(grad.getOutputGrad());
        auto shape = y.sizes().vec();
        Tensor groups = y.reshape({-1, static_cast<int64_t>(grad.getGroup())}),
               weighted = g.reshape(groups.sizes()) * groups;
        return setResults(op, {(weighted - groups * weighted.sum(-1, true)).reshape(shape)});
      })
      .Case([&](CrossEntropyGradOp grad) {
        Tensor weight = grad.getLossGrad() ? value(grad.getLossGrad()) : torch::tensor(1.0, torch::kFloat64);
        return setResults(op, derivatives({value(grad.getLogits())}, weight, [&](std::vector<Tensor> &in) {
                            return crossEntropy(in[0], value(grad.getTargets()), grad.getSmoothing().convertToFloat(),
                                                static_cast<int32_t>(grad.getIgnoreIndex()))[0];
                          }));
      })
      .Default([](mlir::Operation *) { return false; });
}

bool Reference::evaluateLayerGradient(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](SiluGradOp grad) {
        return setResults(op, derivatives({value(grad.getInput())}, value(grad.getOutputGrad()),
                                          [](std::vector<Tensor> &in) { return torch::silu(in[0]); }));
      })
      .Case([&](RmsNormGradOp grad) {
        std::vector<Tensor> inputs{value(grad.getInput())};
        if (grad.getWeight())
          inputs.push_back(value(grad.getWeight()));
        return setResults(op, derivatives(inputs, value(grad.getOutputGrad()), [&](std::vector<Tensor> &in) {
                            return rmsNorm(in[0], grad.getWeight() ? in[1] : Tensor(), grad.groupSize(),
                                           grad.getFactor().convertToFloat(), grad.getEpsilon().convertToFloat());
                          }));
      })
      .Case([&](HeadDifferenceGradOp grad) {
        return setResults(op, derivatives({value(grad.getInput()), value(grad.getGate())}, value(grad.getOutputGrad()),
                                          [](std::vector<Tensor> &in) { return headDifference(in[0], in[1]); }));
      })
      .Case([&](DiffLambdaGradOp grad) {
        std::vector<Tensor> vectors;
        for (mlir::Value vector : grad.getOperands().drop_front())
          vectors.push_back(value(vector));
        return setResults(op, derivatives(vectors, value(grad.getOutputGrad()),
                                          [](std::vector<Tensor> &in) { return diffLambda(in, 0); }));
      })
      .Default([](mlir::Operation *) { return false; });
}

bool Reference::evaluateSequenceGradient(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](LightConvGradOp grad) {
        return setResults(op, derivatives({value(grad.getInput()), value(grad.getTaps())}, value(grad.getOutputGrad()),
                                          [&](std::vector<Tensor> &in) {
                                            return lightConvolution(grad, in[0], in[1], optional(grad.getRng()));
                                          }));
      })
      .Case([&](DynamicConvGradOp grad) {
        return setResults(op, derivatives({value(grad.getInput()), value(grad.getTaps())}, value(grad.getOutputGrad()),
                                          [&](std::vector<Tensor> &in) {
                                            return dynamicConvolution(grad, in[0], in[1], optional(grad.getRng()));
                                          }));
      })
      .Case([&](AttentionGradOp grad) {
        return setResults(op, derivatives({value(grad.getQuery()), value(grad.getKey()), value(grad.getValue())},
                                          value(grad.getOutputGrad()), [&](std::vector<Tensor> &in) {
                                            Tensor lse;
                                            return attend(grad, in[0], in[1], in[2], optional(grad.getMask()),
                                                          optional(grad.getRng()), lse);
                                          }));
      })
      .Case([&](DiffAttentionGradOp grad) {
        std::vector<Tensor> inputs{value(grad.getQuery()), value(grad.getKey()), value(grad.getValue()),
                                   value(grad.getLambda())};
        return setResults(op, derivatives(inputs, value(grad.getOutputGrad()), [&](std::vector<Tensor> &in) {
                            Tensor lse;
                            return attendTwice(grad, in[0], in[1], in[2], in[3], optional(grad.getMask()),
                                               optional(grad.getRng()), lse);
                          }));
      })
      .Default([](mlir::Operation *) { return false; });
}

bool Reference::evaluateFused(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](ProjectedCrossEntropyOp loss) {
        auto sums = [&](const std::vector<Tensor> &in) {
          return crossEntropy(torch::matmul(masked(in[0], loss.getMask()), in[1].t()), value(loss.getTargets()),
                              loss.getSmoothing().convertToFloat(), static_cast<int32_t>(loss.getIgnoreIndex()));
        };
        std::vector<Tensor> inputs{value(loss.getInput()), value(loss.getWeight())};
        setResults(loss, sums(inputs));
        if (!loss.getGradients().empty()) {
          auto gradient = derivatives(inputs, torch::tensor(1.0, torch::kFloat64),
                                      [&](std::vector<Tensor> &in) { return sums(in)[0]; });
          for (auto [result, tensor] : llvm::zip(loss.getGradients(), gradient))
            value(result) = tensor;
        }
        return true;
      })
      .Case([&](MapOp map) {
        mlir::Block &body = map.getBody().front();
        for (auto [argument, operand] : llvm::zip(body.getArguments(), map.getInputs()))
          value(argument) = value(operand);
        evaluateBody(body);
        for (auto [result, yielded] : llvm::zip(map.getResults(), body.getTerminator()->getOperands()))
          value(result) = value(yielded);
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}
