// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_FOLDPADDINGMASKSPASS
#include "passes/Passes.h.inc"

namespace {

class FoldPaddingMasks : public impl::FoldPaddingMasksPassBase<FoldPaddingMasks> {
public:
  using FoldPaddingMasksPassBase::FoldPaddingMasksPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    llvm::MapVector<std::pair<Value, Attribute>, PaddingMaskOp> first;
    for (Operation &op : llvm::make_early_inc_range(getOperation().front())) {
      auto mask = dyn_cast<PaddingMaskOp>(op);
      if (!mask)
        continue;
      auto [entry, isNew] = first.insert({{mask.getTokens(), mask.getPadAttr()}, mask});
      if (isNew)
        continue;
      report.fused(mask, "same mask as " + describeOp(entry->second));
      mask.replaceAllUsesWith(entry->second.getResult());
      mask.erase();
    }
  }
};

} // namespace
} // namespace bifocal
