// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/ShapeRules.h"

#include "dialect/bifocal/BifocalOps.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace bifocal {

ArrayRef<int64_t> shapeOf(Value value) { return cast<ShapedType>(value.getType()).getShape(); }

int64_t channelsOf(Value value) { return shapeOf(value).back(); }

ArrayRef<int64_t> rowsOf(Value value) { return shapeOf(value).drop_back(); }

SmallVector<int64_t> withChannels(ArrayRef<int64_t> rows, int64_t channels) {
  SmallVector<int64_t> shape(rows);
  shape.push_back(channels);
  return shape;
}

std::string shapeText(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "a scalar";
  std::string text;
  for (int64_t size : shape) {
    if (!text.empty())
      text += 'x';
    text += ShapedType::isDynamic(size) ? "?" : std::to_string(size);
  }
  return text;
}

bool sizesDiffer(int64_t lhs, int64_t rhs) {
  return !ShapedType::isDynamic(lhs) && !ShapedType::isDynamic(rhs) && lhs != rhs;
}

static bool shapesAgree(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs) {
  if (lhs.size() != rhs.size())
    return false;
  for (auto [left, right] : llvm::zip_equal(lhs, rhs))
    if (sizesDiffer(left, right))
      return false;
  return true;
}

LogicalResult verifyShape(Operation *op, StringRef name, Value value, ArrayRef<int64_t> expected, StringRef why) {
  if (shapesAgree(shapeOf(value), expected))
    return success();
  return op->emitOpError("expects '") << name << "' of shape " << shapeText(expected) << " (" << why << "), but got "
                                      << shapeText(shapeOf(value));
}

LogicalResult verifyHeads(Operation *op, int64_t heads, StringRef name, Value value) {
  if (heads < 1)
    return op->emitOpError("expects heads >= 1, but got ") << heads;
  int64_t channels = channelsOf(value);
  if (ShapedType::isDynamic(channels))
    return op->emitOpError("expects a static number of channels of '") << name << "', but got ?";
  if (channels % heads != 0)
    return op->emitOpError("expects heads that divide the channels of '")
           << name << "', but got " << heads << " heads and " << channels << " channels";
  return success();
}

LogicalResult verifyDropRate(Operation *op, llvm::APFloat rate, Value rng) {
  float value = rate.convertToFloat();
  // The negation catches NaN.
  if (!(value >= 0.0f && value < 1.0f))
    return op->emitOpError("expects a drop rate in [0, 1), but got ") << value;
  if (value > 0.0f && !rng)
    return op->emitOpError("expects 'rng' where the drop rate is above 0, but got a rate of ")
           << value << " and no 'rng'";
  return success();
}

LogicalResult verifyState(Operation *op, StringRef name, FlatSymbolRefAttr symbol, ArrayRef<int64_t> expected,
                          Type element, StringRef why, SymbolTableCollection &tables) {
  FailureOr<RankedTensorType> type = lookUpTensor<StateOp>(op, symbol, tables);
  if (failed(type))
    return failure();
  if (!shapesAgree(type->getShape(), expected))
    return op->emitOpError("expects '") << name << "' to name a state of shape " << shapeText(expected) << " (" << why
                                        << "), but '" << symbol.getValue() << "' has " << shapeText(type->getShape());
  if (type->getElementType() != element)
    return op->emitOpError("expects '") << name << "' to name a state of " << element << ", but '" << symbol.getValue()
                                        << "' holds " << type->getElementType();
  return success();
}

void inferLike(Operation *op, unsigned index, ArrayRef<AffineExpr> dynamic, SmallVectorImpl<Dims> &results) {
  results.push_back(dimsOfType(op->getResult(index).getType(), dynamic));
}

} // namespace bifocal
