// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_FUSEACTIVATIONINTOLINEARPASS
#include "passes/Passes.h.inc"

namespace {

/// A forward row op that reads the result of `activation`: a map will hold both. Gradient ops stand in other maps.
Operation *rowReader(Operation *activation) {
  for (Operation *user : activation->getResult(0).getUsers())
    if (isa<FusibleOpInterface>(user) && !isa<ReluGradOp, GluGradOp, ColumnSumOp>(user))
      return user;
  return nullptr;
}

/// The linear whose sums `activation` reads, if it can take the activation; says why not.
LinearOp matchLinear(Operation *activation, const Remarks &remarks) {
  auto linear = activation->getOperand(0).getDefiningOp<LinearOp>();
  if (!linear)
    return nullptr;
  if (linear.getActivation() != Activation::none) {
    remarks.kept(activation, "the linear has an activation already");
    return nullptr;
  }
  if (Operation *reader = rowReader(activation)) {
    remarks.kept(activation, describeOp(reader) + " reads the result, a row map will hold both");
    return nullptr;
  }
  return linear;
}

/// relu(linear(x)) -> linear(x) activation relu
void fuseRelu(ReluOp relu, const Remarks &remarks) {
  LinearOp linear = matchLinear(relu, remarks);
  if (!linear)
    return;
  if (Operation *second = otherReader(linear.getOutput(), {relu})) {
    remarks.kept(relu, "second reader of the sums: " + describeOp(second));
    return;
  }
  linear.setActivation(Activation::relu);
  relu.replaceAllUsesWith(linear.getOutput());
  remarks.fused(linear, "relu");
  relu.erase();
}

/// glu(linear(x)) -> linear(x) activation glu, or swiglu with the gate silu; the sums stay as `preactivation` where
/// glu_grad reads them.
void fuseGlu(GluOp glu, const Remarks &remarks) {
  LinearOp linear = matchLinear(glu, remarks);
  if (!linear)
    return;
  SmallVector<Operation *> known{glu};
  for (Operation *user : linear.getOutput().getUsers())
    if (auto gradient = dyn_cast<GluGradOp>(user); gradient && gradient.getOutputGrad() != linear.getOutput())
      known.push_back(user);
  if (Operation *second = otherReader(linear.getOutput(), known)) {
    remarks.kept(glu, "second reader of the sums: " + describeOp(second));
    return;
  }
  OpBuilder builder(linear);
  bool keepsSums = known.size() > 1;
  SmallVector<Type> types{glu.getType()};
  if (keepsSums)
    types.push_back(linear.getOutput().getType());
  auto fused = builder.create<LinearOp>(linear.getLoc(), types, linear->getOperands(), linear->getAttrs());
  fused.setActivation(glu.getGate() == Gate::silu ? Activation::swiglu : Activation::glu);
  const std::string name = stringifyActivation(fused.getActivation()).str();
  remarks.fused(fused, keepsSums ? name + ", the sums are kept for backward" : name);
  glu.replaceAllUsesWith(fused.getOutput());
  glu.erase();
  if (keepsSums)
    linear.getOutput().replaceAllUsesWith(fused.getPreactivation());
  linear.erase();
}

class FuseActivationIntoLinear : public impl::FuseActivationIntoLinearPassBase<FuseActivationIntoLinear> {
public:
  using FuseActivationIntoLinearPassBase::FuseActivationIntoLinearPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    for (Operation &op : llvm::make_early_inc_range(getOperation().front())) {
      if (auto relu = dyn_cast<ReluOp>(op))
        fuseRelu(relu, report);
      else if (auto glu = dyn_cast<GluOp>(op))
        fuseGlu(glu, report);
    }
  }
};

} // namespace
} // namespace bifocal
