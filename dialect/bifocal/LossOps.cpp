// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult CrossEntropyOp::verify() { return success(); }
AffineExpr CrossEntropyOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void CrossEntropyOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult CrossEntropyOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult CrossEntropyGradOp::verify() { return success(); }
AffineExpr CrossEntropyGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void CrossEntropyGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult ProjectedCrossEntropyOp::verify() { return success(); }
AffineExpr ProjectedCrossEntropyOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void ProjectedCrossEntropyOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
AffineExpr LogSoftmaxOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LogSoftmaxOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}

} // namespace bifocal
