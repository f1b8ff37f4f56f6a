// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_NAMEDDIMS_H
#define BIFOCAL_PASSES_NAMEDDIMS_H

#include "dialect/bifocal/BifocalOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace bifocal {

/// The dims of every value of a function, as expressions over the names in `bifocal.dims` of its arguments and of the
/// states that its ops touch. Symbol i stands for the i-th name, in the order of the arguments, then of the states.
class NamedDims {
public:
  explicit NamedDims(mlir::func::FuncOp function) : function(function), context(function.getContext()) {}

  /// Expects a name for every dynamic axis of the arguments; an op whose dims cannot be told is reported where it
  /// stands.
  llvm::LogicalResult infer();

  const Dims &of(mlir::Value value) const { return dims.find(value)->second; }
  /// The dims of a tensor whose axes have these names. A name that is new becomes a symbol.
  Dims named(mlir::Type type, mlir::ArrayAttr names);
  /// Per axis, the name that `dims` has for it, "" where it is static; null when an axis is neither.
  mlir::ArrayAttr namesOf(const Dims &dims) const;
  llvm::ArrayRef<std::string> names() const { return symbols; }

private:
  mlir::AffineExpr symbol(llvm::StringRef name);

  mlir::func::FuncOp function;
  mlir::MLIRContext *context;
  llvm::SmallVector<std::string> symbols;
  llvm::DenseMap<mlir::Value, Dims> dims;
};

} // namespace bifocal
#endif
