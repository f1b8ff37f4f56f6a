// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_FUSEOPTIMIZERPASS
#include "passes/Passes.h.inc"

namespace {

/// Whether two updates differ in nothing but their parameters.
bool sameUpdate(AdamOp a, AdamOp b) {
  return a.getFactor() == b.getFactor() && a.getHyper() == b.getHyper() && a.getBeta1Attr() == b.getBeta1Attr() &&
         a.getBeta2Attr() == b.getBeta2Attr() && a.getEpsilonAttr() == b.getEpsilonAttr() &&
         a.getWeightDecayAttr() == b.getWeightDecayAttr() && a.getClearGradients() == b.getClearGradients();
}

/// Joins a run of equal updates into its first op.
void joinRun(ArrayRef<AdamOp> run, const Remarks &remarks) {
  if (run.size() < 2)
    return;
  SmallVector<Attribute> parameters;
  for (AdamOp adam : run)
    llvm::append_range(parameters, adam.getParams());
  AdamOp first = run.front();
  first.setParamsAttr(ArrayAttr::get(first.getContext(), parameters));
  remarks.fused(first, "updates of " + Twine(parameters.size()) + " parameters");
  for (AdamOp adam : run.drop_front())
    adam.erase();
}

class FuseOptimizer : public impl::FuseOptimizerPassBase<FuseOptimizer> {
public:
  using FuseOptimizerPassBase::FuseOptimizerPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    SmallVector<AdamOp> run;
    Operation *between = nullptr;
    auto close = [&] {
      joinRun(run, report);
      run.clear();
      between = nullptr;
    };
    for (Operation &op : llvm::make_early_inc_range(getOperation().front())) {
      auto adam = dyn_cast<AdamOp>(op);
      if (!adam) {
        // A param_ref reads what the update writes; a value that is already computed does not.
        if (!run.empty() && !between && (!isPure(&op) || isa<ParamRefOp>(op)))
          between = &op;
        continue;
      }
      if (!run.empty() && between) {
        report.kept(adam, describeOp(between) + " stands between the updates");
        close();
      } else if (!run.empty() && !sameUpdate(run.front(), adam)) {
        report.kept(adam, "other factor, hyperparameters or attributes than " + describeOp(run.front()));
        close();
      }
      run.push_back(adam);
    }
    close();
  }
};

} // namespace
} // namespace bifocal
