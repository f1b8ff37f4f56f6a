// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/TileBuilder.h"

#include "dialect/tile/TileOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace bifocal {

TileBuilder::TileBuilder(KernelBuilder &kernel) : kernel(kernel) {
  kernel.raw().getContext()->loadDialect<tile::TileDialect>();
}

int64_t TileBuilder::stackStride(Type element, int64_t columns) {
  // An odd number of pieces of 16 bytes: eight rows begin in eight different groups of four banks.
  const int64_t piece = 128 / element.getIntOrFloatBitWidth();
  return piece * (llvm::divideCeil(columns, piece) | 1);
}

Matrix TileBuilder::stackMatrix(Type element, int64_t rows, int64_t columns) {
  const int64_t stride = stackStride(element, columns);
  return {kernel.stackArray(element, rows * stride), kernel.index(stride)};
}

Matrix TileBuilder::at(const Matrix &matrix, Value row, Value column) {
  return {kernel.from(matrix.array, kernel.add(kernel.mul(row, matrix.stride), column)), matrix.stride};
}

SmallVector<Value> TileBuilder::list(const MatrixBounds &bounds) {
  return bounds.low ? SmallVector<Value>{bounds.low, bounds.high, bounds.columns} : SmallVector<Value>();
}

Value TileBuilder::load(const Matrix &matrix, int64_t rows, int64_t width, int64_t alignment,
                        const MatrixBounds &bounds) {
  Type type = kernel.vectorOf(kernel.storedType(matrix.array.element), rows * width);
  return kernel.raw().create<tile::LoadOp>(kernel.location(), type, matrix.array.base, matrix.stride, list(bounds),
                                           width, alignment);
}

void TileBuilder::store(Value tile, const Matrix &matrix, int64_t width, int64_t alignment,
                        const MatrixBounds &bounds) {
  kernel.raw().create<tile::StoreOp>(kernel.location(), tile, matrix.array.base, matrix.stride, list(bounds), width,
                                     alignment);
}

std::array<Value, 4> TileBuilder::loadFour(const Matrix &matrix, bool transposed) {
  Type type = kernel.vectorOf(kernel.storedType(matrix.array.element), 64);
  auto four = kernel.raw().create<tile::LoadFourOp>(kernel.location(), TypeRange{type, type, type, type},
                                                    matrix.array.base, matrix.stride, transposed);
  return {four.getTopLeft(), four.getBottomLeft(), four.getTopRight(), four.getBottomRight()};
}

TileBuilder::Sums TileBuilder::zeros() {
  Value zero = kernel.constant(kernel.vectorOf(kernel.f32(), 64), 0.0);
  return {zero, zero};
}

KernelBuilder::Values TileBuilder::flat(ArrayRef<Sums> sums) {
  KernelBuilder::Values values;
  for (const Sums &tile : sums)
    values.append({tile.upper, tile.lower});
  return values;
}

SmallVector<TileBuilder::Sums> TileBuilder::sumsOf(ValueRange flat) {
  SmallVector<Sums> sums;
  for (size_t i = 0; i < flat.size(); i += 2)
    sums.push_back({flat[i], flat[i + 1]});
  return sums;
}

TileBuilder::Sums TileBuilder::multiply(const std::array<Value, 4> &a, Value b0, Value b1, const Sums &sums) {
  auto product =
      kernel.raw().create<tile::MultiplyOp>(kernel.location(), a[0], a[1], a[2], a[3], b0, b1, sums.upper, sums.lower);
  return {product.getD0(), product.getD1()};
}

SmallVector<TileBuilder::Sums> TileBuilder::products(const Matrix &left, const Matrix &right, int64_t groups,
                                                     int64_t columns) {
  SmallVector<Sums> result(groups, zeros());
  addProducts(left, right, columns, result);
  return result;
}

void TileBuilder::addProducts(const Matrix &left, const Matrix &right, int64_t columns, MutableArrayRef<Sums> sums) {
  for (int64_t channel = 0; channel < columns; channel += 16) {
    auto a = loadFour(at(left, kernel.index(0), channel), /*transposed=*/false);
    for (size_t pair = 0; pair < sums.size(); pair += 2) {
      auto b = loadFour(at(right, kernel.index(static_cast<int64_t>(8 * pair)), channel), /*transposed=*/false);
      for (size_t half = 0; half < 2; ++half)
        sums[pair + half] = multiply(a, b[half], b[half + 2], sums[pair + half]);
    }
  }
}

void TileBuilder::addProduct(const Sums &left0, const Sums &left1, const Matrix &right, Type element,
                             MutableArrayRef<Sums> sums) {
  auto rounded = [&](Value tile) { return kernel.round(tile, element); };
  auto lost = [&](Value tile) { return rounded(rest(tile, element)); };
  auto factor = [&](auto part) {
    return std::array<Value, 4>{part(left0.upper), part(left0.lower), part(left1.upper), part(left1.lower)};
  };
  const std::array<std::array<Value, 4>, 2> parts{factor(rounded), factor(lost)};
  const auto columns = static_cast<int64_t>(8 * sums.size());
  for (int64_t channel = 0; channel < columns; channel += 16) {
    auto b = loadFour(at(right, kernel.index(0), channel), /*transposed=*/true);
    for (int64_t half = 0; half < 2; ++half)
      for (const std::array<Value, 4> &part : parts) {
        Sums &target = sums[static_cast<size_t>(channel / 8 + half)];
        target = multiply(part, b[2 * half], b[2 * half + 1], target);
      }
  }
}

Value TileBuilder::rowSum(Value tile) { return kernel.raw().create<tile::RowSumOp>(kernel.location(), tile); }
Value TileBuilder::rowMaximum(Value tile) { return kernel.raw().create<tile::RowMaximumOp>(kernel.location(), tile); }

Value TileBuilder::alongRows(const Array &numbers) {
  // Of a row where each column has its number, the one on the diagonal.
  Value columns = alongColumns(numbers), zero = kernel.constant(columns.getType(), 0.0);
  Value isOwn = kernel.equal(columnNumbers(), rowNumbers());
  return rowSum(kernel.select(isOwn, columns, zero));
}

Value TileBuilder::alongColumns(const Array &numbers) { return load({numbers, kernel.index(0)}, 8, 8, 8); }

/// What a warp reads or writes at once: eight elements to a thread.
static constexpr int64_t elementsAtOnce = 256, pieceBytes = 16;

/// Calls `body(column, width)` for parts of rows that are 32 or 16 elements wide.
static void forParts(int64_t width, llvm::function_ref<void(int64_t column, int64_t part)> body) {
  for (int64_t column = 0; column < width;) {
    const int64_t part = width - column >= 32 ? 32 : 16;
    body(column, part);
    column += part;
  }
}

void TileBuilder::copyRows(const Matrix &source, Value low, Value high, int64_t rows, int64_t columns, int64_t width,
                           const Matrix &target) {
  kernel.raw().create<tile::CopyOp>(kernel.location(), source.array.base, source.stride, target.array.base,
                                    target.stride, low, high, rows, columns, width);
}

void TileBuilder::wait() { kernel.raw().create<tile::WaitOp>(kernel.location()); }

void TileBuilder::splitRows(const Matrix &source, Value low, Value high, int64_t rows, int64_t columns,
                            const Matrix &target, const Matrix &lost) {
  constexpr int64_t atOnce = 128, underWay = 4; // numbers, four to a thread, and loads at the same time
  Type element = target.array.element;
  forParts(columns, [&](int64_t column, int64_t part) {
    const int64_t height = atOnce / part;
    for (int64_t begin = 0; begin < rows; begin += underWay * height) {
      KernelBuilder::Values held;
      for (int64_t row = begin; row < std::min(rows, begin + underWay * height); row += height) {
        Value first = kernel.index(row);
        held.push_back(load(at(source, first, column), height, part, pieceBytes,
                            {kernel.sub(low, first), kernel.sub(high, first), kernel.index(part)}));
      }
      for (auto [number, numbers] : llvm::enumerate(held)) {
        Value first = kernel.index(begin + static_cast<int64_t>(number) * height);
        store(kernel.round(numbers, element), at(target, first, column), part, pieceBytes / 2);
        store(kernel.round(rest(numbers, element), element), at(lost, first, column), part, pieceBytes / 2);
      }
    }
  });
}

void TileBuilder::clear(const Matrix &matrix, int64_t rows, int64_t columns) {
  Type stored = kernel.storedType(matrix.array.element);
  const int64_t bytes = matrix.array.element.getIntOrFloatBitWidth() / 8;
  Value zeros = kernel.raw().create<arith::ConstantOp>(
      kernel.location(), cast<TypedAttr>(kernel.raw().getZeroAttr(kernel.vectorOf(stored, 128))));
  for (int64_t column = 0; column < columns; column += 16)
    kernel.loop(kernel.index(0), kernel.index(rows), 8,
                [&](Value row) { store(zeros, at(matrix, row, column), 16, 4 * bytes); });
}

void TileBuilder::writeRows(const Matrix &source, Value high, int64_t columns, const Matrix &target) {
  Value zero = kernel.index(0);
  forParts(llvm::alignTo(columns, 16), [&](int64_t column, int64_t part) {
    const int64_t height = elementsAtOnce / part;
    for (int64_t row = 0; row < 16; row += height) {
      MatrixBounds bounds{zero, kernel.sub(high, kernel.index(row)), kernel.index(columns - column)};
      Value rows = load(at(source, kernel.index(row), column), height, part, pieceBytes, bounds);
      store(rows, at(target, kernel.index(row), column), part, pieceBytes, bounds);
    }
  });
}

} // namespace bifocal
