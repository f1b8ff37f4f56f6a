// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

// One multiply-add per tap and output element; a softmax costs five operations per tap.
static AffineExpr convFlops(const Dims &output, const Dims &taps, int64_t kernelSize, bool normalized, int64_t products,
                            MLIRContext *context) {
  AffineExpr flops = elementCount(output, context) * (2 * kernelSize * products);
  return normalized ? flops + elementCount(taps, context) * 5 : flops;
}

static LogicalResult verifyLeftPadding(Operation *op, int64_t leftPadding, int64_t kernelSize) {
  if (leftPadding >= 0 && (ShapedType::isDynamic(kernelSize) || leftPadding < kernelSize))
    return success();
  return op->emitOpError("expects a left padding in [0, K), but got ") << leftPadding << " and K = " << kernelSize;
}

/// Light taps: [H, 1, K] with H >= 1 dividing the channels and K >= 1.
static LogicalResult verifyLightTaps(Operation *op, Value taps, Value input) {
  ArrayRef<int64_t> shape = shapeOf(taps);
  // (C1)
  if (failed(verifyShape(op, "taps", taps, {shape[0], 1, shape[2]}, "heads, 1, kernel size")))
    return failure();
  // (C2)
  if (shape[2] < 1)
    return op->emitOpError("expects a kernel size K >= 1, but got ") << shapeText({shape[2]});
  // (C3)
  return verifyHeads(op, shape[0], "input", input);
}

/// Dynamic taps: rows of H * K with H >= 1 dividing the channels and K >= 1.
static LogicalResult verifyDynamicTaps(Operation *op, Value taps, Value input, int64_t heads) {
  // (C1)
  if (failed(verifyHeads(op, heads, "input", input)))
    return failure();
  // (C2)
  int64_t columns = channelsOf(taps);
  if (columns < heads || columns % heads != 0)
    return op->emitOpError("expects H * K taps per position with K >= 1, but got ")
           << shapeText({columns}) << " taps and " << heads << " heads";
  // (C3)
  return verifyShape(op, "taps", taps, withChannels(rowsOf(input), columns), "one row per row of 'input'");
}

static LogicalResult verifyBias(Operation *op, Value bias, Value input) {
  return bias ? verifyShape(op, "bias", bias, {channelsOf(input)}, "the channels of 'input'") : success();
}

/// `renormalized` only has a meaning where there is a softmax to take over the taps inside the sequence.
static LogicalResult verifyTapFlags(Operation *op, bool normalized, bool renormalized, bool compat) {
  if (!normalized && (renormalized || compat))
    return op->emitOpError("expects 'normalized' beside '") << (renormalized ? "renormalized" : "compat") << "'";
  if (renormalized && compat)
    return op->emitOpError("expects at most one of 'renormalized' and 'compat', but got both");
  return success();
}

/// One tap that a softmax makes 1 copies its input.
template <typename ConvLike> static OpFoldResult foldSingleTap(ConvLike op, int64_t kernelSize) {
  bool copies = kernelSize == 1 && op.getNormalized() && !op.getBias() && op.getDropRate().isZero();
  return copies ? op.getInput() : OpFoldResult();
}

//===- light_conv -===//

void LightConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<LightConvOp>>(context);
}

LogicalResult LightConvOp::verify() {
  if (failed(verifyLightTaps(*this, getTaps(), getInput())))
    return failure();
  // (C4)
  if (failed(verifyLeftPadding(*this, getLeftPadding(), channelsOf(getTaps()))))
    return failure();
  // (C5)
  if (failed(verifyBias(*this, getBias(), getInput())))
    return failure();
  // (C6)
  return verifyDropRate(*this, getDropRate(), getRng());
}

OpFoldResult LightConvOp::fold(FoldAdaptor) { return foldSingleTap(*this, channelsOf(getTaps())); }

void LightConvOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr LightConvOp::getFlops(const SymbolicDims &dims) {
  return convFlops(dims.results[0], dims.operands[1], channelsOf(getTaps()), getNormalized(), 1, getContext());
}

LogicalResult LightConvOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!resultGrads[0])
    return success();
  auto gradient = builder.create<LightConvGradOp>(getLoc(), TypeRange{getInput().getType(), getTaps().getType()},
                                                  resultGrads[0], getInput(), getTaps(), getRng(), getLeftPadding(),
                                                  getNormalized(), getDropRate(), getSite());
  operandGrads[0] = gradient.getInputGrad();
  operandGrads[1] = gradient.getTapsGrad();
  if (getBias())
    operandGrads[2] = builder.create<ColumnSumOp>(getLoc(), getBias().getType(), resultGrads[0]);
  return success();
}

void LightConvGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<LightConvGradOp>>(context);
}

LogicalResult LightConvGradOp::verify() {
  if (failed(verifyLightTaps(*this, getTaps(), getInput())))
    return failure();
  // (C4)
  if (failed(verifyLeftPadding(*this, getLeftPadding(), channelsOf(getTaps()))))
    return failure();
  // (C5)
  return verifyDropRate(*this, getDropRate(), getRng());
}

void LightConvGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[1], results);
  inferLike(*this, 1, operands[2], results);
}

AffineExpr LightConvGradOp::getFlops(const SymbolicDims &dims) {
  return convFlops(dims.results[0], dims.results[1], channelsOf(getTaps()), getNormalized(), 2, getContext());
}

//===- dynamic_conv -===//

int64_t DynamicConvOp::getKernelSize() { return channelsOf(getTaps()) / getHeads(); }

int64_t DynamicConvGradOp::getKernelSize() { return channelsOf(getTaps()) / getHeads(); }

void DynamicConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<DynamicConvOp>>(context);
}

LogicalResult DynamicConvOp::verify() {
  if (failed(verifyDynamicTaps(*this, getTaps(), getInput(), getHeads())))
    return failure();
  // (C4)
  if (failed(verifyLeftPadding(*this, getLeftPadding(), getKernelSize())))
    return failure();
  // (C5)
  if (failed(verifyBias(*this, getBias(), getInput())))
    return failure();
  // (C6)
  if (failed(verifyDropRate(*this, getDropRate(), getRng())))
    return failure();
  // (C7)
  return verifyTapFlags(*this, getNormalized(), getRenormalized(), getCompat());
}

OpFoldResult DynamicConvOp::fold(FoldAdaptor) { return foldSingleTap(*this, getKernelSize()); }

void DynamicConvOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr DynamicConvOp::getFlops(const SymbolicDims &dims) {
  return convFlops(dims.results[0], dims.operands[1], getKernelSize(), getNormalized(), 1, getContext());
}

LogicalResult DynamicConvOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                           SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!resultGrads[0])
    return success();
  auto gradient = builder.create<DynamicConvGradOp>(
      getLoc(), TypeRange{getInput().getType(), getTaps().getType()}, resultGrads[0], getInput(), getTaps(), getRng(),
      getHeads(), getLeftPadding(), getNormalized(), getRenormalized(), getCompat(), getDropRate(), getSite());
  operandGrads[0] = gradient.getInputGrad();
  operandGrads[1] = gradient.getTapsGrad();
  if (getBias())
    operandGrads[2] = builder.create<ColumnSumOp>(getLoc(), getBias().getType(), resultGrads[0]);
  return success();
}

void DynamicConvGradOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnusedRng<DynamicConvGradOp>>(context);
}

LogicalResult DynamicConvGradOp::verify() {
  if (failed(verifyDynamicTaps(*this, getTaps(), getInput(), getHeads())))
    return failure();
  // (C4)
  if (failed(verifyLeftPadding(*this, getLeftPadding(), getKernelSize())))
    return failure();
  // (C5)
  if (failed(verifyDropRate(*this, getDropRate(), getRng())))
    return failure();
  // (C6)
  return verifyTapFlags(*this, getNormalized(), getRenormalized(), getCompat());
}

void DynamicConvGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[1], results);
  inferLike(*this, 1, operands[2], results);
}

AffineExpr DynamicConvGradOp::getFlops(const SymbolicDims &dims) {
  return convFlops(dims.results[0], dims.results[1], getKernelSize(), getNormalized(), 2, getContext());
}

//===- decoding steps -===//

static LogicalResult verifyAncestors(Operation *op, Value ancestors, Value input) {
  return verifyShape(op, "ancestors", ancestors, {shapeOf(input)[0], ShapedType::kDynamic},
                     "one row per row of 'input'");
}

/// K steps of the cache are read and one is written, beside operands and results.
static AffineExpr stepBytes(Operation *op, const SymbolicDims &dims, int64_t kernelSize) {
  AffineExpr row = elementCount(dims.results[0], op->getContext()) * elementBytes(op->getResult(0).getType());
  return compulsoryBytes(op, dims) + row * (kernelSize + 1);
}

AffineExpr LightConvStepOp::getBytes(const SymbolicDims &dims) { return stepBytes(*this, dims, channelsOf(getTaps())); }

LogicalResult LightConvStepOp::verify() {
  if (failed(verifyLightTaps(*this, getTaps(), getInput())))
    return failure();
  // (C4)
  if (failed(verifyBias(*this, getBias(), getInput())))
    return failure();
  // (C5)
  return verifyAncestors(*this, getAncestors(), getInput());
}

void LightConvStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr LightConvStepOp::getFlops(const SymbolicDims &dims) {
  return convFlops(dims.results[0], dims.operands[1], channelsOf(getTaps()), getNormalized(), 1, getContext());
}

AffineExpr DynamicConvStepOp::getBytes(const SymbolicDims &dims) {
  return stepBytes(*this, dims, channelsOf(getTaps()) / getHeads());
}

LogicalResult DynamicConvStepOp::verify() {
  if (failed(verifyDynamicTaps(*this, getTaps(), getInput(), getHeads())))
    return failure();
  // (C4)
  if (failed(verifyBias(*this, getBias(), getInput())))
    return failure();
  // (C5)
  if (failed(verifyAncestors(*this, getAncestors(), getInput())))
    return failure();
  // (C6)
  return verifyTapFlags(*this, getNormalized(), getRenormalized(), getCompat());
}

void DynamicConvStepOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr DynamicConvStepOp::getFlops(const SymbolicDims &dims) {
  return convFlops(dims.results[0], dims.operands[1], channelsOf(getTaps()) / getHeads(), getNormalized(), 1,
                   getContext());
}

} // namespace bifocal
