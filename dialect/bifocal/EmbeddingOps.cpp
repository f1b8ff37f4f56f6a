// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

LogicalResult EmbeddingOp::verify() {
  // (C1)
  return verifyShape(*this, "output", getOutput(), withChannels(shapeOf(getIds()), channelsOf(getTable())),
                     "the shape of 'ids', columns of 'table'");
}

void EmbeddingOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  Dims dims = operands[0];
  dims.push_back(operands[1].back());
  inferLike(*this, 0, dims, results);
}

AffineExpr EmbeddingOp::getFlops(const SymbolicDims &dims) {
  bool scaled = !getScale().isExactlyValue(1.0);
  return elementCount(dims.results[0], getContext()) * (scaled ? 1 : 0);
}

bool EmbeddingOp::isRowReduction() { return false; }

LogicalResult EmbeddingOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (resultGrads[0])
    operandGrads[1] = builder.create<EmbeddingGradOp>(getLoc(), getTable().getType(), getIds(), resultGrads[0],
                                                      /*initial=*/Value(), getScale(), getPad());
  return success();
}

LogicalResult EmbeddingGradOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "output_grad", getOutputGrad(),
                         withChannels(shapeOf(getIds()), channelsOf(getTableGrad())),
                         "the shape of 'ids', columns of 'table_grad'")))
    return failure();
  // (C2)
  return getInitial()
             ? verifyShape(*this, "initial", getInitial(), shapeOf(getTableGrad()), "the shape of 'table_grad'")
             : success();
}

void EmbeddingGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands.size() > 2 ? operands[2] : Dims{operands[1].back(), operands[1].back()}, results);
}

AffineExpr EmbeddingGradOp::getFlops(const SymbolicDims &dims) {
  bool scaled = !getScale().isExactlyValue(1.0);
  return elementCount(dims.operands[1], getContext()) * (scaled ? 2 : 1);
}

LogicalResult PositionsOp::verify() {
  // (C1)
  return verifyShape(*this, "output", getOutput(), shapeOf(getTokens()), "the shape of 'tokens'");
}

void PositionsOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr PositionsOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }

LogicalResult PaddingMaskOp::verify() {
  // (C1)
  return verifyShape(*this, "mask", getMask(), shapeOf(getTokens()), "the shape of 'tokens'");
}

void PaddingMaskOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr PaddingMaskOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }

LogicalResult MaskPaddingOp::verify() {
  // (C1)
  return verifyShape(*this, "mask", getMask(), rowsOf(getInput()), "the rows of 'input'");
}

void MaskPaddingOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr MaskPaddingOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }

bool MaskPaddingOp::isRowReduction() { return false; }

LogicalResult MaskPaddingOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                           SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (resultGrads[0])
    operandGrads[0] = builder.create<MaskPaddingOp>(getLoc(), getInput().getType(), resultGrads[0], getMask());
  return success();
}

/// mask_padding(mask_padding(x, m), m) -> mask_padding(x, m)
OpFoldResult MaskPaddingOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<MaskPaddingOp>();
  return inner && inner.getMask() == getMask() ? getInput() : OpFoldResult();
}

} // namespace bifocal
