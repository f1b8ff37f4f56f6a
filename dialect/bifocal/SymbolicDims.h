// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_SYMBOLICDIMS_H
#define BIFOCAL_DIALECT_BIFOCAL_SYMBOLICDIMS_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Types.h"
#include "llvm/ADT/SmallVector.h"

namespace bifocal {

/// The dims of one tensor; a constant expression where the type is static.
using Dims = llvm::SmallVector<mlir::AffineExpr, 4>;

/// The dims of all operands and results of one op, in order, and of the states that it names, in attribute order.
struct SymbolicDims {
  llvm::SmallVector<Dims> operands;
  llvm::SmallVector<Dims> results;
  llvm::SmallVector<Dims> states;
};

/// The product of `dims`, optionally without the last one (the number of rows).
mlir::AffineExpr elementCount(const Dims &dims, mlir::MLIRContext *context);
mlir::AffineExpr rowCount(const Dims &dims, mlir::MLIRContext *context);

/// The dims of a tensor of `type`: a constant where an axis is static, else the expression of that axis in `dynamic`.
Dims dimsOfType(mlir::Type type, llvm::ArrayRef<mlir::AffineExpr> dynamic);

/// Bytes of one element in memory; booleans take a byte each.
int64_t elementBytes(mlir::Type type);

/// The bytes of all operands and results of `op`.
mlir::AffineExpr compulsoryBytes(mlir::Operation *op, const SymbolicDims &dims);

} // namespace bifocal
#endif
