// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/EntryLowering.h"
#include "passes/Passes.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_LOWERTOPLANPASS
#include "passes/Passes.h.inc"

namespace {

struct LowerToPlan : impl::LowerToPlanPassBase<LowerToPlan> {
  void runOnOperation() override {
    ParameterLayout layout(getOperation());
    KernelTable kernels(getOperation());
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (failed(EntryLowering(function, layout, kernels).run()))
        return signalPassFailure();
      function.erase();
    }
  }
};

} // namespace
} // namespace bifocal
