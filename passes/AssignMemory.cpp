// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/MemoryPlan.h"
#include "passes/Passes.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_ASSIGNMEMORYPASS
#define GEN_PASS_DEF_VERIFYMEMORYPASS
#include "passes/Passes.h.inc"

namespace {

struct AssignMemory : impl::AssignMemoryPassBase<AssignMemory> {
  void runOnOperation() override {
    for (auto entry : getOperation().getOps<plan::EntryOp>()) {
      for (auto view : llvm::make_early_inc_range(entry.getBody().getOps<plan::ViewOp>()))
        if (view.use_empty())
          view.erase();
      for (auto buffer : llvm::make_early_inc_range(entry.getBody().getOps<plan::BufferOp>()))
        if (buffer.use_empty())
          buffer.erase();
      if (failed(MemoryPlan(entry).assign()))
        return signalPassFailure();
    }
  }
};

struct VerifyMemory : impl::VerifyMemoryPassBase<VerifyMemory> {
  void runOnOperation() override {
    for (auto entry : getOperation().getOps<plan::EntryOp>())
      if (failed(MemoryPlan(entry).verify()))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace bifocal
