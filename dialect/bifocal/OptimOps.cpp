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

LogicalResult AdamOp::verify() {
  // (C4)
  for (auto [name, beta] : {std::pair("beta1", getBeta1()), std::pair("beta2", getBeta2())}) {
    float value = beta.convertToFloat();
    if (!(value >= 0.0f && value < 1.0f))
      return emitOpError("expects ") << name << " in [0, 1), but got " << value;
  }
  // (C5)
  float epsilon = getEpsilon().convertToFloat(), decay = getWeightDecay().convertToFloat();
  if (!(epsilon > 0.0f))
    return emitOpError("expects epsilon > 0, but got ") << epsilon;
  // (C6)
  if (!(decay >= 0.0f))
    return emitOpError("expects weight_decay >= 0, but got ") << decay;
  return success();
}

LogicalResult AdamOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyParams(*this, getParams(), tables);
}

// Scaled gradient 1, moments 3 and 4, decay 2, root, sum, quotient, step 2.
AffineExpr AdamOp::getFlops(const SymbolicDims &) {
  return getAffineConstantExpr(15 * parameterElements(*this, getParams()), getContext());
}

// Parameters and both moments are read and written, gradients read, and written where they are cleared; all in f32.
AffineExpr AdamOp::getBytes(const SymbolicDims &) {
  return getAffineConstantExpr((getClearGradients() ? 32 : 28) * parameterElements(*this, getParams()), getContext());
}

} // namespace bifocal
