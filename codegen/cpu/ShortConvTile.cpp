// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/ShortConvTile.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// 4 x 2 sums, 4 taps and 2 inputs fit 16 registers.
static constexpr int64_t tileColumns = 2;
/// Elements of f32 in a line of the cache.
static constexpr int64_t lineElements = 16;
/// With more taps a tile of many rows in a slab, which loads fewer taps, is faster.
static constexpr int64_t mostTaps = 31;

bool ShortConvTile::fits(const KernelBuilder &kernel, const ConvShape &shape, TypeRange sequences) {
  return !kernel.target().isWarp && shape.kernelSize <= mostTaps &&
         llvm::all_of(sequences, [](Type type) { return getElementTypeOrSelf(type).isF32(); });
}

ShortConvTile::ShortConvTile(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile)
    : kernel(kernel), shape(shape), tile(tile) {
  const int64_t width = llvm::alignTo(std::max(shape.headWidth(), guardedTaps(shape)), kernel.width());
  zeros = kernel.stackArray(width);
  dropped = kernel.stackArray(width);
  kernel.loop(kernel.index(0), kernel.index(width), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.constantVector(0.0), zeros, at); });
}

void ShortConvTile::forRows(llvm::function_ref<void(Value row)> body) {
  kernel.loop(kernel.index(0), tile.rows, tileRows, body);
}

SmallVector<Array> ShortConvTile::rowsOf(const Array &sequence, int64_t stride, Value first, int64_t count, Value end,
                                         const Array &instead) {
  SmallVector<Array> rows;
  for (int64_t i = 0; i < count; ++i) {
    Value step = kernel.add(first, i);
    Array row = kernel.from(sequence, kernel.mul(step, stride));
    // A step before the first one is a large number without its sign.
    rows.push_back({kernel.select(kernel.lessUnsigned(step, end), row.base, instead.base), row.element});
  }
  return rows;
}

SmallVector<Array> ShortConvTile::rowsUnder(Value row, const Array &sequence, int64_t stride, int64_t padding) {
  Value first = kernel.add(kernel.add(tile.first, row), -padding);
  return rowsOf(sequence, stride, first, tileRows + shape.kernelSize - 1, tile.steps, zeros);
}

void ShortConvTile::convolve(Value row, const Array &input, const Array &output, int64_t padding, Weight weight,
                             const Array &bias) {
  SmallVector<Array> inputs = rowsUnder(row, input, shape.channels, padding);
  SmallVector<Array> outputs =
      rowsOf(output, shape.channels, kernel.add(tile.first, row), tileRows, kernel.add(tile.first, tile.rows), dropped);
  forColumnGroups(kernel, shape.headWidth(), tileColumns, [&](const ColumnGroup &group) {
    auto place = [&](int64_t column) { return kernel.add(group.column, column * kernel.width()); };
    // The same columns of the next rows.
    for (int64_t column = 0; column < group.vectors * kernel.width(); column += lineElements)
      for (int64_t i = 0; i < tileRows; ++i) {
        Value next = kernel.add(group.column, tileRows * shape.channels + column);
        kernel.prefetch(inputs[i + shape.kernelSize - 1], next);
        kernel.prefetch(outputs[i], next, /*toWrite=*/true);
      }
    Values sums(tileRows * group.vectors, kernel.constantVector(0.0));
    bandStep(
        kernel, sums, tileRows, shape.kernelSize, group.vectors,
        [&](int64_t offset, int64_t tap, int64_t) { return kernel.splat(weight(offset, tap)); },
        [&](int64_t i, int64_t column) { return kernel.loadVector(inputs[i], place(column), group.maskOf(column)); });
    for (int64_t column = 0; column < group.vectors; ++column) {
      Value mask = group.maskOf(column), added;
      if (bias)
        added = kernel.loadVector(bias, place(column), mask);
      for (int64_t offset = 0; offset < tileRows; ++offset) {
        Value sum = sums[offset * group.vectors + column];
        kernel.storeVector(added ? kernel.add(sum, added) : sum, outputs[offset], place(column), mask);
      }
    }
  });
}

void ShortConvTile::correlate(Value row, const Array &gradient, const Array &input, int64_t padding,
                              const Array &sums) {
  SmallVector<Array> inputs = rowsUnder(row, input, shape.channels, padding);
  SmallVector<Array> gradients =
      rowsOf(gradient, shape.channels, kernel.add(tile.first, row), tileRows, kernel.add(tile.first, tile.rows), zeros);
  forColumnGroups(kernel, shape.headWidth(), tileColumns, [&](const ColumnGroup &group) {
    auto load = [&](const Array &from, int64_t column) {
      return kernel.loadVector(from, kernel.add(group.column, column * kernel.width()), group.maskOf(column));
    };
    // One sum for each tap and column: chains of four additions.
    Values products(shape.kernelSize * group.vectors, kernel.constantVector(0.0));
    bandStep(
        kernel, products, shape.kernelSize, tileRows, group.vectors,
        [&](int64_t, int64_t offset, int64_t column) { return load(gradients[offset], column); },
        [&](int64_t i, int64_t column) { return load(inputs[i], column); });
    for (int64_t tap = 0; tap < shape.kernelSize; ++tap) {
      Value at = kernel.index(tap * kernel.width()), sum = kernel.loadVector(sums, at);
      for (int64_t column = 0; column < group.vectors; ++column)
        sum = kernel.add(sum, products[tap * group.vectors + column]);
      kernel.storeVector(sum, sums, at);
    }
  });
}

} // namespace bifocal
