// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/tile/TileOps.h"

#include "mlir/Dialect/LLVMIR/LLVMTypes.h"

using namespace mlir;
using namespace bifocal::tile;

#include "dialect/tile/TileDialect.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/tile/TileOps.cpp.inc"

void TileDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/tile/TileOps.cpp.inc"
      >();
}

template <typename Op> static LogicalResult verifyAccess(Op op) {
  constexpr int64_t warp = 32;
  auto type = cast<VectorType>(op.getRows().getType());
  const int64_t lanes = type.getNumElements(), width = static_cast<int64_t>(op.getWidth());
  // (C1)
  if (width < 1 || lanes % warp != 0 || lanes % width != 0 || width % (lanes / warp) != 0)
    return op.emitOpError("expects whole warps of 32 lanes, in whole rows of whole threads, but got ")
           << lanes << " lanes in rows of " << width;
  // (C2)
  if (size_t bounds = op.getBounds().size(); bounds != 0 && bounds != 3)
    return op.emitOpError("expects no bounds, or the first row, the end of the rows and the columns, but got ")
           << bounds << " bounds";
  // (C3)
  const int64_t bytes = type.getElementTypeBitWidth() / 8, alignment = static_cast<int64_t>(op.getAlignment());
  if (alignment < bytes || !llvm::isPowerOf2_64(alignment))
    return op.emitOpError("expects an alignment that is a power of two of at least ")
           << bytes << ", but got " << alignment;
  return success();
}

LogicalResult LoadOp::verify() { return verifyAccess(*this); }
LogicalResult StoreOp::verify() { return verifyAccess(*this); }

LogicalResult CopyOp::verify() {
  const auto rows = static_cast<int64_t>(getRows()), width = static_cast<int64_t>(getWidth());
  // (C1)
  if (rows < 1 || width < 1 || rows % 16 != 0 || width % 16 != 0)
    return emitOpError("expects rows and a width that are multiples of 16, but got ") << rows << " rows of " << width;
  // (C2)
  const auto columns = static_cast<int64_t>(getColumns());
  if (columns < 1 || columns > width || columns % 8 != 0)
    return emitOpError("expects columns that are a multiple of 8 and at most ") << width << ", but got " << columns;
  return success();
}
