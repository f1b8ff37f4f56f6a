// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult LightConvOp::verify() { return success(); }
AffineExpr LightConvOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LightConvOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult LightConvOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult LightConvGradOp::verify() { return success(); }
AffineExpr LightConvGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LightConvGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult DynamicConvOp::verify() { return success(); }
AffineExpr DynamicConvOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void DynamicConvOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult DynamicConvOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
int64_t DynamicConvOp::getKernelSize() { return getTaps().getType().getDimSize(2) / getHeads(); }
LogicalResult DynamicConvGradOp::verify() { return success(); }
AffineExpr DynamicConvGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void DynamicConvGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
int64_t DynamicConvGradOp::getKernelSize() { return getTaps().getType().getDimSize(2) / getHeads(); }
LogicalResult LightConvStepOp::verify() { return success(); }
AffineExpr LightConvStepOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LightConvStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult DynamicConvStepOp::verify() { return success(); }
AffineExpr DynamicConvStepOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void DynamicConvStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}

} // namespace bifocal
