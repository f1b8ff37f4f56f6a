// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/SymbolicDims.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace bifocal {

AffineExpr elementCount(const Dims &dims, MLIRContext *context) {
  AffineExpr count = getAffineConstantExpr(1, context);
  for (AffineExpr dim : dims)
    count = count * dim;
  return count;
}

AffineExpr rowCount(const Dims &dims, MLIRContext *context) {
  AffineExpr count = getAffineConstantExpr(1, context);
  for (AffineExpr dim : llvm::ArrayRef(dims).drop_back(dims.empty() ? 0 : 1))
    count = count * dim;
  return count;
}

Dims dimsOfType(Type type, llvm::ArrayRef<AffineExpr> dynamic) {
  Dims dims;
  auto shaped = llvm::cast<ShapedType>(type);
  for (auto [axis, size] : llvm::enumerate(shaped.getShape()))
    dims.push_back(ShapedType::isDynamic(size) ? dynamic[axis] : getAffineConstantExpr(size, type.getContext()));
  return dims;
}

int64_t elementBytes(Type type) {
  unsigned bits = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  return (bits + 7) / 8;
}

AffineExpr compulsoryBytes(Operation *op, const SymbolicDims &dims) {
  MLIRContext *context = op->getContext();
  AffineExpr bytes = getAffineConstantExpr(0, context);
  auto add = [&](ValueRange values, llvm::ArrayRef<Dims> all) {
    for (auto [value, own] : llvm::zip_equal(values, all))
      bytes = bytes + elementCount(own, context) * elementBytes(value.getType());
  };
  add(op->getOperands(), dims.operands);
  add(op->getResults(), dims.results);
  return bytes;
}

} // namespace bifocal
