// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/AttentionRules.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

/// What the three ops ask of positions and spans: the shape of 'position_query', and (C3) and (C4).
template <typename Op> static LogicalResult verifyPositions(Op op) {
  if (failed(verifyShape(op, "position_query", op.getPositionQuery(), shapeOf(op.getQuery()), "the shape of 'query'")))
    return failure();
  // (C3)
  const int64_t all = channelsOf(op.getQuery()), own = all / static_cast<int64_t>(op.getHeads()),
                given = channelsOf(op.getPositions());
  if (given != all && given != own)
    return op.emitOpError("expects 'positions' with ")
           << all << " channels, those of 'query', or " << own << ", those of a head, but got " << given;
  // (C4)
  for (auto [name, value, least] : {std::tuple("nearest", op.getNearest(), 0), std::tuple("window", op.getWindow(), 0),
                                    std::tuple("span_unit", op.getSpanUnit(), op.getSpan() ? 1 : 0),
                                    std::tuple("ramp", op.getRamp(), op.getSpan() ? 1 : 0)})
    if (static_cast<int64_t>(value) < least)
      return op.emitOpError("expects ") << name << " >= " << least << ", but got " << static_cast<int64_t>(value);
  if (!op.getSpan())
    return success();
  auto span = cast<ShapedType>(op.getSpan().getType());
  if (!span.hasStaticShape() || span.getNumElements() != static_cast<int64_t>(op.getHeads()))
    return op.emitOpError("expects 'span' with one element for each of the ")
           << op.getHeads() << " heads, but got " << span;
  return success();
}

//===- relative_attention -===//

void RelativeAttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<RelativeAttentionOp>>(context);
}

LogicalResult RelativeAttentionOp::verify() {
  if (failed(verifyAttention(*this)) || failed(verifyPositions(*this)))
    return failure();
  // (C6)
  if (failed(verifyOutput(*this, "output", getOutput())))
    return failure();
  // (C7)
  return verifyLogSums(*this);
}

void RelativeAttentionOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  const Dims &query = operands[0];
  AffineExpr heads = getAffineConstantExpr(getHeads(), getContext());
  inferLike(*this, 0, query, results);
  inferLike(*this, 1, {query[0], heads, query[1]}, results);
}

AffineExpr RelativeAttentionOp::getFlops(const SymbolicDims &dims) {
  // As attention with a second product for each score; the ramp takes four operations more.
  const HeadSizes sizes = headSizes(*this);
  AffineExpr pairs = scoredPairs(*this, dims.operands[0], dims.operands[2]);
  return pairs * (2 * (2 * sizes.scoreProducts() + sizes.valueProducts()) + (getSpan() ? 10 : 6) * sizes.heads);
}

LogicalResult RelativeAttentionOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                                 SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (resultGrads[1])
    return emitOpError("expects no gradient of 'lse', which is only kept for the backward pass, but got one");
  if (!resultGrads[0])
    return success();
  const unsigned differentiated = getSpan() ? 6 : 5;
  SmallVector<Type> types;
  for (unsigned i = 0; i < differentiated; ++i)
    types.push_back(getOperand(i).getType());
  auto gradient = builder.create<RelativeAttentionGradOp>(
      getLoc(), types, resultGrads[0], getQuery(), getPositionQuery(), getKey(), getValue(), getPositions(),
      getOutput(), getLse(), getSpan(), getRng(), getHeads(), getScale(), getSoftCap(), getNearest(), getWindow(),
      getSpanUnit(), getRamp(), getDropRate(), getSite(), getKvHeads());
  llvm::copy(gradient.getResults(), operandGrads.begin());
  return success();
}

//===- relative_attention_grad -===//

void RelativeAttentionGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<RelativeAttentionGradOp>>(context);
}

LogicalResult RelativeAttentionGradOp::verify() {
  if (failed(verifyAttention(*this)) || failed(verifyPositions(*this)))
    return failure();
  // (C6)
  if (failed(verifyOutput(*this, "output_grad", getOutputGrad())) ||
      failed(verifyOutput(*this, "output", getOutput())) || failed(verifyLogSums(*this)))
    return failure();
  // (C7)
  for (auto [name, gradient, like, operand] :
       {std::tuple("query_grad", getQueryGrad(), "the shape of 'query'", getQuery()),
        std::tuple("position_query_grad", getPositionQueryGrad(), "the shape of 'query'", getQuery()),
        std::tuple("key_grad", getKeyGrad(), "the shape of 'key'", getKey()),
        std::tuple("value_grad", getValueGrad(), "the shape of 'value'", getValue())})
    if (failed(verifyShape(*this, name, gradient, shapeOf(operand), like)))
      return failure();
  if (failed(verifyShape(*this, "positions_grad", getPositionsGrad(), shapeOf(getPositions()),
                         "the shape of 'positions'")))
    return failure();
  if (static_cast<bool>(getSpan()) != static_cast<bool>(getSpanGrad()))
    return emitOpError("expects ") << (getSpan() ? "a gradient of 'span', but got none"
                                                 : "no gradient of a 'span' that is not there, but got one");
  return getSpan() ? verifyShape(*this, "span_grad", getSpanGrad(), shapeOf(getSpan()), "the shape of 'span'")
                   : success();
}

void RelativeAttentionGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 5; ++i)
    inferLike(*this, i, operands[i + 1], results);
  if (getSpan())
    inferLike(*this, 5, operands[8], results);
}

AffineExpr RelativeAttentionGradOp::getFlops(const SymbolicDims &dims) {
  // As attention_grad with a second product for each of the three with keys; the ramp takes eight operations more.
  const HeadSizes sizes = headSizes(*this);
  AffineExpr pairs = scoredPairs(*this, dims.operands[1], dims.operands[3]);
  return pairs * (12 * sizes.scoreProducts() + 4 * sizes.valueProducts() + (getSpan() ? 18 : 10) * sizes.heads);
}

//===- relative_attention_step -===//

LogicalResult RelativeAttentionStepOp::verify() {
  if (failed(verifyStep(*this)))
    return failure();
  // (C5)
  return verifyPositions(*this);
}

LogicalResult RelativeAttentionStepOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyCaches(*this, tables);
}

void RelativeAttentionStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr RelativeAttentionStepOp::getFlops(const SymbolicDims &dims) { return stepFlops(*this, dims); }

AffineExpr RelativeAttentionStepOp::getBytes(const SymbolicDims &dims) { return stepBytes(*this, dims); }

} // namespace bifocal
