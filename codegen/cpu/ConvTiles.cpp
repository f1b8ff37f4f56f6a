// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/ConvTiles.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

ConvTile placeConvTile(KernelBuilder &kernel, const ConvShape &shape, Value tile, int64_t chunk) {
  ConvTile place;
  place.steps = kernel.expression(shape.steps);
  Value chunks = kernel.ceilDiv(place.steps, kernel.index(chunk));
  place.head = kernel.rem(tile, kernel.index(shape.heads));
  place.share = kernel.div(tile, kernel.index(shape.heads));
  place.batch = kernel.div(place.share, chunks);
  place.first = kernel.mul(kernel.rem(place.share, chunks), chunk);
  place.rows = kernel.min(kernel.sub(place.steps, place.first), kernel.index(chunk));
  return place;
}

Value headOrigin(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile) {
  return kernel.add(kernel.mul(kernel.mul(tile.batch, tile.steps), shape.channels),
                    kernel.mul(tile.head, shape.headWidth()));
}

void packSlab(KernelBuilder &kernel, const Array &source, int64_t sourceStride, Value steps, Value first, Value rows,
              int64_t width, const Slab &slab) {
  Value zero = kernel.index(0);
  Value lead = kernel.min(kernel.max(kernel.sub(zero, first), zero), rows);
  Value end = kernel.max(kernel.min(kernel.sub(steps, first), rows), lead);
  Value zeros = kernel.constantVector(0.0);
  auto clear = [&](Value row) {
    Array target = kernel.from(slab.base, kernel.mul(row, slab.stride));
    for (int64_t column = 0; column < width; column += kernel.width())
      kernel.storeVector(zeros, target, kernel.index(column));
  };
  kernel.loop(zero, lead, 1, clear);
  const int64_t line = 64 / (source.element.getIntOrFloatBitWidth() / 8);
  kernel.loop(lead, end, 1, [&](Value row) {
    Array from = kernel.from(source, kernel.mul(kernel.add(first, row), sourceStride));
    // The next slice lies beside this one. Rows are too far apart for the prefetcher of the hardware.
    if (!kernel.target().isWarp)
      for (int64_t column = 0; column < width; column += line)
        kernel.prefetch(from, kernel.index(width + column));
    Array target = kernel.from(slab.base, kernel.mul(row, slab.stride));
    for (int64_t column = 0; column < width; column += kernel.width()) {
      Value mask = column + kernel.width() > width ? kernel.tailMask(width - column) : Value();
      kernel.storeVector(kernel.loadVector(from, kernel.index(column), mask), target, kernel.index(column));
    }
  });
  // The last tile of rows reads a whole one. What comes of it is dropped; but a GPU kernel is to read nothing that
  // nobody has written.
  kernel.loop(end, kernel.target().isWarp ? kernel.index(slab.room) : rows, 1, clear);
}

void unpackSlab(KernelBuilder &kernel, const Slab &slab, Value rows, int64_t width, const Array &bias,
                const Array &target, int64_t stride) {
  kernel.loop(kernel.index(0), rows, 1, [&](Value row) {
    Array from = kernel.from(slab.base, kernel.mul(row, slab.stride));
    Array to = kernel.from(target, kernel.mul(row, stride));
    kernel.columns(width, std::max<int64_t>(1, width / kernel.width()), [&](Value at, Value mask, int64_t) {
      Value sum = kernel.loadVector(from, at);
      kernel.storeVector(bias ? kernel.add(sum, kernel.loadVector(bias, at, mask)) : sum, to, at, mask);
    });
  });
}

void forSlices(KernelBuilder &kernel, int64_t headWidth, int64_t sliceWidth,
               llvm::function_ref<void(Value channel, int64_t width)> body) {
  int64_t whole = headWidth / sliceWidth * sliceWidth;
  if (whole == sliceWidth)
    body(kernel.index(0), sliceWidth);
  else if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), sliceWidth, [&](Value channel) { body(channel, sliceWidth); });
  if (whole < headWidth)
    body(kernel.index(whole), headWidth - whole);
}

void forColumnGroups(KernelBuilder &kernel, int64_t width, int64_t maxVectors,
                     llvm::function_ref<void(const ColumnGroup &group)> body) {
  int64_t perGroup = maxVectors * kernel.width(), whole = width / perGroup * perGroup, rest = width - whole;
  if (whole == perGroup)
    body({kernel.index(0), maxVectors, nullptr});
  else if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), perGroup, [&](Value column) {
      body({column, maxVectors, nullptr});
    });
  if (rest > 0) {
    int64_t last = rest % kernel.width();
    body({kernel.index(whole), static_cast<int64_t>(llvm::divideCeil(rest, kernel.width())),
          last ? kernel.tailMask(last) : Value()});
  }
}

void bandStep(KernelBuilder &kernel, Values &sums, int64_t rows, int64_t taps, int64_t columns,
              llvm::function_ref<Value(int64_t row, int64_t tap, int64_t column)> weight,
              llvm::function_ref<Value(int64_t row, int64_t column)> input) {
  for (int64_t place = 0; place < rows + taps - 1; ++place)
    for (int64_t column = 0; column < columns; ++column) {
      Value x = input(place, column);
      for (int64_t row = std::max<int64_t>(0, place - taps + 1); row <= std::min(place, rows - 1); ++row) {
        Value &sum = sums[row * columns + column];
        sum = kernel.fma(x, weight(row, place - row, column), sum);
      }
    }
}

Value sumsOfLanes(KernelBuilder &kernel, ArrayRef<Value> vectors) {
  Values sums(vectors);
  // After the round for `half`, bit `half` of a lane's number says which of the two vectors the lane belongs to.
  for (int64_t half = kernel.width() / 2; half > 0; half /= 2) {
    SmallVector<int64_t> own, other;
    for (int64_t lane = 0; lane < kernel.width(); ++lane) {
      bool second = lane & half;
      own.push_back(second ? kernel.width() + lane : lane);
      other.push_back(second ? kernel.width() + lane - half : lane + half);
    }
    for (int64_t i = 0; i < half; ++i)
      sums[i] =
          kernel.add(kernel.shuffle(sums[i], sums[i + half], own), kernel.shuffle(sums[i], sums[i + half], other));
  }
  return sums[0];
}

} // namespace bifocal
