// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_FUSEPROJECTEDCROSSENTROPYPASS
#include "passes/Passes.h.inc"

namespace {

/// Two values, or two references to one parameter.
bool sameValue(Value a, Value b) {
  if (a == b)
    return true;
  auto refA = a.getDefiningOp<ParamRefOp>(), refB = b.getDefiningOp<ParamRefOp>();
  return refA && refB && refA.getParamAttr() == refB.getParamAttr();
}

/// The backward half of a projection with its loss; all null in a forward pass.
struct Backward {
  CrossEntropyGradOp logitsGrad;
  LinearInputGradOp inputGrad;
  LinearWeightGradOp weightGrad;
};

/// Finds the readers of the gradient of the logits; a reason when they are not the two of `linear`.
std::string matchBackward(LinearOp linear, CrossEntropyOp loss, CrossEntropyGradOp gradient, Backward &backward) {
  if (gradient.getLossGrad())
    return "the gradient of the loss is not the constant 1";
  if (gradient.getTargets() != loss.getTargets() || gradient.getSmoothingAttr() != loss.getSmoothingAttr() ||
      gradient.getIgnoreIndexAttr() != loss.getIgnoreIndexAttr())
    return "gradient of another loss: " + describeOp(gradient);
  backward.logitsGrad = gradient;
  for (Operation *user : gradient.getLogitsGrad().getUsers()) {
    auto inputGrad = dyn_cast<LinearInputGradOp>(user);
    auto weightGrad = dyn_cast<LinearWeightGradOp>(user);
    if (inputGrad && !backward.inputGrad && sameValue(inputGrad.getWeight(), linear.getWeight()) &&
        inputGrad.getMask() == linear.getMask())
      backward.inputGrad = inputGrad;
    else if (weightGrad && !backward.weightGrad && weightGrad.getInput() == linear.getInput() &&
             weightGrad.getMask() == linear.getMask())
      backward.weightGrad = weightGrad;
    else
      return "the gradient of the logits has another reader: " + describeOp(user);
  }
  if (!backward.inputGrad || !backward.weightGrad)
    return "only one of the gradients of input and weight is needed";
  return "";
}

/// Finds everything around the logits of `linear`; a reason when they must exist as a tensor.
std::string match(LinearOp linear, CrossEntropyOp loss, Backward &backward) {
  if (linear.getBias())
    return "the projection has a bias";
  if (linear.getActivation() != Activation::none)
    return "the projection has an activation";
  for (Operation *user : linear.getOutput().getUsers()) {
    if (user == loss)
      continue;
    auto gradient = dyn_cast<CrossEntropyGradOp>(user);
    if (!gradient || backward.logitsGrad)
      return "second reader of the logits: " + describeOp(user);
    if (std::string reason = matchBackward(linear, loss, gradient, backward); !reason.empty())
      return reason;
  }
  return "";
}

void rewrite(LinearOp linear, CrossEntropyOp loss, Backward backward) {
  OpBuilder builder(loss);
  SmallVector<Type> types(loss.getResultTypes());
  if (backward.logitsGrad) {
    types.push_back(backward.inputGrad->getResult(0).getType());
    types.push_back(backward.weightGrad->getResult(0).getType());
  }
  SmallVector<Value> operands{linear.getInput(), linear.getWeight(), loss.getTargets()};
  if (linear.getMask())
    operands.push_back(linear.getMask());
  auto fused = builder.create<ProjectedCrossEntropyOp>(
      FusedLoc::get(builder.getContext(), {loss.getLoc(), linear.getLoc()}), types, operands,
      ArrayRef<NamedAttribute>{{builder.getStringAttr("smoothing"), loss.getSmoothingAttr()},
                               {builder.getStringAttr("ignore_index"), loss.getIgnoreIndexAttr()}});
  loss.replaceAllUsesWith(fused->getResults().take_front(3));
  if (backward.logitsGrad) {
    backward.inputGrad->getResult(0).replaceAllUsesWith(fused->getResult(3));
    backward.weightGrad->getResult(0).replaceAllUsesWith(fused->getResult(4));
    backward.inputGrad.erase();
    backward.weightGrad.erase();
    backward.logitsGrad.erase();
  }
  loss.erase();
  linear.erase();
}

class FuseProjectedCrossEntropy : public impl::FuseProjectedCrossEntropyPassBase<FuseProjectedCrossEntropy> {
public:
  using FuseProjectedCrossEntropyPassBase::FuseProjectedCrossEntropyPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    SmallVector<CrossEntropyOp> losses(getOperation().getOps<CrossEntropyOp>());
    for (CrossEntropyOp loss : losses) {
      auto linear = loss.getLogits().getDefiningOp<LinearOp>();
      if (!linear) {
        report.kept(loss, "the logits are not the result of a linear");
        continue;
      }
      Backward backward;
      if (std::string reason = match(linear, loss, backward); !reason.empty()) {
        report.kept(loss, reason);
        continue;
      }
      report.fused(loss, backward.logitsGrad ? "projection, loss and both gradients" : "projection and loss");
      rewrite(linear, loss, backward);
    }
  }
};

} // namespace
} // namespace bifocal
