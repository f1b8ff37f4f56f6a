// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

LogicalResult RotaryOp::verify() {
  // (C1)
  if (failed(verifyHeads(*this, getHeads(), "input", getInput())))
    return failure();
  // (C2)
  ArrayRef<int64_t> table = shapeOf(getCos());
  if (!cast<ShapedType>(getCos().getType()).hasStaticShape())
    return emitOpError("expects a static shape of 'cos', but got ") << shapeText(table);
  if (failed(verifyShape(*this, "sin", getSin(), table, "the shape of 'cos'")))
    return failure();
  // (C3)
  int64_t width = channelsOf(getInput()) / static_cast<int64_t>(getHeads());
  if (table[1] < 1 || 2 * table[1] > width)
    return emitOpError("expects one pair or more, at most half as many as a head has channels, but got ")
           << table[1] << " pairs and " << width << " channels";
  // (C4)
  int64_t rank = cast<ShapedType>(getInput().getType()).getRank();
  if (rank != 2 && rank != 3)
    return emitOpError("expects 'input' with two or three axes, but got ") << rank;
  return success();
}

void RotaryOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// Two products and a sum for each channel.
AffineExpr RotaryOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 3; }

LogicalResult RotaryOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                      SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(getNumOperands(), Value());
  if (resultGrads[0])
    operandGrads[0] = builder.create<RotaryOp>(getLoc(), getInput().getType(), resultGrads[0], getCos(), getSin(),
                                               getStep(), !getInverse(), getHeads(), getLayout());
  return success();
}

} // namespace bifocal
