// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_TILEBUILDER_H
#define BIFOCAL_CODEGEN_CUDA_TILEBUILDER_H

#include "codegen/common/KernelBuilder.h"

#include <array>

namespace bifocal {

/// A matrix in memory whose rows are `stride` elements apart.
struct Matrix {
  Array array;
  mlir::Value stride;
};

/// The part of a matrix that is there: rows [low, high), the first `columns` columns.
struct MatrixBounds {
  mlir::Value low, high, columns;
};

/// Writes the ops of dialect/tile: tiles are vectors, row behind row, of elements as they lie in memory.
class TileBuilder {
public:
  using Value = mlir::Value;

  explicit TileBuilder(KernelBuilder &kernel);

  /// A place of `rows` rows on the stack. Rows are padded so that eight neighbours are in different banks of shared
  /// memory, and begin at multiples of 16 bytes.
  Matrix stackMatrix(mlir::Type element, int64_t rows, int64_t columns);
  /// Its stride.
  static int64_t stackStride(mlir::Type element, int64_t columns);
  Matrix at(const Matrix &matrix, Value row, Value column);
  Matrix at(const Matrix &matrix, Value row, int64_t column = 0) { return at(matrix, row, kernel.index(column)); }

  /// `rows` x `width` elements. A thread's share begins at a multiple of `alignment` bytes.
  Value load(const Matrix &matrix, int64_t rows, int64_t width, int64_t alignment, const MatrixBounds &bounds = {});
  void store(Value tile, const Matrix &matrix, int64_t width, int64_t alignment, const MatrixBounds &bounds = {});
  /// Above left, below left, above right and below right of a 16 x 16 matrix on the stack; each `transposed` in itself.
  std::array<Value, 4> loadFour(const Matrix &matrix, bool transposed);

  /// A 16 x 8 matrix of sums: its upper and its lower tile.
  struct Sums {
    Value upper, lower;

    Value &side(int64_t number) { return number == 0 ? upper : lower; }
    Value side(int64_t number) const { return number == 0 ? upper : lower; }
  };
  Sums zeros();
  /// Sums as what a loop carries, and back.
  static KernelBuilder::Values flat(llvm::ArrayRef<Sums> sums);
  static llvm::SmallVector<Sums> sumsOf(mlir::ValueRange flat);
  /// `sums` and the product of the 16 x 16 matrix `a` and the 16 x 8 matrix of the transposed tiles b0 and b1.
  Sums multiply(const std::array<Value, 4> &a, Value b0, Value b1, const Sums &sums);

  /// The products of 16 rows of `left` with `groups` (an even number) times eight rows of `right`, over `columns`; both
  /// on the stack.
  llvm::SmallVector<Sums> products(const Matrix &left, const Matrix &right, int64_t groups, int64_t columns);
  /// The same added to sums, of eight rows of `right` each.
  void addProducts(const Matrix &left, const Matrix &right, int64_t columns, llvm::MutableArrayRef<Sums> sums);
  /// sums[column] += left x right: 16 rows of `left`, two tiles of eight columns each, as the sum of two factors of
  /// `element`; 16 rows of `right`, which lie on the stack.
  void addProduct(const Sums &left0, const Sums &left1, const Matrix &right, mlir::Type element,
                  llvm::MutableArrayRef<Sums> sums);

  /// What a number loses when it is rounded to `element`: the second of the two factors that it is in a product.
  Value rest(Value value, mlir::Type element) { return kernel.sub(value, kernel.rounded(value, element)); }

  /// Eight numbers of the stack as an 8 x 8 tile: one for each row, or one for each column.
  Value alongRows(const Array &numbers);
  Value alongColumns(const Array &numbers);

  /// The row's sum or maximum in every element of an 8 x 8 tile.
  Value rowSum(Value tile);
  Value rowMaximum(Value tile);
  /// The row and the column of every element of an 8 x 8 tile, as i32.
  Value rowNumbers() { return kernel.shiftRight(elements(), 3); }
  Value columnNumbers() { return kernel.bitAnd(elements(), kernel.constantInt(elements().getType(), 7)); }

  /// Begins to copy rows 0 to `rows` - 1 of `columns` elements of 16 bits onto the stack, where they are there behind
  /// the next `wait`. Rows outside of [low, high) and columns from `columns` to `width` become 0. `rows` and `width`
  /// are multiples of 16, `columns` one of 8.
  void copyRows(const Matrix &source, Value low, Value high, int64_t rows, int64_t columns, int64_t width,
                const Matrix &target);
  void wait();
  /// Copies rows of f32, which are there at once, as the sum of two factors: rounded to the elements of `target`, and
  /// what is lost. `rows` and `columns` are multiples of 16.
  void splitRows(const Matrix &source, Value low, Value high, int64_t rows, int64_t columns, const Matrix &target,
                 const Matrix &lost);
  /// Writes zeros to a matrix on the stack, of rows that are a multiple of 8 and columns that are one of 16.
  void clear(const Matrix &matrix, int64_t rows, int64_t columns);
  /// Writes 16 rows of the stack to memory, those below `high`.
  void writeRows(const Matrix &source, Value high, int64_t columns, const Matrix &target);

private:
  /// The numbers of the elements of an 8 x 8 tile as i32: row behind row.
  Value elements() { return kernel.lanes(kernel.i32(), 64); }
  llvm::SmallVector<Value> list(const MatrixBounds &bounds);

  KernelBuilder &kernel;
};

} // namespace bifocal
#endif
