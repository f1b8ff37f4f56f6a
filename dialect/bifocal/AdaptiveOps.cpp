// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

static AffineExpr zeroFlops(Operation *op) { return getAffineConstantExpr(0, op->getContext()); }

static LogicalResult verifySome(Operation *op, StringRef name, ValueRange values) {
  if (!values.empty())
    return success();
  return op->emitOpError("expects at least one of '") << name << "', but got none";
}

/// Every size of `value` is known.
static LogicalResult verifyFixed(Operation *op, StringRef name, Value value) {
  if (llvm::none_of(shapeOf(value), ShapedType::isDynamic))
    return success();
  return op->emitOpError("expects fixed sizes, but '") << name << "' is " << shapeText(shapeOf(value));
}

LogicalResult BandIdsOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "output", getOutput(), shapeOf(getIds()), "the shape of 'ids'")))
    return failure();
  // (C2)
  const auto low = static_cast<int32_t>(getLow()), high = static_cast<int32_t>(getHigh());
  if (low >= 0 && low < high)
    return success();
  return emitOpError("expects a band with 0 <= low < high, but got ") << low << " and " << high;
}

void BandIdsOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr BandIdsOp::getFlops(const SymbolicDims &) { return zeroFlops(*this); }

LogicalResult ClusterIdsOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "output", getOutput(), shapeOf(getIds()), "the shape of 'ids'")))
    return failure();
  // (C2)
  int32_t before = 0;
  for (int32_t cutoff : getCutoffs()) {
    if (cutoff <= before)
      return emitOpError("expects ascending cutoffs above 0, but ") << cutoff << " follows " << before;
    before = cutoff;
  }
  return getCutoffs().empty() ? emitOpError("expects at least one cutoff, but got none") : success();
}

void ClusterIdsOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr ClusterIdsOp::getFlops(const SymbolicDims &) { return zeroFlops(*this); }

LogicalResult JoinClustersOp::verify() {
  // (C1)
  if (failed(verifySome(*this, "tails", getTails())))
    return failure();
  const auto tails = static_cast<int64_t>(getTails().size());
  const int64_t classes = channelsOf(getHead());
  if (classes <= tails)
    return emitOpError("expects more columns of 'head' than tails, but got ") << classes << " and " << tails;
  // (C2)
  int64_t ids = classes - tails;
  for (Value tail : getTails()) {
    if (ShapedType::isDynamic(channelsOf(tail)))
      return emitOpError("expects last axes of fixed sizes, but a tail is ") << shapeText(shapeOf(tail));
    if (failed(
            verifyShape(*this, "tails", tail, withChannels(rowsOf(getHead()), channelsOf(tail)), "the rows of 'head'")))
      return failure();
    ids += channelsOf(tail);
  }
  // (C3)
  return verifyShape(*this, "output", getOutput(), withChannels(rowsOf(getHead()), ids), "a column for each id");
}

void JoinClustersOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr JoinClustersOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

LogicalResult AddScalarsOp::verify() {
  // (C1)
  return verifySome(*this, "inputs", getInputs());
}

void AddScalarsOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

AffineExpr AddScalarsOp::getFlops(const SymbolicDims &dims) {
  return getAffineConstantExpr(static_cast<int64_t>(dims.operands.size()) - 1, getContext());
}

LogicalResult AddScalarsOp::buildGradient(OpBuilder &, ArrayRef<Value> resultGrads,
                                          SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getInputs().size(), resultGrads[0]);
  return success();
}

/// `rows` and the columns of `like`, which has any rank.
static SmallVector<int64_t> withRows(int64_t rows, Value like) {
  SmallVector<int64_t> shape(shapeOf(like));
  shape.front() = rows;
  return shape;
}

/// Whether `parts` are the rows of `whole`, one below the other. `name` is that of the parts, `wholeName` of the other.
static LogicalResult verifyRowParts(Operation *op, StringRef name, ValueRange parts, StringRef wholeName, Value whole) {
  // (C1)
  if (failed(verifySome(op, name, parts)))
    return failure();
  int64_t rows = 0;
  for (Value part : parts) {
    if (failed(verifyFixed(op, name, part)))
      return failure();
    // (C2)
    if (failed(verifyShape(op, name, part, withRows(shapeOf(part)[0], whole),
                           ("the columns of '" + wholeName + "'").str())))
      return failure();
    rows += shapeOf(part)[0];
  }
  return verifyShape(op, wholeName, whole, withRows(rows, parts.front()),
                     ("the rows of all '" + name + "' together").str());
}

LogicalResult ConcatRowsOp::verify() { return verifyRowParts(*this, "inputs", getInputs(), "output", getOutput()); }

void ConcatRowsOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

AffineExpr ConcatRowsOp::getFlops(const SymbolicDims &) { return zeroFlops(*this); }

LogicalResult ConcatRowsOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                          SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getInputs().size(), Value());
  int64_t first = 0;
  for (auto [input, gradient] : llvm::zip_equal(getInputs(), operandGrads)) {
    if (resultGrads[0])
      gradient = builder.create<SliceRowsOp>(getLoc(), input.getType(), resultGrads[0], first);
    first += shapeOf(input)[0];
  }
  return success();
}

LogicalResult SliceRowsOp::verify() {
  // (C1)
  if (failed(verifyFixed(*this, "input", getInput())) || failed(verifyFixed(*this, "output", getOutput())) ||
      failed(verifyShape(*this, "output", getOutput(), withRows(shapeOf(getOutput())[0], getInput()),
                         "the columns of 'input'")))
    return failure();
  // (C2)
  const auto first = static_cast<int64_t>(getFirst()), rows = shapeOf(getInput())[0];
  if (first >= 0 && first <= rows - shapeOf(getOutput())[0])
    return success();
  return emitOpError("expects rows within the ")
         << rows << " of 'input', but got " << shapeOf(getOutput())[0] << " from row " << first << " on";
}

void SliceRowsOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

AffineExpr SliceRowsOp::getFlops(const SymbolicDims &) { return zeroFlops(*this); }

LogicalResult SplitRowsOp::verify() { return verifyRowParts(*this, "outputs", getOutputs(), "input", getInput()); }

void SplitRowsOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < getNumResults(); ++i)
    inferLike(*this, i, {}, results);
}

AffineExpr SplitRowsOp::getFlops(const SymbolicDims &) { return zeroFlops(*this); }

LogicalResult SplitRowsOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  for (auto [index, gradient] : llvm::enumerate(resultGrads))
    if (!gradient)
      return emitOpError("expects a gradient of every output, but number ") << index << " has none";
  operandGrads[0] = builder.create<ConcatRowsOp>(getLoc(), getInput().getType(), resultGrads);
  return success();
}

LogicalResult TransposeOp::verify() {
  // (C1)
  if (failed(verifyFixed(*this, "input", getInput())))
    return failure();
  return verifyShape(*this, "output", getOutput(), {shapeOf(getInput())[1], shapeOf(getInput())[0]},
                     "the sizes of 'input', exchanged");
}

void TransposeOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

AffineExpr TransposeOp::getFlops(const SymbolicDims &) { return zeroFlops(*this); }

LogicalResult TransposeOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                         SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (resultGrads[0])
    operandGrads[0] = builder.create<TransposeOp>(getLoc(), getInput().getType(), resultGrads[0]);
  return success();
}

/// transpose(transpose(x)) -> x
OpFoldResult TransposeOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<TransposeOp>();
  return inner ? inner.getInput() : Value();
}

} // namespace bifocal
