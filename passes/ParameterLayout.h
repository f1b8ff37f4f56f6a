// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_PARAMETERLAYOUT_H
#define BIFOCAL_PASSES_PARAMETERLAYOUT_H

#include "dialect/bifocal/BifocalOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace bifocal {

/// Where a parameter lies in the parameter slab; trained ones lie at the same place in the gradient and moment slabs.
struct PlacedParameter {
  ParamOp op;
  int64_t offset;   ///< elements from the start of the slab
  int64_t elements; ///< without the gap behind it

  /// The first element that belongs to the next parameter.
  int64_t end() const;
};

/// The one place that decides parameter offsets: the plan and the manifest read them from here.
class ParameterLayout {
public:
  explicit ParameterLayout(mlir::ModuleOp module);

  /// Trained ones first, else in the order of the module.
  llvm::ArrayRef<PlacedParameter> parameters() const { return placed; }
  const PlacedParameter *find(llvm::StringRef name) const;
  /// Elements of the gradient and moment slabs.
  int64_t trainedElements() const { return trained; }
  /// Elements of the parameter slab.
  int64_t elements() const { return total; }

private:
  llvm::SmallVector<PlacedParameter> placed;
  llvm::StringMap<size_t> index;
  int64_t trained = 0, total = 0;
};

} // namespace bifocal
#endif
