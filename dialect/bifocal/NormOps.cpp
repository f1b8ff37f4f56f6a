// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

static LogicalResult verifyRowStat(Operation *op, StringRef name, Value stat, Value input) {
  return verifyShape(op, name, stat, rowsOf(input), "the rows of 'input'");
}

LogicalResult LayerNormOp::verify() {
  // (C1)
  int64_t channels = channelsOf(getInput());
  if (failed(verifyShape(*this, "scale", getScale(), {channels}, "the channels of 'input'")) ||
      failed(verifyShape(*this, "bias", getBias(), {channels}, "the channels of 'input'")))
    return failure();
  // (C2)
  if (failed(verifyRowStat(*this, "mean", getMean(), getInput())) ||
      failed(verifyRowStat(*this, "rstd", getRstd(), getInput())))
    return failure();
  // (C3)
  float epsilon = getEpsilon().convertToFloat();
  if (!(epsilon > 0.0f))
    return emitOpError("expects epsilon > 0, but got ") << epsilon;
  return success();
}

void LayerNormOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < 3; ++i)
    inferLike(*this, i, operands[0], results);
}

// Mean 1, variance 3, normalisation 1, scale and bias 2.
AffineExpr LayerNormOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 7; }

bool LayerNormOp::isRowReduction() { return true; }

LogicalResult LayerNormOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(3, Value());
  if (resultGrads[1] || resultGrads[2])
    return emitOpError(
        "expects no gradient of 'mean' and 'rstd', which are only kept for the backward pass, but got one");
  if (!resultGrads[0])
    return success();
  auto gradient = builder.create<LayerNormGradOp>(
      getLoc(), TypeRange{getInput().getType(), getScale().getType(), getBias().getType()}, resultGrads[0], getInput(),
      getScale(), getMean(), getRstd());
  for (unsigned i = 0; i < 3; ++i)
    operandGrads[i] = gradient.getResult(i);
  return success();
}

LogicalResult LayerNormGradOp::verify() {
  // (C1)
  ArrayRef<int64_t> input = shapeOf(getInput());
  if (failed(verifyShape(*this, "output_grad", getOutputGrad(), input, "the shape of 'input'")) ||
      failed(verifyShape(*this, "input_grad", getInputGrad(), input, "the shape of 'input'")))
    return failure();
  // (C2)
  StringRef channels = "the channels of 'input'";
  if (failed(verifyShape(*this, "scale", getScale(), {input.back()}, channels)) ||
      failed(verifyShape(*this, "scale_grad", getScaleGrad(), {input.back()}, channels)) ||
      failed(verifyShape(*this, "bias_grad", getBiasGrad(), {input.back()}, channels)))
    return failure();
  // (C3)
  if (failed(verifyRowStat(*this, "mean", getMean(), getInput())))
    return failure();
  return verifyRowStat(*this, "rstd", getRstd(), getInput());
}

void LayerNormGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[1], results);
  inferLike(*this, 1, operands[2], results);
  inferLike(*this, 2, operands[2], results);
}

// Normalised input 2, sums over rows 3, times scale 1, two sums over the row 3, the result 4.
AffineExpr LayerNormGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.results[0], getContext()) * 13;
}

bool LayerNormGradOp::hasColumnSums() { return true; }

bool LayerNormGradOp::isRowReduction() { return true; }

template <typename NormLike> static int64_t groupOf(NormLike op) {
  const auto group = static_cast<int64_t>(op.getGroup());
  return group == 0 ? channelsOf(op.getInput()) : group;
}

int64_t RmsNormOp::groupSize() { return groupOf(*this); }
int64_t RmsNormGradOp::groupSize() { return groupOf(*this); }

int64_t normGroups(Operation *op) {
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<RmsNormOp, RmsNormGradOp>([](auto norm) { return channelsOf(norm.getInput()) / norm.groupSize(); })
      .Default([](Operation *) { return 1; });
}

/// (C1) to (C3), which an rms_norm and its gradient share.
template <typename NormLike> static LogicalResult verifyRmsNorm(NormLike op) {
  // (C1)
  int64_t channels = channelsOf(op.getInput()), group = op.groupSize();
  if (ShapedType::isDynamic(channels))
    return op.emitOpError("expects a static number of channels of 'input', but got ?");
  if (group < 1 || channels % group != 0)
    return op.emitOpError("expects a group >= 1 that divides the channels of 'input', but got a group of ")
           << group << " and " << channels << " channels";
  // (C2)
  if (op.getWeight() && failed(verifyShape(op, "weight", op.getWeight(), {group}, "the channels of a group")))
    return failure();
  // (C3)
  float epsilon = op.getEpsilon().convertToFloat();
  if (!(epsilon > 0.0f))
    return op.emitOpError("expects epsilon > 0, but got ") << epsilon;
  return success();
}

LogicalResult RmsNormOp::verify() { return verifyRmsNorm(*this); }

void RmsNormOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// Squares 2, times rstd, weight and factor 3.
AffineExpr RmsNormOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 5; }

bool RmsNormOp::isRowReduction() { return true; }

LogicalResult RmsNormOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!resultGrads[0])
    return success();
  SmallVector<Type> types(getOperandTypes());
  auto gradient = builder.create<RmsNormGradOp>(getLoc(), types, resultGrads[0], getInput(), getWeight(), getGroup(),
                                                getFactor(), getEpsilon());
  llvm::copy(gradient.getResults(), operandGrads.begin());
  return success();
}

LogicalResult RmsNormGradOp::verify() {
  if (failed(verifyRmsNorm(*this)))
    return failure();
  // (C4)
  ArrayRef<int64_t> input = shapeOf(getInput());
  if (failed(verifyShape(*this, "output_grad", getOutputGrad(), input, "the shape of 'input'")) ||
      failed(verifyShape(*this, "input_grad", getInputGrad(), input, "the shape of 'input'")))
    return failure();
  // (C5)
  if (!getWeight() != !getWeightGrad())
    return emitOpError("expects 'weight_grad' exactly where 'weight' is, but got ")
           << (getWeight() ? "only 'weight'" : "only 'weight_grad'");
  if (!getWeight())
    return success();
  return verifyShape(*this, "weight_grad", getWeightGrad(), shapeOf(getWeight()), "the shape of 'weight'");
}

void RmsNormGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[1], results);
  if (getWeightGrad())
    inferLike(*this, 1, operands[2], results);
}

// Times factor and weight 2, two sums over the group 4, the result 4, sums over rows 3.
AffineExpr RmsNormGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.results[0], getContext()) * 13;
}

bool RmsNormGradOp::hasColumnSums() { return true; }

bool RmsNormGradOp::isRowReduction() { return true; }

LogicalResult DropoutOp::verify() {
  // (C1)
  return verifyDropRate(*this, getRate(), getRng());
}

void DropoutOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr DropoutOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

bool DropoutOp::isRowReduction() { return false; }

LogicalResult DropoutOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (resultGrads[0])
    operandGrads[0] =
        builder.create<DropoutOp>(getLoc(), getInput().getType(), resultGrads[0], getRng(), getRate(), getSite());
  return success();
}

/// dropout(x) at a rate of 0 -> x
OpFoldResult DropoutOp::fold(FoldAdaptor) { return getRate().isZero() ? getInput() : OpFoldResult(); }

static LogicalResult verifyGroup(Operation *op, int64_t group, StringRef name, Value value) {
  int64_t channels = channelsOf(value);
  if (group >= 1 && (ShapedType::isDynamic(channels) || channels % group == 0))
    return success();
  return op->emitOpError("expects a group >= 1 that divides the channels of '")
         << name << "', but got a group of " << group << " and " << channels << " channels";
}

LogicalResult SoftmaxOp::verify() {
  // (C1)
  return verifyGroup(*this, getGroup(), "input", getInput());
}

void SoftmaxOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// Maximum, difference, exponential, sum, scale.
AffineExpr SoftmaxOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 5; }

LogicalResult SoftmaxOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (resultGrads[0])
    operandGrads[0] =
        builder.create<SoftmaxGradOp>(getLoc(), getInput().getType(), resultGrads[0], getOutput(), getGroup());
  return success();
}

LogicalResult SoftmaxGradOp::verify() {
  // (C1)
  return verifyGroup(*this, getGroup(), "output", getOutput());
}

void SoftmaxGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr SoftmaxGradOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 4; }

} // namespace bifocal
