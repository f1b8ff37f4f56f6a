// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

/// The elements of the listed parameters; 0 for names that cannot be found.
static int64_t parameterElements(Operation *op, ArrayAttr params) {
  int64_t elements = 0;
  for (auto name : params.getAsRange<FlatSymbolRefAttr>())
    if (auto param = SymbolTable::lookupNearestSymbolFrom<ParamOp>(op, name))
      elements += cast<ShapedType>(param.getType()).getNumElements();
  return elements;
}

static LogicalResult verifyParams(Operation *op, ArrayAttr params, SymbolTableCollection &tables) {
  // (C1)
  if (params.empty())
    return op->emitOpError("expects at least 1 parameter, but got 0");
  llvm::SmallDenseSet<Attribute> seen;
  for (auto name : params.getAsRange<FlatSymbolRefAttr>()) {
    // (C2)
    if (!seen.insert(name).second)
      return op->emitOpError("expects every parameter once, but got '") << name.getValue() << "' again";
    // (C3)
    auto param = tables.lookupNearestSymbolFrom<ParamOp>(op, name);
    if (!param)
      return op->emitOpError("expects the name of a 'bifocal.param', but there is none named '")
             << name.getValue() << "'";
    if (param.getFrozen())
      return op->emitOpError("expects trained parameters, but '") << name.getValue() << "' is frozen";
  }
  return success();
}

LogicalResult StoreGradientOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C1)
  FailureOr<RankedTensorType> type = lookUpTensor<ParamOp>(*this, getParamAttr(), tables);
  if (failed(type))
    return failure();
  // (C2)
  if (*type != getGradient().getType())
    return emitOpError("expects a gradient of the parameter's type ")
           << *type << ", but got " << getGradient().getType();
  return success();
}

AffineExpr StoreGradientOp::getFlops(const SymbolicDims &dims) {
  return elementCount(dims.operands[0], getContext()) * (getAccumulate() ? 1 : 0);
}

// The slab is written, and read first where it accumulates.
AffineExpr StoreGradientOp::getBytes(const SymbolicDims &dims) {
  return compulsoryBytes(*this, dims) * (getAccumulate() ? 3 : 2);
}

LogicalResult GlobalNormOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyParams(*this, getParams(), tables);
}

void GlobalNormOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, {}, results);
}

AffineExpr GlobalNormOp::getFlops(const SymbolicDims &) {
  return getAffineConstantExpr(2 * parameterElements(*this, getParams()), getContext());
}

AffineExpr GlobalNormOp::getBytes(const SymbolicDims &) {
  return getAffineConstantExpr(4 * parameterElements(*this, getParams()), getContext());
}

void ClipOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) { inferLike(*this, 0, {}, results); }

AffineExpr ClipOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(4, getContext()); }

//--- Updates -----------------------------------------------------------------------------------------------------

/// `value` is in [0, 1).
static LogicalResult verifyShare(Operation *op, StringRef name, const llvm::APFloat &share) {
  float value = share.convertToFloat();
  if (!(value >= 0.0f && value < 1.0f))
    return op->emitOpError("expects ") << name << " in [0, 1), but got " << value;
  return success();
}

static LogicalResult verifyNotNegative(Operation *op, StringRef name, const llvm::APFloat &number) {
  float value = number.convertToFloat();
  if (!(value >= 0.0f))
    return op->emitOpError("expects ") << name << " >= 0, but got " << value;
  return success();
}

static LogicalResult verifyEpsilon(Operation *op, const llvm::APFloat &number) {
  float epsilon = number.convertToFloat();
  if (!(epsilon > 0.0f))
    return op->emitOpError("expects epsilon > 0, but got ") << epsilon;
  return success();
}

/// (C7)
static LogicalResult verifyBounds(Operation *op, DenseF32ArrayAttr bounds) {
  if (!bounds || (bounds.size() == 2 && bounds[0] <= 0 && bounds[1] >= 0))
    return success();
  return op->emitOpError("expects two bounds, one not above and one not below 0, but got ") << bounds;
}

/// `perElement` operations for every element of the parameters.
static AffineExpr updateFlops(OptimizerOpInterface op, int64_t perElement) {
  return getAffineConstantExpr(perElement * parameterElements(op, op.getParams()), op->getContext());
}

/// Parameters and what is remembered are read and written, gradients read, and written where they are cleared: f32.
static AffineExpr updateBytes(OptimizerOpInterface op, bool clears) {
  const int64_t numbers = 2 + 2 * op.getMoments() + (clears ? 2 : 1);
  return getAffineConstantExpr(4 * numbers * parameterElements(op, op.getParams()), op->getContext());
}

LogicalResult AdamOp::verify() {
  // (C4)
  if (failed(verifyShare(*this, "beta1", getBeta1())) || failed(verifyShare(*this, "beta2", getBeta2())))
    return failure();
  // (C5), (C6)
  if (failed(verifyEpsilon(*this, getEpsilon())))
    return failure();
  if (failed(verifyNotNegative(*this, "weight_decay", getWeightDecay())))
    return failure();
  return verifyBounds(*this, getBoundsAttr());
}

LogicalResult AdagradOp::verify() {
  // (C4), (C5), (C6)
  if (failed(verifyNotNegative(*this, "clip", getClip())) || failed(verifyEpsilon(*this, getEpsilon())))
    return failure();
  if (failed(verifyNotNegative(*this, "weight_decay", getWeightDecay())))
    return failure();
  return verifyBounds(*this, getBoundsAttr());
}

LogicalResult NagOp::verify() {
  // (C4), (C5)
  if (failed(verifyShare(*this, "momentum", getMomentum())))
    return failure();
  if (failed(verifyNotNegative(*this, "weight_decay", getWeightDecay())))
    return failure();
  return verifyBounds(*this, getBoundsAttr());
}

LogicalResult SgdOp::verify() {
  // (C4), (C5)
  if (failed(verifyShare(*this, "momentum", getMomentum())))
    return failure();
  if (failed(verifyNotNegative(*this, "weight_decay", getWeightDecay())))
    return failure();
  return verifyBounds(*this, getBoundsAttr());
}

LogicalResult AdamOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyParams(*this, getParams(), tables);
}
LogicalResult AdagradOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyParams(*this, getParams(), tables);
}
LogicalResult NagOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyParams(*this, getParams(), tables);
}
LogicalResult SgdOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyParams(*this, getParams(), tables);
}

int64_t AdamOp::getMoments() { return 2; }
int64_t AdagradOp::getMoments() { return 1; }
int64_t NagOp::getMoments() { return 1; }
int64_t SgdOp::getMoments() { return 1; }

// The norm of a parameter has all of its elements.
bool AdagradOp::isElementwise() { return getClip().isZero(); }

// Scaled gradient 1, moments 3 and 4, decay 2, root, sum, quotient, step 2.
AffineExpr AdamOp::getFlops(const SymbolicDims &) { return updateFlops(*this, 15); }
// Gradient with decay 3, twice with its square 2 where there is a norm, sum of squares 2, root, sum, quotient, step 2.
AffineExpr AdagradOp::getFlops(const SymbolicDims &) { return updateFlops(*this, isElementwise() ? 10 : 15); }
// Scaled gradient 1, decay 2, step 4, velocity 2.
AffineExpr NagOp::getFlops(const SymbolicDims &) { return updateFlops(*this, 9); }
// Gradient with decay 3, velocity 2, step 2.
AffineExpr SgdOp::getFlops(const SymbolicDims &) { return updateFlops(*this, 7); }

AffineExpr AdamOp::getBytes(const SymbolicDims &) { return updateBytes(*this, getClearGradients()); }
AffineExpr AdagradOp::getBytes(const SymbolicDims &) { return updateBytes(*this, getClearGradients()); }
AffineExpr NagOp::getBytes(const SymbolicDims &) { return updateBytes(*this, getClearGradients()); }
AffineExpr SgdOp::getBytes(const SymbolicDims &) { return updateBytes(*this, getClearGradients()); }

} // namespace bifocal
