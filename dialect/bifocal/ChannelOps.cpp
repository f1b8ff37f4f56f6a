// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

/// Whether `parts` are the channels of `whole`, side by side. `name` is that of the parts, `wholeName` of the other.
static LogicalResult verifyParts(Operation *op, ValueRange parts, StringRef name, Value whole, StringRef wholeName) {
  // (C1)
  if (parts.size() < 2)
    return op->emitOpError("expects at least two '") << name << "', but got " << parts.size();
  int64_t channels = 0;
  Type element = getElementTypeOrSelf(whole);
  for (auto [index, part] : llvm::enumerate(parts)) {
    if (ShapedType::isDynamic(channelsOf(part)))
      return op->emitOpError("expects a static number of channels of '") << name << "' number " << index;
    // (C2)
    if (Type own = getElementTypeOrSelf(part); own != element)
      return op->emitOpError("expects '")
             << name << "' number " << index << " of " << element << ", as '" << wholeName << "' is, but got " << own;
    if (failed(verifyShape(op, name, part, withChannels(rowsOf(whole), channelsOf(part)),
                           ("the rows of '" + wholeName + "'").str())))
      return failure();
    channels += channelsOf(part);
  }
  // (C3)
  if (channels != channelsOf(whole))
    return op->emitOpError("expects '") << name << "' of " << channelsOf(whole) << " channels together, as '"
                                        << wholeName << "' has, but got " << channels;
  return success();
}

/// Result `index` of `op` has the rows of `like` and static channels.
static void inferPart(Operation *op, unsigned index, const Dims &like, SmallVectorImpl<Dims> &results) {
  Dims dims = like;
  dims.back() = getAffineConstantExpr(channelsOf(op->getResult(index)), op->getContext());
  inferLike(op, index, dims, results);
}

//===- split -===//

LogicalResult SplitOp::verify() { return verifyParts(*this, getOutputs(), "outputs", getInput(), "input"); }

void SplitOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < getNumResults(); ++i)
    inferPart(*this, i, operands[0], results);
}

AffineExpr SplitOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

LogicalResult SplitOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                     SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  for (auto [index, gradient] : llvm::enumerate(resultGrads))
    if (!gradient)
      return emitOpError("expects a gradient of every output, but number ") << index << " has none";
  operandGrads[0] = builder.create<ConcatOp>(getLoc(), getInput().getType(), resultGrads);
  return success();
}

/// split(concat(a, b)) -> a, b
LogicalResult SplitOp::canonicalize(SplitOp op, PatternRewriter &rewriter) {
  auto concat = op.getInput().getDefiningOp<ConcatOp>();
  if (!concat || concat.getInputs().getTypes() != op.getOutputs().getTypes())
    return rewriter.notifyMatchFailure(op, "the input is no concat of tensors like the outputs");
  rewriter.replaceOp(op, concat.getInputs());
  return success();
}

//===- concat -===//

LogicalResult ConcatOp::verify() { return verifyParts(*this, getInputs(), "inputs", getOutput(), "output"); }

void ConcatOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferPart(*this, 0, operands[0], results);
}

AffineExpr ConcatOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

LogicalResult ConcatOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (!resultGrads[0])
    return success();
  auto split = builder.create<SplitOp>(getLoc(), getInputs().getTypes(), resultGrads[0]);
  llvm::copy(split.getOutputs(), operandGrads.begin());
  return success();
}

/// concat(split(x)) -> x
OpFoldResult ConcatOp::fold(FoldAdaptor) {
  auto split = getInputs().front().getDefiningOp<SplitOp>();
  bool whole = split && llvm::equal(split.getOutputs(), getInputs()) && split.getInput().getType() == getType();
  return whole ? OpFoldResult(split.getInput()) : OpFoldResult();
}

} // namespace bifocal
