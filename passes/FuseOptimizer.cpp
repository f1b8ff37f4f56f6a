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
bool sameUpdate(OptimizerOpInterface a, OptimizerOpInterface b) {
  auto settings = [](Operation *op) {
    NamedAttrList list(op->getAttrDictionary());
    list.erase("params");
    return list.getDictionary(op->getContext());
  };
  return a->getName() == b->getName() && llvm::equal(a->getOperands(), b->getOperands()) && settings(a) == settings(b);
}

/// Joins a run of equal updates into its first op.
void joinRun(ArrayRef<OptimizerOpInterface> run, const Remarks &remarks) {
  if (run.size() < 2)
    return;
  SmallVector<Attribute> parameters;
  for (OptimizerOpInterface update : run)
    llvm::append_range(parameters, update.getParams());
  OptimizerOpInterface first = run.front();
  first.setParamsAttr(ArrayAttr::get(first.getContext(), parameters));
  remarks.fused(first, "updates of " + Twine(parameters.size()) + " parameters");
  for (OptimizerOpInterface update : run.drop_front())
    update.erase();
}

class FuseOptimizer : public impl::FuseOptimizerPassBase<FuseOptimizer> {
public:
  using FuseOptimizerPassBase::FuseOptimizerPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    SmallVector<OptimizerOpInterface> run;
    Operation *between = nullptr;
    auto close = [&] {
      joinRun(run, report);
      run.clear();
      between = nullptr;
    };
    for (Operation &op : llvm::make_early_inc_range(getOperation().front())) {
      auto update = dyn_cast<OptimizerOpInterface>(op);
      if (!update) {
        // A param_ref reads what the update writes; a value that is already computed does not.
        if (!run.empty() && !between && (!isPure(&op) || isa<ParamRefOp>(op)))
          between = &op;
        continue;
      }
      if (!run.empty() && between) {
        report.kept(update, describeOp(between) + " stands between the updates");
        close();
      } else if (!run.empty() && !sameUpdate(run.front(), update)) {
        report.kept(update, "other factor, hyperparameters or attributes than " + describeOp(run.front()));
        close();
      }
      run.push_back(update);
    }
    close();
  }
};

} // namespace
} // namespace bifocal
