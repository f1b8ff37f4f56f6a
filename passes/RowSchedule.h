// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ROWSCHEDULE_H
#define BIFOCAL_PASSES_ROWSCHEDULE_H

#include "dialect/bifocal/BifocalOps.h"

namespace bifocal {

/// Sums over rows are taken in shares of so many neighbouring rows, whatever the number of threads: enough shares for
/// all warps of a GPU, and few enough that adding them up costs little.
constexpr int64_t rowsPerShare = 16;
/// The number of shares of scalar sums over rows (losses) and over elements (norms).
constexpr int64_t lossShares = 256, normShares = 1024;
/// Elements of one tile of an element-wise kernel (optimizer, accumulation).
constexpr int64_t elementsPerTile = 65536;
/// Elements of one share of the norm of a parameter.
constexpr int64_t elementsPerShare = 8192;
/// Ids of one tile of a kernel that makes ids of ids.
constexpr int64_t idsPerTile = 4096;
/// Channels of one tile of an embedding gradient.
constexpr int64_t embeddingSlice = 64;

/// What a row kernel runs over: a map, or one row-wise op by itself.
struct RowShape {
  /// Number of rows, over the launch's sizes.
  mlir::AffineExpr rows;
  /// Width of the narrowest row; every other row is a multiple of it.
  int64_t width = 0;
  /// A row is a group of neighbours of the last axis, on its own: there are several in each.
  bool isGroup = false;
  /// The sums over rows that leave the kernel (values of the map's body, or results of the op), in order.
  llvm::SmallVector<mlir::Value> columnSums;
};

/// The ops that run on each row: those of the map's body, or `op` itself.
llvm::SmallVector<mlir::Operation *> rowOps(mlir::Operation *op);
/// The values that leave the kernel, in the order of the results of `op`.
llvm::SmallVector<mlir::Value> rowOutputs(mlir::Operation *op);
/// Empty when `op` is no row kernel.
std::optional<RowShape> describeRows(mlir::Operation *op);

/// Operands of row ops that are not rows of the iteration space: vectors, tables, ids, masks, statistics, generators.
bool isSideOperand(mlir::Operation *op, unsigned index);
/// Whether `op` is a row kernel that reads operand `index` element by element of its own row: rows need not be adjacent
/// then. The same for what it writes.
bool readsByRows(mlir::Operation *op, unsigned index);
bool writesByRows(mlir::OpResult result);

/// Whether `value` is a sum over all rows.
bool isColumnSum(mlir::Value value);
/// The static size of the last axis; 1 for a scalar.
int64_t lastAxis(mlir::Value value);
/// Rows of one tile for rows of `width` elements.
int64_t rowsPerTile(int64_t width);

} // namespace bifocal
#endif
