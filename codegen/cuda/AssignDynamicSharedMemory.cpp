// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/Passes.h"
#include "codegen/cuda/CudaChecks.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_ASSIGNDYNAMICSHAREDMEMORYPASS
#include "codegen/Passes.h.inc"

namespace {

struct AssignDynamicSharedMemory : impl::AssignDynamicSharedMemoryPassBase<AssignDynamicSharedMemory> {
  void runOnOperation() override {
    for (auto global : getOperation().getOps<LLVM::GlobalOp>()) {
      if (!isDynamicSharedMemory(global))
        continue;
      global.setLinkage(LLVM::Linkage::External);
      global.setAlignment(dynamicSharedAlignment);
    }
  }
};

} // namespace
} // namespace bifocal
