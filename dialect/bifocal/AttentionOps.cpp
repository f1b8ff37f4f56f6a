// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult AttentionOp::verify() { return success(); }
AffineExpr AttentionOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void AttentionOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult AttentionOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult AttentionGradOp::verify() { return success(); }
AffineExpr AttentionGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void AttentionGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult AttentionStepOp::verify() { return success(); }
AffineExpr AttentionStepOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void AttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult CrossAttentionStepOp::verify() { return success(); }
AffineExpr CrossAttentionStepOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void CrossAttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}

} // namespace bifocal
