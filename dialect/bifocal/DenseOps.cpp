// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

/// Dims of one result that has the rows of `like` and static channels.
static void inferRows(Operation *op, unsigned index, const Dims &like, SmallVectorImpl<Dims> &results) {
  Dims dims = like;
  dims.resize(cast<ShapedType>(op->getResult(index).getType()).getRank(), getAffineConstantExpr(1, op->getContext()));
  inferLike(op, index, dims, results);
}

//===- linear -===//

/// Emits an error unless the mask of `op`, if there is one, has the rows of `value`.
template <typename Op> static LogicalResult verifyMask(Op op, Value value, StringRef why) {
  return op.getMask() ? verifyShape(op, "mask", op.getMask(), rowsOf(value), why) : success();
}

bool isGated(Activation activation) { return activation == Activation::glu || activation == Activation::swiglu; }

Gate gateOf(Activation activation) { return activation == Activation::swiglu ? Gate::silu : Gate::sigmoid; }

/// What the activation of a linear costs per row.
static int64_t activationFlops(Activation activation, int64_t columns) {
  switch (activation) {
  case Activation::none:
    return 0;
  case Activation::relu:
    return columns;
  case Activation::glu:
    return columns / 2 * 5;
  case Activation::swiglu:
    return columns / 2 * 6;
  }
  llvm_unreachable("every activation has a cost");
}

LogicalResult LinearOp::verify() {
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  // (C1)
  if (sizesDiffer(channelsOf(getInput()), weight[1]))
    return emitOpError("expects one column of 'weight' per channel of 'input', but got ")
           << weight[1] << " columns and " << channelsOf(getInput()) << " channels";
  // (C2)
  if (getBias() && failed(verifyShape(*this, "bias", getBias(), {weight[0]}, "the rows of 'weight'")))
    return failure();
  // (C3)
  bool gated = isGated(getActivation());
  if (gated && weight[0] % 2 != 0)
    return emitOpError("expects an even number of rows of 'weight' where the activation is ")
           << stringifyActivation(getActivation()) << ", but got " << weight[0];
  // (C4)
  int64_t channels = gated ? weight[0] / 2 : weight[0];
  if (failed(verifyShape(*this, "output", getOutput(), withChannels(rowsOf(getInput()), channels),
                         gated ? "rows of 'input', half the rows of 'weight'" : "rows of 'input', rows of 'weight'")))
    return failure();
  // (C6)
  if (failed(verifyMask(*this, getInput(), "the rows of 'input'")))
    return failure();
  // (C7)
  for (auto [name, value] :
       {std::pair("input", getInput()), std::pair("weight", getWeight()), std::pair("output", getOutput())})
    if (Type element = getElementTypeOrSelf(value); getQuantization() != Quantization::none && !element.isF32())
      return emitOpError("expects '") << name << "' of f32 beside factors of 8 bits, but got " << element;
  // (C5)
  if (!getPreactivation())
    return success();
  return verifyShape(*this, "preactivation", getPreactivation(), withChannels(rowsOf(getInput()), weight[0]),
                     "rows of 'input', rows of 'weight'");
}

void LinearOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (unsigned i = 0; i < getNumResults(); ++i)
    inferRows(*this, i, operands[0], results);
}

AffineExpr LinearOp::getFlops(const SymbolicDims &dims) {
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  int64_t perRow =
      2 * weight[0] * weight[1] + (getBias() ? weight[0] : 0) + activationFlops(getActivation(), weight[0]);
  return rowCount(dims.operands[0], getContext()) * perRow;
}

/// The gradient of the sums of `op` before its activation, or null where none flows.
static Value preactivationGrad(LinearOp op, OpBuilder &builder, ArrayRef<Value> resultGrads) {
  Location loc = op.getLoc();
  Value grad = resultGrads[0];
  if (grad && op.getActivation() == Activation::relu)
    grad = builder.create<ReluGradOp>(loc, grad.getType(), grad, op.getOutput());
  if (grad && isGated(op.getActivation())) {
    Value sums = op.getPreactivation();
    if (!sums) {
      // Not kept by the forward pass, so the backward pass computes it again.
      auto rows = rowsOf(op.getInput());
      Type type = RankedTensorType::get(withChannels(rows, shapeOf(op.getWeight())[0]),
                                        cast<ShapedType>(op.getOutput().getType()).getElementType());
      sums = builder
                 .create<LinearOp>(loc, TypeRange{type}, op.getInput(), op.getWeight(), op.getBias(), op.getMask(),
                                   Activation::none)
                 .getOutput();
    }
    grad = builder.create<GluGradOp>(loc, sums.getType(), grad, sums, gateOf(op.getActivation()));
  }
  if (resultGrads.size() < 2 || !resultGrads[1])
    return grad;
  return grad ? builder.create<AddOp>(loc, grad.getType(), grad, resultGrads[1]) : resultGrads[1];
}

LogicalResult LinearOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (getQuantization() != Quantization::none)
    return emitOpError("has no gradient with factors of 8 bits");
  Value grad = preactivationGrad(*this, builder, resultGrads);
  if (!grad)
    return success();
  operandGrads[0] = builder.create<LinearInputGradOp>(getLoc(), getInput().getType(), grad, getWeight(), getMask());
  operandGrads[1] = builder.create<LinearWeightGradOp>(getLoc(), getWeight().getType(), grad, getInput(), getMask());
  if (getBias())
    operandGrads[2] = builder.create<ColumnSumOp>(getLoc(), getBias().getType(), grad);
  return success();
}

/// linear with a preactivation that nobody reads -> without it
LogicalResult LinearOp::canonicalize(LinearOp op, PatternRewriter &rewriter) {
  if (!op.getPreactivation() || !op.getPreactivation().use_empty())
    return rewriter.notifyMatchFailure(op, "there is no preactivation, or it is read");
  auto bare = rewriter.create<LinearOp>(op.getLoc(), TypeRange{op.getOutput().getType()}, op.getInput(), op.getWeight(),
                                        op.getBias(), op.getMask(), op.getActivation(), op.getQuantization());
  bare->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  rewriter.replaceAllUsesWith(op.getOutput(), bare.getOutput());
  rewriter.eraseOp(op);
  return success();
}

LogicalResult LinearInputGradOp::verify() {
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  // (C1)
  if (sizesDiffer(channelsOf(getOutputGrad()), weight[0]))
    return emitOpError("expects one row of 'weight' per channel of 'output_grad', but got ")
           << weight[0] << " rows and " << channelsOf(getOutputGrad()) << " channels";
  // (C3)
  if (failed(verifyMask(*this, getOutputGrad(), "the rows of 'output_grad'")))
    return failure();
  // (C2)
  return verifyShape(*this, "input_grad", getInputGrad(), withChannels(rowsOf(getOutputGrad()), weight[1]),
                     "rows of 'output_grad', columns of 'weight'");
}

void LinearInputGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferRows(*this, 0, operands[0], results);
}

AffineExpr LinearInputGradOp::getFlops(const SymbolicDims &dims) {
  ArrayRef<int64_t> weight = shapeOf(getWeight());
  return rowCount(dims.operands[0], getContext()) * (2 * weight[0] * weight[1]);
}

LogicalResult LinearWeightGradOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "input", getInput(), withChannels(rowsOf(getOutputGrad()), channelsOf(getInput())),
                         "the rows of 'output_grad'")))
    return failure();
  // (C3)
  if (failed(verifyMask(*this, getOutputGrad(), "the rows of 'output_grad'")))
    return failure();
  // (C2)
  return verifyShape(*this, "weight_grad", getWeightGrad(), {channelsOf(getOutputGrad()), channelsOf(getInput())},
                     "channels of 'output_grad', channels of 'input'");
}

void LinearWeightGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {operands[0].back(), operands[1].back()}, results);
}

AffineExpr LinearWeightGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[0], getContext()) * (2 * channelsOf(getInput()));
}

LogicalResult ColumnSumOp::verify() {
  // (C1)
  return verifyShape(*this, "output", getOutput(), {channelsOf(getInput())}, "the channels of 'input'");
}

void ColumnSumOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {operands[0].back()}, results);
}

AffineExpr ColumnSumOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.operands[0], getContext()); }

bool ColumnSumOp::hasColumnSums() { return true; }

bool ColumnSumOp::isRowReduction() { return false; }

//===- pointwise -===//

void ReluOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr ReluOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

bool ReluOp::isRowReduction() { return false; }

LogicalResult ReluOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                    SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (resultGrads[0])
    operandGrads[0] = builder.create<ReluGradOp>(getLoc(), getInput().getType(), resultGrads[0], getOutput());
  return success();
}

/// relu(relu(x)) -> relu(x), also where the inner one is the epilogue of a linear.
OpFoldResult ReluOp::fold(FoldAdaptor) {
  if (getInput().getDefiningOp<ReluOp>())
    return getInput();
  auto linear = getInput().getDefiningOp<LinearOp>();
  if (linear && linear.getActivation() == Activation::relu && linear.getOutput() == getInput())
    return getInput();
  return {};
}

void ReluGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr ReluGradOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

bool ReluGradOp::isRowReduction() { return false; }

LogicalResult GluOp::verify() {
  // (C1)
  return verifyShape(*this, "input", getInput(), withChannels(rowsOf(getOutput()), 2 * channelsOf(getOutput())),
                     "rows of 'output', twice its channels");
}

void GluOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferRows(*this, 0, operands[0], results);
}

// A sigmoid is four operations, a silu five, the product one.
AffineExpr GluOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.results[0], getContext()) * (getGate() == Gate::silu ? 6 : 5);
}

bool GluOp::isRowReduction() { return false; }

LogicalResult GluOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                   SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (resultGrads[0])
    operandGrads[0] = builder.create<GluGradOp>(getLoc(), getInput().getType(), resultGrads[0], getInput(), getGate());
  return success();
}

LogicalResult GluGradOp::verify() {
  // (C1)
  if (failed(verifyShape(*this, "input", getInput(),
                         withChannels(rowsOf(getOutputGrad()), 2 * channelsOf(getOutputGrad())),
                         "rows of 'output_grad', twice its channels")))
    return failure();
  // (C2)
  return verifyShape(*this, "input_grad", getInputGrad(), shapeOf(getInput()), "the shape of 'input'");
}

void GluGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[1], results);
}

// Per gate: the sigmoid s (4), g s (1), g x s (1 - s) (4); three more for silu.
AffineExpr GluGradOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[0], getContext()) * (getGate() == Gate::silu ? 12 : 9);
}

bool GluGradOp::isRowReduction() { return false; }

void AddOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr AddOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

bool AddOp::isRowReduction() { return false; }

LogicalResult AddOp::buildGradient(OpBuilder &, ArrayRef<Value> resultGrads, SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, resultGrads[0]);
  return success();
}

namespace {
/// add(x, embedding_grad(ids, g)) -> embedding_grad(ids, g, initial x), through a chain of such gradients:
/// add(x, embedding_grad(ids, g, initial inner)) -> embedding_grad(ids, g, initial add(x, inner))
struct AddIntoEmbeddingGrad : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AddOp add, PatternRewriter &rewriter) const override {
    for (auto [value, other] : {std::pair(add.getRhs(), add.getLhs()), std::pair(add.getLhs(), add.getRhs())}) {
      auto grad = value.getDefiningOp<EmbeddingGradOp>();
      if (!grad || !grad->hasOneUse())
        continue;
      Value initial = other;
      if (Value inner = grad.getInitial()) {
        // An initial value that is no such gradient gains nothing: the sum only moves.
        if (!inner.getDefiningOp<EmbeddingGradOp>() || !inner.hasOneUse())
          continue;
        initial = rewriter.create<AddOp>(add.getLoc(), add.getType(), other, inner);
      }
      rewriter.replaceOpWithNewOp<EmbeddingGradOp>(add, add.getType(), grad.getIds(), grad.getOutputGrad(), initial,
                                                   grad.getScale(), grad.getPad());
      return success();
    }
    return rewriter.notifyMatchFailure(add, "no embedding_grad with one reader and a free start");
  }
};
} // namespace

void AddOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<AddIntoEmbeddingGrad>(context);
}

LogicalResult AddBiasOp::verify() {
  // (C1)
  return verifyShape(*this, "bias", getBias(), {channelsOf(getInput())}, "the channels of 'input'");
}

void AddBiasOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr AddBiasOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

bool AddBiasOp::isRowReduction() { return false; }

LogicalResult AddBiasOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                       SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (!resultGrads[0])
    return success();
  operandGrads[0] = resultGrads[0];
  operandGrads[1] = builder.create<ColumnSumOp>(getLoc(), getBias().getType(), resultGrads[0]);
  return success();
}

} // namespace bifocal
