// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_SHAPERULES_H
#define BIFOCAL_DIALECT_BIFOCAL_SHAPERULES_H

// What the verifiers and the shape inference of several op families share. A dynamic size agrees with any size.

#include "dialect/bifocal/SymbolicDims.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/SymbolTable.h"

namespace bifocal {

/// The sizes of a value of ranked tensor type.
llvm::ArrayRef<int64_t> shapeOf(mlir::Value value);

/// The size of the last axis.
int64_t channelsOf(mlir::Value value);

/// The shape of `value` without its last axis.
llvm::ArrayRef<int64_t> rowsOf(mlir::Value value);

/// `rows` followed by one more axis of `channels`.
llvm::SmallVector<int64_t> withChannels(llvm::ArrayRef<int64_t> rows, int64_t channels);

/// "8x?x512"; "a scalar" for rank 0.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// Whether both sizes are known and differ.
bool sizesDiffer(int64_t lhs, int64_t rhs);

/// Emits `expects 'name' of shape E (why), but got G` unless the shapes agree.
llvm::LogicalResult verifyShape(mlir::Operation *op, llvm::StringRef name, mlir::Value value,
                                llvm::ArrayRef<int64_t> expected, llvm::StringRef why);

/// Emits an error unless `heads` >= 1 divides the channels of `value`.
llvm::LogicalResult verifyHeads(mlir::Operation *op, int64_t heads, llvm::StringRef name, mlir::Value value);

/// Emits an error unless 0 <= `rate` < 1, and unless there is an `rng` wherever `rate` > 0.
llvm::LogicalResult verifyDropRate(mlir::Operation *op, llvm::APFloat rate, mlir::Value rng);

/// The shape of the `state` or `param` named `symbol`; emits an error when there is none or `elementType` differs.
template <typename SymbolOp>
mlir::FailureOr<mlir::RankedTensorType> lookUpTensor(mlir::Operation *op, mlir::FlatSymbolRefAttr symbol,
                                                     mlir::SymbolTableCollection &tables) {
  auto target = tables.lookupNearestSymbolFrom<SymbolOp>(op, symbol);
  if (!target)
    return op->emitOpError("expects the name of a '")
           << SymbolOp::getOperationName() << "', but there is none named '" << symbol.getValue() << "'";
  return llvm::cast<mlir::RankedTensorType>(target.getType());
}

/// Emits an error unless the state `symbol` has this shape and element type.
llvm::LogicalResult verifyState(mlir::Operation *op, llvm::StringRef name, mlir::FlatSymbolRefAttr symbol,
                                llvm::ArrayRef<int64_t> expected, mlir::Type element, llvm::StringRef why,
                                mlir::SymbolTableCollection &tables);

/// An op that drops nothing does not read `rng`.
template <typename DroppingOp> struct DropUnusedRng : mlir::OpRewritePattern<DroppingOp> {
  using mlir::OpRewritePattern<DroppingOp>::OpRewritePattern;

  llvm::LogicalResult matchAndRewrite(DroppingOp op, mlir::PatternRewriter &rewriter) const override {
    if (!op.getRng() || !op.getDropRate().isZero())
      return rewriter.notifyMatchFailure(op, "there is no rng, or it is read");
    rewriter.modifyOpInPlace(op, [&] { op.getRngMutable().clear(); });
    return mlir::success();
  }
};

/// Adds the dims of result number `index` of `op`, whose dynamic axes are those of `dynamic`.
void inferLike(mlir::Operation *op, unsigned index, llvm::ArrayRef<mlir::AffineExpr> dynamic,
               llvm::SmallVectorImpl<Dims> &results);

} // namespace bifocal
#endif
