// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/AttentionRules.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<AttentionOp>>(context);
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  // (C6)
  if (failed(verifyOutput(*this, "output", getOutput())))
    return failure();
  // (C7)
  return verifyLogSums(*this);
}

void AttentionOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  const Dims &query = operands[0];
  AffineExpr heads = getAffineConstantExpr(getHeads(), getContext());
  inferLike(*this, 0, query, results);
  inferLike(*this, 1, {query[0], heads, query[1]}, results);
}

AffineExpr AttentionOp::getFlops(const SymbolicDims &dims) {
  // Scores and the weighted sum: a multiply-add per channel and pair; scale and softmax: six operations per head.
  // What a cap of scores takes is not counted, here and in the other ops of the family.
  const HeadSizes sizes = headSizes(*this);
  AffineExpr pairs = scoredPairs(*this, dims.operands[0], dims.operands[1]);
  return pairs * (2 * (sizes.scoreProducts() + sizes.valueProducts()) + 6 * sizes.heads);
}

LogicalResult AttentionOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (resultGrads[1])
    return emitOpError("expects no gradient of 'lse', which is only kept for the backward pass, but got one");
  if (!resultGrads[0])
    return success();
  auto gradient = builder.create<AttentionGradOp>(
      getLoc(), TypeRange{getQuery().getType(), getKey().getType(), getValue().getType()}, resultGrads[0], getQuery(),
      getKey(), getValue(), getOutput(), getLse(), getMask(), getRng(), getHeads(), getScale(), getSoftCap(),
      getCausal(), getDropRate(), getSite(), getKvHeads());
  for (unsigned i = 0; i < 3; ++i)
    operandGrads[i] = gradient.getResult(i);
  return success();
}

void AttentionGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<AttentionGradOp>>(context);
}

LogicalResult AttentionGradOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  // (C6)
  if (failed(verifyOutput(*this, "output_grad", getOutputGrad())) ||
      failed(verifyOutput(*this, "output", getOutput())) || failed(verifyLogSums(*this)))
    return failure();
  // (C7)
  if (failed(verifyShape(*this, "query_grad", getQueryGrad(), shapeOf(getQuery()), "the shape of 'query'")) ||
      failed(verifyShape(*this, "key_grad", getKeyGrad(), shapeOf(getKey()), "the shape of 'key'")))
    return failure();
  return verifyShape(*this, "value_grad", getValueGrad(), shapeOf(getValue()), "the shape of 'value'");
}

void AttentionGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 3; ++i)
    inferLike(*this, i, operands[i + 1], results);
}

AffineExpr AttentionGradOp::getFlops(const SymbolicDims &dims) {
  // Scores again, query and key with the channels of a key, weights and value with those of a value; ten operations per
  // head.
  const HeadSizes sizes = headSizes(*this);
  AffineExpr pairs = scoredPairs(*this, dims.operands[1], dims.operands[2]);
  return pairs * (6 * sizes.scoreProducts() + 4 * sizes.valueProducts() + 10 * sizes.heads);
}

LogicalResult AttentionStepOp::verify() { return verifyStep(*this); }

LogicalResult AttentionStepOp::verifySymbolUses(SymbolTableCollection &tables) { return verifyCaches(*this, tables); }

void AttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr AttentionStepOp::getFlops(const SymbolicDims &dims) { return stepFlops(*this, dims); }

AffineExpr AttentionStepOp::getBytes(const SymbolicDims &dims) { return stepBytes(*this, dims); }

LogicalResult CrossAttentionStepOp::verify() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  // (C1)
  if (failed(verifyHeads(*this, getHeads(), "query", getQuery())))
    return failure();
  // (C2)
  if (failed(verifyShape(*this, "output", getOutput(), query, "the shape of 'query'")))
    return failure();
  // (C3)
  if (failed(verifyShape(*this, "sentences", getSentences(), {query[0]}, "one per row of 'query'")))
    return failure();
  // (C5)
  return verifySoftCap(*this, getSoftCap());
}

void CrossAttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

/// Every row scores all source steps of its sentence; their number is a dim of the state `keys`.
static AffineExpr sourceSteps(CrossAttentionStepOp op, const SymbolicDims &dims) {
  return dims.states.empty() ? getAffineConstantExpr(1, op.getContext()) : dims.states[0][1];
}

AffineExpr CrossAttentionStepOp::getBytes(const SymbolicDims &dims) {
  int64_t row = channelsOf(getQuery()) * elementBytes(getQuery().getType());
  return compulsoryBytes(*this, dims) + dims.operands[0][0] * sourceSteps(*this, dims) * (2 * row + 1);
}

AffineExpr CrossAttentionStepOp::getFlops(const SymbolicDims &dims) {
  return dims.operands[0][0] * sourceSteps(*this, dims) * (4 * channelsOf(getQuery()) + 6 * getHeads());
}

} // namespace bifocal
