// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/AttentionRules.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

//===- diff_attention -===//

void DiffAttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<DiffAttentionOp>>(context);
}

LogicalResult DiffAttentionOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  // (C6)
  if (failed(verifyOutput(*this, "output", getOutput())))
    return failure();
  // (C7)
  return verifyLogSums(*this);
}

void DiffAttentionOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  const Dims &query = operands[0];
  AffineExpr maps = getAffineConstantExpr(2 * getHeads(), getContext());
  inferLike(*this, 0, query, results);
  inferLike(*this, 1, {query[0], maps, query[1]}, results);
}

AffineExpr DiffAttentionOp::getFlops(const SymbolicDims &dims) {
  // Scores of both maps and one weighted sum; scale and softmax: six operations per map, the difference two.
  const HeadSizes sizes = headSizes(*this);
  AffineExpr pairs = scoredPairs(*this, dims.operands[0], dims.operands[1]);
  return pairs * (2 * (sizes.scoreProducts() + sizes.valueProducts()) + 14 * sizes.heads);
}

LogicalResult DiffAttentionOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                             SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (resultGrads[1])
    return emitOpError("expects no gradient of 'lse', which is only kept for the backward pass, but got one");
  if (!resultGrads[0])
    return success();
  auto gradient = builder.create<DiffAttentionGradOp>(
      getLoc(), TypeRange{getQuery().getType(), getKey().getType(), getValue().getType(), getLambda().getType()},
      resultGrads[0], getQuery(), getKey(), getValue(), getLambda(), getLse(), getMask(), getRng(), getHeads(),
      getScale(), getSoftCap(), getCausal(), getDropRate(), getSite(), getKvHeads());
  llvm::copy(gradient.getResults(), operandGrads.begin());
  return success();
}

void DiffAttentionGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<DiffAttentionGradOp>>(context);
}

LogicalResult DiffAttentionGradOp::verify() {
  if (failed(verifyAttention(*this)))
    return failure();
  // (C6)
  if (failed(verifyOutput(*this, "output_grad", getOutputGrad())) || failed(verifyLogSums(*this)))
    return failure();
  // (C7)
  if (failed(verifyShape(*this, "query_grad", getQueryGrad(), shapeOf(getQuery()), "the shape of 'query'")) ||
      failed(verifyShape(*this, "key_grad", getKeyGrad(), shapeOf(getKey()), "the shape of 'key'")))
    return failure();
  return verifyShape(*this, "value_grad", getValueGrad(), shapeOf(getValue()), "the shape of 'value'");
}

void DiffAttentionGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 4; ++i)
    inferLike(*this, i, operands[i + 1], results);
}

AffineExpr DiffAttentionGradOp::getFlops(const SymbolicDims &dims) {
  // As for attention, with the weights' gradients and those of values taken once for both maps; 24 operations per head.
  const HeadSizes sizes = headSizes(*this);
  AffineExpr pairs = scoredPairs(*this, dims.operands[1], dims.operands[2]);
  return pairs * (6 * sizes.scoreProducts() + 4 * sizes.valueProducts() + 24 * sizes.heads);
}

//===- diff_attention_step -===//

LogicalResult DiffAttentionStepOp::verify() { return verifyStep(*this); }

LogicalResult DiffAttentionStepOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyCaches(*this, tables);
}

void DiffAttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr DiffAttentionStepOp::getFlops(const SymbolicDims &dims) { return stepFlops(*this, dims); }

AffineExpr DiffAttentionStepOp::getBytes(const SymbolicDims &dims) { return stepBytes(*this, dims); }

//===- diff_lambda -===//

/// (C1): the vectors are `values`, the first of which is `query0`.
static LogicalResult verifyVectors(Operation *op, ValueRange values, ArrayRef<StringRef> names) {
  int64_t size = channelsOf(values[0]);
  if (ShapedType::isDynamic(size))
    return op->emitOpError("expects a static size of '") << names[0] << "', but got ?";
  for (auto [value, name] : llvm::zip_equal(values.drop_front(), names.drop_front()))
    if (failed(verifyShape(op, name, value, {size}, "the size of 'query0'")))
      return failure();
  return success();
}

LogicalResult DiffLambdaOp::verify() {
  return verifyVectors(*this, getOperands(), {"query0", "key0", "query1", "key1"});
}

void DiffLambdaOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

// Two products, two exponentials, a difference and a sum.
AffineExpr DiffLambdaOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[0], getContext()) * 4 + 4;
}

LogicalResult DiffLambdaOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                          SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(4, Value());
  if (!resultGrads[0])
    return success();
  auto gradient = builder.create<DiffLambdaGradOp>(getLoc(), getOperandTypes(), resultGrads[0], getQuery0(), getKey0(),
                                                   getQuery1(), getKey1());
  llvm::copy(gradient.getResults(), operandGrads.begin());
  return success();
}

LogicalResult DiffLambdaGradOp::verify() {
  SmallVector<Value> vectors(getOperands().drop_front());
  llvm::append_range(vectors, getResults());
  return verifyVectors(*this, vectors,
                       {"query0", "key0", "query1", "key1", "query0_grad", "key0_grad", "query1_grad", "key1_grad"});
}

void DiffLambdaGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 4; ++i)
    inferLike(*this, i, operands[1], results);
}

// Two products for the factors, four products of a vector and a factor.
AffineExpr DiffLambdaGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[1], getContext()) * 8 + 4;
}

//===- head_difference -===//

/// (C1)
static LogicalResult verifyGate(Operation *op, Value input, Value gate) {
  int64_t channels = channelsOf(input), heads = channelsOf(gate);
  for (auto [name, size] : {std::pair("input", channels), std::pair("gate", heads)})
    if (ShapedType::isDynamic(size))
      return op->emitOpError("expects a static number of channels of '") << name << "', but got ?";
  if (heads < 1 || channels % (2 * heads) != 0)
    return op->emitOpError("expects twice the channels of 'gate' to divide those of 'input', but got ")
           << heads << " and " << channels << " channels";
  return verifyShape(op, "gate", gate, withChannels(rowsOf(input), heads), "the rows of 'input'");
}

LogicalResult HeadDifferenceOp::verify() {
  if (failed(verifyGate(*this, getInput(), getGate())))
    return failure();
  // (C2)
  return verifyShape(*this, "output", getOutput(), withChannels(rowsOf(getInput()), channelsOf(getInput()) / 2),
                     "rows of 'input', half its channels");
}

void HeadDifferenceOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// A product and a sum for each result, a sigmoid (4) for each head.
AffineExpr HeadDifferenceOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.results[0], getContext()) * 2 + elementCount(dims.operands[1], getContext()) * 4;
}

LogicalResult HeadDifferenceOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                              SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (!resultGrads[0])
    return success();
  auto gradient =
      builder.create<HeadDifferenceGradOp>(getLoc(), getOperandTypes(), resultGrads[0], getInput(), getGate());
  llvm::copy(gradient.getResults(), operandGrads.begin());
  return success();
}

LogicalResult HeadDifferenceGradOp::verify() {
  if (failed(verifyGate(*this, getInput(), getGate())))
    return failure();
  // (C2)
  if (failed(verifyShape(*this, "output_grad", getOutputGrad(),
                         withChannels(rowsOf(getInput()), channelsOf(getInput()) / 2),
                         "rows of 'input', half its channels")))
    return failure();
  // (C3)
  if (failed(verifyShape(*this, "input_grad", getInputGrad(), shapeOf(getInput()), "the shape of 'input'")))
    return failure();
  return verifyShape(*this, "gate_grad", getGateGrad(), shapeOf(getGate()), "the shape of 'gate'");
}

void HeadDifferenceGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[1], results);
  inferLike(*this, 1, operands[2], results);
}

// A product, a product and a sum for each head's channel; sigmoid and its slope (7) for each head.
AffineExpr HeadDifferenceGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[0], getContext()) * 3 + elementCount(dims.operands[2], getContext()) * 7;
}

} // namespace bifocal
