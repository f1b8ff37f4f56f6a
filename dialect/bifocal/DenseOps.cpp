// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult LinearOp::verify() { return success(); }
AffineExpr LinearOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LinearOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult LinearOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult LinearInputGradOp::verify() { return success(); }
AffineExpr LinearInputGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LinearInputGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult LinearWeightGradOp::verify() { return success(); }
AffineExpr LinearWeightGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LinearWeightGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult ColumnSumOp::verify() { return success(); }
AffineExpr ColumnSumOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void ColumnSumOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool ColumnSumOp::isRowReduction() { return false; }
LogicalResult EmbeddingOp::verify() { return success(); }
AffineExpr EmbeddingOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void EmbeddingOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool EmbeddingOp::isRowReduction() { return false; }
LogicalResult EmbeddingOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult EmbeddingGradOp::verify() { return success(); }
AffineExpr EmbeddingGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void EmbeddingGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult PositionsOp::verify() { return success(); }
AffineExpr PositionsOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void PositionsOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult PaddingMaskOp::verify() { return success(); }
AffineExpr PaddingMaskOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void PaddingMaskOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult MaskPaddingOp::verify() { return success(); }
AffineExpr MaskPaddingOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void MaskPaddingOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool MaskPaddingOp::isRowReduction() { return false; }
LogicalResult MaskPaddingOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult LayerNormOp::verify() { return success(); }
AffineExpr LayerNormOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LayerNormOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool LayerNormOp::isRowReduction() { return false; }
LogicalResult LayerNormOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult LayerNormGradOp::verify() { return success(); }
AffineExpr LayerNormGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void LayerNormGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool LayerNormGradOp::isRowReduction() { return false; }
LogicalResult DropoutOp::verify() { return success(); }
AffineExpr DropoutOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void DropoutOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool DropoutOp::isRowReduction() { return false; }
LogicalResult DropoutOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
OpFoldResult DropoutOp::fold(FoldAdaptor) { return {}; }
AffineExpr ReluOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void ReluOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool ReluOp::isRowReduction() { return false; }
LogicalResult ReluOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
AffineExpr ReluGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void ReluGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool ReluGradOp::isRowReduction() { return false; }
LogicalResult GluOp::verify() { return success(); }
AffineExpr GluOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void GluOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool GluOp::isRowReduction() { return false; }
LogicalResult GluOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult GluGradOp::verify() { return success(); }
AffineExpr GluGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void GluGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool GluGradOp::isRowReduction() { return false; }
AffineExpr AddOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void AddOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool AddOp::isRowReduction() { return false; }
LogicalResult AddOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
void AddOp::getCanonicalizationPatterns(RewritePatternSet &, MLIRContext *) {}
LogicalResult AddBiasOp::verify() { return success(); }
AffineExpr AddBiasOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void AddBiasOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
bool AddBiasOp::isRowReduction() { return false; }
LogicalResult AddBiasOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult SoftmaxOp::verify() { return success(); }
AffineExpr SoftmaxOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void SoftmaxOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
LogicalResult SoftmaxOp::buildGradient(OpBuilder &, ArrayRef<Value>, SmallVectorImpl<Value> &) { return failure(); }
LogicalResult SoftmaxGradOp::verify() { return success(); }
AffineExpr SoftmaxGradOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void SoftmaxGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}

} // namespace bifocal
