// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/Constants.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

static LogicalResult verifySmoothing(Operation *op, llvm::APFloat smoothing) {
  float value = smoothing.convertToFloat();
  if (value >= 0.0f && value < 1.0f)
    return success();
  return op->emitOpError("expects a smoothing in [0, 1), but got ") << value;
}

/// At least two classes: the smoothed mass is shared by the V - 1 others.
static LogicalResult verifyClasses(Operation *op, int64_t classes) {
  if (ShapedType::isDynamic(classes) || classes >= 2)
    return success();
  return op->emitOpError("expects at least 2 classes, but got ") << classes;
}

static void inferScalars(Operation *op, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 3; ++i)
    inferLike(op, i, {}, results);
}

LogicalResult CrossEntropyOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "targets", getTargets(), rowsOf(getLogits()), "the rows of 'logits'")))
    return failure();
  // (C2)
  if (failed(verifyClasses(*this, channelsOf(getLogits()))))
    return failure();
  // (C3)
  return verifySmoothing(*this, getSmoothing());
}

void CrossEntropyOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) { inferScalars(*this, results); }

// Maximum, difference, exponential, two sums.
AffineExpr CrossEntropyOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[0], getContext()) * 5;
}

LogicalResult CrossEntropyOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                            SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  // The count does not depend on the logits. The negative log-likelihood is the loss without smoothing.
  llvm::APFloat smoothings[] = {getSmoothing(), llvm::APFloat(0.0f)};
  for (unsigned i = 0; i < 2; ++i) {
    if (!resultGrads[i])
      continue;
    Value lossGrad = isConstantOne(resultGrads[i]) ? Value() : resultGrads[i];
    Value grad = builder.create<CrossEntropyGradOp>(getLoc(), getLogits().getType(), getLogits(), getTargets(),
                                                    lossGrad, smoothings[i], getIgnoreIndex());
    operandGrads[0] = operandGrads[0] ? builder.create<AddOp>(getLoc(), grad.getType(), operandGrads[0], grad) : grad;
  }
  return success();
}

LogicalResult CrossEntropyGradOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "targets", getTargets(), rowsOf(getLogits()), "the rows of 'logits'")) ||
      failed(verifyShape(*this, "logits_grad", getLogitsGrad(), shapeOf(getLogits()), "the shape of 'logits'")))
    return failure();
  // (C2)
  if (failed(verifyClasses(*this, channelsOf(getLogits()))))
    return failure();
  // (C3)
  return verifySmoothing(*this, getSmoothing());
}

void CrossEntropyGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// Maximum, difference, exponential, sum, then scale and shift.
AffineExpr CrossEntropyGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.results[0], getContext()) * 6;
}

/// cross_entropy_grad(x, t) of a loss gradient of 1 -> cross_entropy_grad(x, t)
LogicalResult CrossEntropyGradOp::canonicalize(CrossEntropyGradOp op, PatternRewriter &rewriter) {
  if (!op.getLossGrad() || !isConstantOne(op.getLossGrad()))
    return rewriter.notifyMatchFailure(op, "the loss gradient is not the constant 1");
  rewriter.modifyOpInPlace(op, [&] { op.getLossGradMutable().clear(); });
  return success();
}

LogicalResult ProjectedCrossEntropyOp::verify() {
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  // (C1)
  if (sizesDiffer(channelsOf(getInput()), weight[1]))
    return emitOpError("expects one column of 'weight' per channel of 'input', but got ")
           << weight[1] << " columns and " << channelsOf(getInput()) << " channels";
  // (C2)
  if (failed(verifyShape(*this, "targets", getTargets(), rowsOf(getInput()), "the rows of 'input'")))
    return failure();
  // (C3)
  if (failed(verifyClasses(*this, weight[0])))
    return failure();
  // (C4)
  if (failed(verifySmoothing(*this, getSmoothing())))
    return failure();
  // (C6)
  if (getMask() && failed(verifyShape(*this, "mask", getMask(), rowsOf(getInput()), "the rows of 'input'")))
    return failure();
  // (C5)
  if (getGradients().empty())
    return success();
  if (getGradients().size() != 2)
    return emitOpError("expects either no gradients or 2, those of 'input' and 'weight', but got ")
           << getGradients().size();
  if (failed(verifyShape(*this, "input_grad", getInputGrad(), shapeOf(getInput()), "the shape of 'input'")))
    return failure();
  return verifyShape(*this, "weight_grad", getWeightGrad(), weight, "the shape of 'weight'");
}

void ProjectedCrossEntropyOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferScalars(*this, results);
  for (unsigned i = 0; i < getGradients().size(); ++i)
    inferLike(*this, 3 + i, operands[i], results);
}

AffineExpr ProjectedCrossEntropyOp::getFlops(const SymbolicDims &dims) {
  // One product for the logits, one for each gradient; 5 operations per logit for the loss, 3 for its gradient.
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  bool differentiated = !getGradients().empty();
  int64_t perLogit = 2 * weight[1] * (differentiated ? 3 : 1) + (differentiated ? 8 : 5);
  return rowCount(dims.operands[0], getContext()) * (weight[0] * perLogit);
}

/// projected_cross_entropy with gradients that nobody reads -> without them
LogicalResult ProjectedCrossEntropyOp::canonicalize(ProjectedCrossEntropyOp op, PatternRewriter &rewriter) {
  if (op.getGradients().empty())
    return rewriter.notifyMatchFailure(op, "there are no gradients");
  if (llvm::any_of(op.getGradients(), [](Value grad) { return !grad.use_empty(); }))
    return rewriter.notifyMatchFailure(op, "a gradient has a reader");
  SmallVector<Type> types(llvm::drop_end(op->getResultTypes(), 2));
  auto bare = rewriter.create<ProjectedCrossEntropyOp>(op.getLoc(), types, op->getOperands(), op->getAttrs());
  for (unsigned i = 0; i < 3; ++i)
    rewriter.replaceAllUsesWith(op->getResult(i), bare->getResult(i));
  rewriter.eraseOp(op);
  return success();
}

void LogSoftmaxOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr LogSoftmaxOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 5; }

} // namespace bifocal
