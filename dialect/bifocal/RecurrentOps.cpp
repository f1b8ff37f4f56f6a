// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/Constants.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

static int64_t sum(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) ? ShapedType::kDynamic : a + b;
}

/// (C1) and (C2) of `append_steps` and of its gradient: `part` has T steps, `whole` M + T.
static LogicalResult verifySteps(Operation *op, Value memory, StringRef partName, Value part, StringRef wholeName,
                                 Value whole) {
  ArrayRef<int64_t> kept = shapeOf(memory);
  const std::pair<StringRef, Value> sequences[] = {{partName, part}, {wholeName, whole}};
  for (auto [name, sequence] : sequences)
    if (failed(
            verifyShape(op, name, sequence, {kept[0], ShapedType::kDynamic, kept[2]}, "rows and channels of 'memory'")))
      return failure();
  return verifyShape(op, wholeName, whole, {kept[0], sum(kept[1], shapeOf(part)[1]), kept[2]},
                     ("the steps of 'memory' and of '" + partName + "'").str());
}

//===- append_steps -===//

LogicalResult AppendStepsOp::verify() {
  return verifySteps(*this, getMemory(), "input", getInput(), "output", getOutput());
}

void AppendStepsOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  Dims dims = operands[1];
  dims[1] = operands[0][1] + operands[1][1];
  inferLike(*this, 0, dims, results);
}

AffineExpr AppendStepsOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

LogicalResult AppendStepsOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                           SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (resultGrads[0])
    operandGrads[1] = builder.create<AppendStepsGradOp>(getLoc(), getInput().getType(), getMemory(), resultGrads[0]);
  return success();
}

LogicalResult AppendStepsGradOp::verify() {
  return verifySteps(*this, getMemory(), "input_grad", getInputGrad(), "output_grad", getOutputGrad());
}

void AppendStepsGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  unsigned symbols = 0;
  for (AffineExpr dim : {operands[0][1], operands[1][1]})
    dim.walk([&](AffineExpr part) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
        symbols = std::max(symbols, symbol.getPosition() + 1);
    });
  Dims dims = operands[1];
  // M + T - M is T again: a size that other tensors have.
  dims[1] = simplifyAffineExpr(operands[1][1] - operands[0][1], /*numDims=*/0, symbols);
  inferLike(*this, 0, dims, results);
}

AffineExpr AppendStepsGradOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

//===- distances -===//

LogicalResult DistancesOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "output", getOutput(), {shapeOf(getSequence())[1]}, "the steps of 'sequence'")))
    return failure();
  // (C2)
  const auto most = static_cast<int32_t>(getMost());
  return most >= 0 ? success() : emitOpError("expects most >= 0, but got ") << most;
}

void DistancesOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {operands[0][1]}, results);
}

AffineExpr DistancesOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

//===- span_penalty -===//

/// (C1) to (C3) of `span_penalty` and of its gradient.
static LogicalResult verifySpan(Operation *op, StringRef name, Value span, const llvm::APFloat &factor, int64_t unit) {
  // (C1)
  ArrayRef<int64_t> shape = shapeOf(span);
  const bool heads = !shape.empty() && llvm::none_of(shape, ShapedType::isDynamic) &&
                     llvm::all_of(shape.drop_front(), [](int64_t size) { return size == 1; });
  if (!heads)
    return op->emitOpError("expects '") << name << "' of shape [heads] or [heads, 1, 1], but got " << shapeText(shape);
  // (C2)
  if (const float value = factor.convertToFloat(); !(value >= 0))
    return op->emitOpError("expects factor >= 0, but got ") << value;
  // (C3)
  if (unit < 1)
    return op->emitOpError("expects span_unit >= 1, but got ") << unit;
  return success();
}

LogicalResult SpanPenaltyOp::verify() {
  if (failed(verifySpan(*this, "span", getSpan(), getFactor(), static_cast<int64_t>(getSpanUnit()))))
    return failure();
  return verifyShape(*this, "sizes", getSizes(), {shapeOf(getSpan())[0]}, "the heads of 'span'");
}

void SpanPenaltyOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
  inferLike(*this, 1, {}, results);
}

AffineExpr SpanPenaltyOp::getFlops(const SymbolicDims &) {
  return getAffineConstantExpr(2 * shapeOf(getSpan())[0], getContext());
}

LogicalResult SpanPenaltyOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                           SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (resultGrads[1])
    return emitOpError("expects no gradient of 'sizes', but there is one");
  if (resultGrads[0])
    operandGrads[0] = builder.create<SpanPenaltyGradOp>(getLoc(), getSpan().getType(), getCount(),
                                                        isConstantOne(resultGrads[0]) ? Value() : resultGrads[0],
                                                        getFactor(), getSpanUnit());
  return success();
}

LogicalResult SpanPenaltyGradOp::verify() {
  return verifySpan(*this, "span_grad", getSpanGrad(), getFactor(), static_cast<int64_t>(getSpanUnit()));
}

void SpanPenaltyGradOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

AffineExpr SpanPenaltyGradOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(3, getContext()); }

} // namespace bifocal
