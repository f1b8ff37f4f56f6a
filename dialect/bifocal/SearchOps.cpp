// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

LogicalResult TopKOp::verify() {
  const int64_t width = channelsOf(getInput());
  const auto k = static_cast<int64_t>(getK());
  // (C1)
  constexpr int64_t widest = 1 << 24;
  if (ShapedType::isDynamic(width) || width > widest)
    return emitOpError("expects a last axis of a fixed size of at most ")
           << widest << ", but got " << shapeText(shapeOf(getInput()));
  // (C2)
  if (k < 1 || k > width)
    return emitOpError("expects k from 1 to ") << width << ", the elements of a row, but got " << k;
  // (C3)
  const SmallVector<int64_t> shape = withChannels(rowsOf(getInput()), k);
  if (failed(verifyShape(*this, "values", getValues(), shape, "the rows of 'input' and k columns")) ||
      failed(verifyShape(*this, "indices", getIndices(), shape, "the rows of 'input' and k columns")))
    return failure();
  if (getElementTypeOrSelf(getValues().getType()) != getElementTypeOrSelf(getInput().getType()))
    return emitOpError("expects 'values' to have the elements of 'input', ")
           << getElementTypeOrSelf(getInput().getType()) << ", but got " << getElementTypeOrSelf(getValues().getType());
  return success();
}

void TopKOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  Dims dims(operands[0].begin(), std::prev(operands[0].end()));
  dims.push_back(getAffineConstantExpr(static_cast<int64_t>(getK()), getContext()));
  for (unsigned result : {0u, 1u})
    inferLike(*this, result, dims, results);
}

// Every element is compared once; what the rounds read again is little beside that.
AffineExpr TopKOp::getFlops(const SymbolicDims &dims) { return elementCount(dims.operands[0], getContext()); }

} // namespace bifocal
