// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_CONSTANTS_H
#define BIFOCAL_DIALECT_BIFOCAL_CONSTANTS_H

#include "mlir/IR/Matchers.h"

namespace bifocal {

/// Whether `value` is 1 everywhere: the gradient of a loss by itself.
inline bool isConstantOne(mlir::Value value) {
  mlir::FloatAttr one;
  mlir::DenseElementsAttr dense;
  if (mlir::matchPattern(value, mlir::m_Constant(&dense)) && dense.isSplat())
    one = llvm::dyn_cast<mlir::FloatAttr>(dense.getSplatValue<mlir::Attribute>());
  return one && one.getValue().isExactlyValue(1.0);
}

} // namespace bifocal
#endif
