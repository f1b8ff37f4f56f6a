// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/ParameterLayout.h"

#include "runtime/core/ArtifactFormat.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace bifocal {

int64_t PlacedParameter::end() const {
  return static_cast<int64_t>(llvm::alignTo(static_cast<uint64_t>(offset + elements), format::parameterAlignment));
}

ParameterLayout::ParameterLayout(ModuleOp module) {
  for (bool frozen : {false, true}) {
    for (auto param : module.getOps<ParamOp>()) {
      if (param.getFrozen() != frozen)
        continue;
      index[param.getSymName()] = placed.size();
      placed.push_back({param, total, cast<RankedTensorType>(param.getType()).getNumElements()});
      total = placed.back().end();
    }
    if (!frozen)
      trained = total;
  }
}

const PlacedParameter *ParameterLayout::find(StringRef name) const {
  auto found = index.find(name);
  return found == index.end() ? nullptr : &placed[found->second];
}

} // namespace bifocal
