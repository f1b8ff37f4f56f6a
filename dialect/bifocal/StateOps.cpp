// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

LogicalResult ParamOp::verify() {
  // (C1)
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("expects a static shape, but got ") << shapeText(type.getShape());
  // (C2)
  auto kind = getInit().getAs<StringAttr>("kind");
  if (!kind)
    return emitOpError("expects 'init' to have a string 'kind', but got ") << getInit();
  static constexpr StringLiteral kinds[] = {"zeros",      "ones",      "xavier_uniform", "normal",
                                            "uniform",    "constant",  "sinusoidal",     "sinusoidal_distance",
                                            "rotary_cos", "rotary_sin"};
  if (!llvm::is_contained(kinds, kind.getValue()))
    return emitOpError("expects an initialiser zeros, ones, xavier_uniform, normal, uniform, constant, sinusoidal, "
                       "sinusoidal_distance, rotary_cos or rotary_sin, but got '")
           << kind.getValue() << "'";
  // (C3)
  if (getTransient() && !getFrozen())
    return emitOpError("expects 'frozen' beside 'transient': what is not stored cannot be trained");
  // (C4)
  DenseF32ArrayAttr bounds = getBoundsAttr();
  if (bounds && getFrozen())
    return emitOpError("expects no 'bounds' beside 'frozen': they bound what updates do");
  if (bounds && (bounds.size() != 2 || bounds[0] > 0 || bounds[1] < 0))
    return emitOpError("expects two 'bounds', one not above and one not below 0, but got ") << bounds;
  return success();
}

LogicalResult ParamRefOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C1)
  FailureOr<RankedTensorType> type = lookUpTensor<ParamOp>(*this, getParamAttr(), tables);
  if (failed(type))
    return failure();
  // (C2)
  if (*type != getValue().getType())
    return emitOpError("expects the parameter's type ") << *type << ", but got " << getValue().getType();
  return success();
}

void ParamRefOp::inferSymbolicDims(ArrayRef<Dims>, SmallVectorImpl<Dims> &results) { inferLike(*this, 0, {}, results); }

AffineExpr ParamRefOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

LogicalResult StateOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  // (C1)
  if (static_cast<int64_t>(getDims().size()) != type.getRank())
    return emitOpError("expects one entry of 'dims' per axis, but got ")
           << getDims().size() << " entries and " << type.getRank() << " axes";
  // (C2)
  for (auto [axis, name, size] : llvm::enumerate(getDims().getAsRange<StringAttr>(), type.getShape()))
    if (name.getValue().empty() == ShapedType::isDynamic(size))
      return emitOpError("expects a name in 'dims' exactly where an axis is dynamic, but axis ")
             << axis << " has size " << shapeText({size}) << " and the name '" << name.getValue() << "'";
  return success();
}

LogicalResult StateWriteOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C1), (C2)
  auto type = cast<RankedTensorType>(getValue().getType());
  return verifyState(*this, "state", getStateAttr(), type.getShape(), type.getElementType(), "the shape of 'value'",
                     tables);
}

AffineExpr StateWriteOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

LogicalResult StateReadOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C1)
  FailureOr<RankedTensorType> type = lookUpTensor<StateOp>(*this, getStateAttr(), tables);
  if (failed(type))
    return failure();
  // (C2)
  if (*type != getValue().getType())
    return emitOpError("expects the state's type ") << *type << ", but got " << getValue().getType();
  // (C3)
  for (Operation &op : *(*this)->getBlock()) {
    auto namesState = [&](NamedAttribute attribute) { return attribute.getValue() == getStateAttr(); };
    if (!isa<StateReadOp>(op) && llvm::any_of(op.getAttrs(), namesState))
      return emitOpError("expects that nothing else in the function names '")
             << getState() << "', but '" << op.getName() << "' does";
  }
  return success();
}

AffineExpr StateReadOp::getFlops(const SymbolicDims &) { return getAffineConstantExpr(0, getContext()); }

//===- states that decoding steps name -===//

LogicalResult LightConvStepOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C6)
  auto type = cast<RankedTensorType>(getInput().getType());
  return verifyState(*this, "cache", getCacheAttr(),
                     {channelsOf(getTaps()), ShapedType::kDynamic, channelsOf(getInput())}, type.getElementType(),
                     "kernel size, rows, channels", tables);
}

LogicalResult DynamicConvStepOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C7)
  int64_t heads = getHeads();
  auto type = cast<RankedTensorType>(getInput().getType());
  return verifyState(*this, "cache", getCacheAttr(),
                     {channelsOf(getTaps()) / heads, ShapedType::kDynamic, channelsOf(getInput())},
                     type.getElementType(), "kernel size, rows, channels", tables);
}

LogicalResult CrossAttentionStepOp::verifySymbolUses(SymbolTableCollection &tables) {
  // (C4)
  auto type = cast<RankedTensorType>(getQuery().getType());
  int64_t shape[] = {ShapedType::kDynamic, ShapedType::kDynamic, channelsOf(getQuery())};
  for (auto [name, state] : {std::pair("keys", getKeysAttr()), std::pair("values", getValuesAttr())})
    if (failed(
            verifyState(*this, name, state, shape, type.getElementType(), "sentences, source steps, channels", tables)))
      return failure();
  return verifyState(*this, "mask", getMaskAttr(), {ShapedType::kDynamic, ShapedType::kDynamic},
                     IntegerType::get(getContext(), 1), "sentences, source steps", tables);
}

} // namespace bifocal
