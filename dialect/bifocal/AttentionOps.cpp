// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

/// (C1) to (C4), which attention and its gradient share.
template <typename AttentionLike> static LogicalResult verifyAttention(AttentionLike op) {
  ArrayRef<int64_t> query = shapeOf(op.getQuery()), key = shapeOf(op.getKey());
  // (C1)
  if (failed(verifyHeads(op, op.getHeads(), "query", op.getQuery())))
    return failure();
  // (C2)
  if (failed(verifyShape(op, "key", op.getKey(), {query[0], key[1], query[2]}, "batch and channels of 'query'")) ||
      failed(verifyShape(op, "value", op.getValue(), key, "the shape of 'key'")))
    return failure();
  // (C3)
  if (op.getMask() && failed(verifyShape(op, "mask", op.getMask(), {key[0], key[1]}, "batch and steps of 'key'")))
    return failure();
  // (C4)
  if (op.getCausal() && sizesDiffer(query[1], key[1]))
    return op.emitOpError("expects as many queries as keys where 'causal' stands, but got ")
           << query[1] << " queries and " << key[1] << " keys";
  return verifyDropRate(op, op.getDropRate(), op.getRng());
}

static LogicalResult verifyLogSums(Operation *op, Value lse, Value query, int64_t heads) {
  ArrayRef<int64_t> shape = shapeOf(query);
  return verifyShape(op, "lse", lse, {shape[0], heads, shape[1]}, "batch of 'query', heads, steps of 'query'");
}

/// The pairs of query and key that a causal or a full attention scores, summed over the batch.
static AffineExpr scoredPairs(const Dims &query, const Dims &key, bool causal) {
  if (causal)
    return query[0] * (query[1] * (query[1] + 1)).floorDiv(2);
  return query[0] * query[1] * key[1];
}

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<AttentionOp>>(context);
}

LogicalResult AttentionOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  // (C6)
  if (failed(verifyShape(*this, "output", getOutput(), shapeOf(getQuery()), "the shape of 'query'")))
    return failure();
  // (C7)
  return verifyLogSums(*this, getLse(), getQuery(), getHeads());
}

void AttentionOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  const Dims &query = operands[0];
  AffineExpr heads = getAffineConstantExpr(getHeads(), getContext());
  inferLike(*this, 0, query, results);
  inferLike(*this, 1, {query[0], heads, query[1]}, results);
}

AffineExpr AttentionOp::getFlops(const SymbolicDims &dims) {
  // Scores and the weighted sum: two products of C multiply-adds per pair; scale and softmax: six operations per head.
  AffineExpr pairs = scoredPairs(dims.operands[0], dims.operands[1], getCausal());
  return pairs * (4 * channelsOf(getQuery()) + 6 * getHeads());
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
      getKey(), getValue(), getOutput(), getLse(), getMask(), getRng(), getHeads(), getScale(), getCausal(),
      getDropRate(), getSite());
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
  ArrayRef<int64_t> query = shapeOf(getQuery()), key = shapeOf(getKey());
  if (failed(verifyShape(*this, "output_grad", getOutputGrad(), query, "the shape of 'query'")) ||
      failed(verifyShape(*this, "output", getOutput(), query, "the shape of 'query'")) ||
      failed(verifyLogSums(*this, getLse(), getQuery(), getHeads())))
    return failure();
  // (C7)
  if (failed(verifyShape(*this, "query_grad", getQueryGrad(), query, "the shape of 'query'")) ||
      failed(verifyShape(*this, "key_grad", getKeyGrad(), key, "the shape of 'key'")))
    return failure();
  return verifyShape(*this, "value_grad", getValueGrad(), key, "the shape of 'key'");
}

void AttentionGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 3; ++i)
    inferLike(*this, i, operands[i + 1], results);
}

AffineExpr AttentionGradOp::getFlops(const SymbolicDims &dims) {
  // Five products per pair (the scores again, then for weights, query, key and value); ten operations per head.
  AffineExpr pairs = scoredPairs(dims.operands[1], dims.operands[2], getCausal());
  return pairs * (10 * channelsOf(getQuery()) + 10 * getHeads());
}

LogicalResult AttentionStepOp::verify() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  // (C1)
  if (failed(verifyHeads(*this, getHeads(), "query", getQuery())))
    return failure();
  // (C2)
  if (failed(verifyShape(*this, "key", getKey(), query, "the shape of 'query'")) ||
      failed(verifyShape(*this, "value", getValue(), query, "the shape of 'query'")) ||
      failed(verifyShape(*this, "output", getOutput(), query, "the shape of 'query'")))
    return failure();
  // (C3)
  return verifyShape(*this, "ancestors", getAncestors(), {query[0], ShapedType::kDynamic},
                     "one row per row of 'query'");
}

void AttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr AttentionStepOp::getFlops(const SymbolicDims &dims) {
  // The cached steps and the newest one.
  const Dims &ancestors = dims.operands[3];
  return ancestors[0] * (ancestors[1] + 1) * (4 * channelsOf(getQuery()) + 6 * getHeads());
}

AffineExpr AttentionStepOp::getBytes(const SymbolicDims &dims) {
  // Keys and values of all steps are read, those of one are written.
  const Dims &ancestors = dims.operands[3];
  int64_t row = channelsOf(getQuery()) * elementBytes(getQuery().getType());
  return compulsoryBytes(*this, dims) + ancestors[0] * (ancestors[1] + 2) * (2 * row);
}

LogicalResult CrossAttentionStepOp::verify() {
  ArrayRef<int64_t> query = shapeOf(getQuery());
  // (C1)
  if (failed(verifyHeads(*this, getHeads(), "query", getQuery())))
    return failure();
  // (C2)
  if (failed(verifyShape(*this, "output", getOutput(), query, "the shape of 'query'")))
    return failure();
  // (C3)
  return verifyShape(*this, "sentences", getSentences(), {query[0]}, "one per row of 'query'");
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
