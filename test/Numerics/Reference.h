// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_NUMERICS_REFERENCE_H
#define BIFOCAL_TEST_NUMERICS_REFERENCE_H

// Evaluates functions of bifocal ops with LibTorch in f64. A gradient op is LibTorch's own differentiation of its
// forward op, so nothing here shares code or derivations with the compiler.

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

#include <torch/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <string>
#include <vector>

namespace bifocal::test {

class Reference {
public:
  explicit Reference(mlir::ModuleOp module);

  /// f64 values of parameters and states by name; ids are int64, masks bool.
  std::map<std::string, torch::Tensor> parameters, states;
  /// The slabs of a training step, by parameter name.
  std::map<std::string, torch::Tensor> gradients, firstMoments, secondMoments;

  /// The results of `function`. Throws std::runtime_error for an op that it does not know.
  std::vector<torch::Tensor> run(llvm::StringRef function, const std::vector<torch::Tensor> &arguments);

private:
  void evaluate(mlir::Operation *op);
  // Each knows some ops and returns false for the others.
  bool evaluateTokens(mlir::Operation *op);
  bool evaluateAdaptive(mlir::Operation *op);
  bool evaluateRecurrent(mlir::Operation *op);
  bool evaluateRelative(mlir::Operation *op);
  bool evaluateRow(mlir::Operation *op);
  bool evaluateLayer(mlir::Operation *op);
  bool evaluateSequence(mlir::Operation *op);
  bool evaluateStep(mlir::Operation *op);
  bool evaluateRowGradient(mlir::Operation *op);
  bool evaluateLayerGradient(mlir::Operation *op);
  bool evaluateSequenceGradient(mlir::Operation *op);
  bool evaluateFused(mlir::Operation *op);
  bool evaluateUpdate(mlir::Operation *op);
  template <typename Op> void updateParameters(Op op);
  void evaluateBody(mlir::Block &block);
  torch::Tensor &value(mlir::Value value);
  torch::Tensor optional(mlir::Value value);
  /// `rows` with zeros where `mask`, if there is one, is false.
  torch::Tensor masked(torch::Tensor rows, mlir::Value mask);
  /// Gives the first results of `op` their values; true.
  bool setResults(mlir::Operation *op, llvm::ArrayRef<torch::Tensor> tensors);

  mlir::ModuleOp module;
  std::map<void *, torch::Tensor> values;
};

/// 0 where an element of a tensor of this shape is dropped, else 1 / (1 - rate): the draws that every device makes.
torch::Tensor dropoutMask(torch::IntArrayRef shape, double rate, uint32_t site, const torch::Tensor &rng);

} // namespace bifocal::test
#endif
