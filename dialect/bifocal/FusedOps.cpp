// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult MapOp::verify() { return success(); }
AffineExpr MapOp::getFlops(const SymbolicDims &dims) { return getAffineConstantExpr(0, getContext()); }
void MapOp::inferSymbolicDims(ArrayRef<Dims> operands, SmallVectorImpl<Dims> &results) {
  for (Type type : getOperation()->getResultTypes())
    results.push_back(dimsOfType(type, operands[0]));
}
ParseResult MapOp::parse(OpAsmParser &, OperationState &) { return failure(); }
void MapOp::print(OpAsmPrinter &) {}

} // namespace bifocal
