// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

void SiluOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// A sigmoid is four operations, the product one.
AffineExpr SiluOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 5; }

bool SiluOp::isRowReduction() { return false; }

LogicalResult SiluOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                    SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(1, Value());
  if (resultGrads[0])
    operandGrads[0] = builder.create<SiluGradOp>(getLoc(), getInput().getType(), resultGrads[0], getInput());
  return success();
}

void SiluGradOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

// The sigmoid s (4), 1 + x (1 - s) (3), two products.
AffineExpr SiluGradOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()) * 9; }

bool SiluGradOp::isRowReduction() { return false; }

void MulOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  inferLike(*this, 0, operands[0], results);
}

AffineExpr MulOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.results[0], getContext()); }

bool MulOp::isRowReduction() { return false; }

LogicalResult MulOp::buildGradient(OpBuilder &builder, ArrayRef<Value> resultGrads,
                                   SmallVectorImpl<Value> &operandGrads) {
  operandGrads.assign(2, Value());
  if (!resultGrads[0])
    return success();
  operandGrads[0] = builder.create<MulOp>(getLoc(), resultGrads[0], getRhs());
  operandGrads[1] = builder.create<MulOp>(getLoc(), resultGrads[0], getLhs());
  return success();
}

} // namespace bifocal
