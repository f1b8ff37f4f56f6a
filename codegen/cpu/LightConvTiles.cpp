// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/LightConvTiles.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// 8 x 2 sums, 4 taps and 2 inputs fit 32 registers; 8 x 1 sums, 4 taps and 1 input fit 16. Larger tiles spill.
constexpr int64_t tileRows = 8, tileTaps = 4;
static int64_t tileColumns(KernelBuilder &kernel) { return kernel.target().registers >= 32 ? 2 : 1; }

SmallVector<TapBlock> tapBlocks(KernelBuilder &kernel, int64_t kernelSize, int64_t leftPadding) {
  constexpr int64_t warpTapBlock = 128;
  const int64_t most = kernel.target().isWarp ? warpTapBlock : tapBlock;
  SmallVector<TapBlock> blocks;
  for (int64_t first = 0; first < kernelSize; first += most)
    blocks.push_back({first, std::min(most, kernelSize - first), leftPadding});
  return blocks;
}

/// The step of row 0 of the block's slab.
static Value slabStart(KernelBuilder &kernel, const ConvTile &tile, const TapBlock &block) {
  return kernel.add(tile.first, block.firstTap - block.leftPadding);
}

void packBlock(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, const TapBlock &block,
               const Array &source, Value rows, int64_t width, const Slab &slab) {
  packSlab(kernel, source, shape.channels, tile.steps, slabStart(kernel, tile, block), kernel.add(rows, block.taps - 1),
           width, slab);
}

/// Of the numbers n for which some n + i with 0 <= i < tileRows meets a step of the sequence beside slab row `row`, the
/// first (rounded down to a multiple of tileTaps, at least 0) and the end (at most `limit`). What lies outside meets
/// only zeros.
static std::pair<Value, Value> usefulRange(KernelBuilder &kernel, const ConvTile &tile, const TapBlock &block,
                                           Value row, Value limit) {
  Value start = kernel.add(slabStart(kernel, tile, block), row), zero = kernel.index(0);
  Value low = kernel.max(kernel.sub(kernel.index(1 - tileRows), start), zero);
  low = kernel.bitAnd(low, kernel.index(-tileTaps));
  return {low, kernel.min(kernel.sub(tile.steps, start), limit)};
}

void ConvolveTile::run(int64_t width) {
  const int64_t line = 64 / (output.element.getIntOrFloatBitWidth() / 8);
  const bool unpacks = isLast() && isStaged(kernel);
  if (unpacks)
    kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
      for (int64_t column = 0; column < width; column += line)
        kernel.prefetch(output, kernel.add(kernel.mul(row, shape.channels), column), /*toWrite=*/true);
    });
  forColumnGroups(kernel, width, tileColumns(kernel), [&](const ColumnGroup &group) {
    kernel.loop(kernel.index(0), tile.rows, tileRows, [&](Value row) { runRows(row, group); });
  });
  if (unpacks)
    unpackSlab(kernel, sums, tile.rows, width, bias, output, shape.channels);
}

void ConvolveTile::runRows(Value row, const ColumnGroup &group) {
  const int64_t columns = group.vectors, whole = block.taps / tileTaps * tileTaps;
  Array origin = kernel.from(slab.base, kernel.add(kernel.mul(row, slab.stride), group.column));
  auto step = [&](Values sums, Value tap, int64_t count) {
    Values weights;
    for (int64_t i = 0; i < count; ++i)
      weights.push_back(kernel.splat(kernel.load(taps, kernel.add(tap, i))));
    Array base = kernel.from(origin, kernel.mul(tap, slab.stride));
    bandStep(
        kernel, sums, tileRows, count, columns, [&](int64_t, int64_t i, int64_t) { return weights[i]; },
        [&](int64_t i, int64_t column) {
          return kernel.loadVector(base, kernel.index(i * slab.stride + column * kernel.width()));
        });
    return sums;
  };
  Values values = firstSums(row, group);
  if (whole > 0) {
    auto [low, high] = usefulRange(kernel, tile, block, row, kernel.index(whole));
    values = kernel.loop(low, high, tileTaps, values,
                         [&](Value tap, ValueRange carried) { return step(Values(carried), tap, tileTaps); });
  }
  if (whole < block.taps)
    values = step(values, kernel.index(whole), block.taps - whole);
  // Sums in memory have room for whole tiles.
  Value left = isLast() && !isStaged(kernel) ? kernel.sub(tile.rows, row) : kernel.index(tileRows);
  kernel.when(
      kernel.lessEqual(kernel.index(tileRows), left),
      [&] {
        for (int64_t i = 0; i < tileRows; ++i)
          store(row, group, values, i);
      },
      [&] {
        for (int64_t i = 0; i < tileRows - 1; ++i)
          kernel.when(kernel.less(kernel.index(i), left), [&] { store(row, group, values, i); });
      });
}

Values ConvolveTile::firstSums(Value row, const ColumnGroup &group) {
  Values first(tileRows * group.vectors, kernel.constantVector(0.0));
  if (isFirst())
    return first;
  // Later blocks go on with the sums of the earlier ones: a sum takes its taps one by one, as in a decoding step.
  for (int64_t i = 0; i < tileRows; ++i) {
    Array place = kernel.from(sums.base, kernel.add(kernel.mul(kernel.add(row, i), sums.stride), group.column));
    for (int64_t column = 0; column < group.vectors; ++column)
      first[i * group.vectors + column] = kernel.loadVector(place, kernel.index(column * kernel.width()));
  }
  return first;
}

void ConvolveTile::store(Value row, const ColumnGroup &group, Values &values, int64_t position) {
  const bool direct = isLast() && !isStaged(kernel);
  const int64_t stride = direct ? shape.channels : sums.stride;
  Value offset = kernel.add(kernel.mul(kernel.add(row, position), stride), group.column);
  Array place = kernel.from(direct ? output : sums.base, offset);
  for (int64_t column = 0; column < group.vectors; ++column) {
    Value at = kernel.index(column * kernel.width()), mask = direct ? group.maskOf(column) : Value();
    Value sum = values[position * group.vectors + column];
    if (bias && direct)
      sum = kernel.add(sum, kernel.loadVector(bias, kernel.add(group.column, at), mask));
    kernel.storeVector(sum, place, at, mask);
  }
}

void CorrelateTile::run(int64_t width) {
  forColumnGroups(kernel, width, tileColumns(kernel), [&](const ColumnGroup &group) {
    kernel.loop(kernel.index(0), kernel.index(block.taps), tileRows, [&](Value tap) { runTaps(tap, group); });
  });
}

void CorrelateTile::runTaps(Value tap, const ColumnGroup &group) {
  const int64_t columns = group.vectors;
  Array x = kernel.from(inputs.base, kernel.add(kernel.mul(tap, inputs.stride), group.column));
  Array g = kernel.from(gradients.base, group.column);
  auto [low, high] = usefulRange(kernel, tile, block, tap, tile.rows);
  Values start(tileRows * columns, kernel.constantVector(0.0));
  Values result = kernel.loop(low, high, tileTaps, start, [&](Value row, ValueRange carried) {
    Values next(carried), weights;
    Value offset = kernel.mul(row, inputs.stride);
    Array gradient = kernel.from(g, offset), input = kernel.from(x, offset);
    for (int64_t i = 0; i < tileTaps; ++i)
      for (int64_t column = 0; column < columns; ++column)
        weights.push_back(kernel.loadVector(gradient, kernel.index(i * gradients.stride + column * kernel.width())));
    bandStep(
        kernel, next, tileRows, tileTaps, columns,
        [&](int64_t, int64_t i, int64_t column) { return weights[i * columns + column]; },
        [&](int64_t i, int64_t column) {
          return kernel.loadVector(input, kernel.index(i * inputs.stride + column * kernel.width()));
        });
    return next;
  });
  Array place = kernel.from(sums, kernel.mul(tap, kernel.width()));
  for (int64_t i = 0; i < tileRows; ++i) {
    Value sum = result[i * columns];
    for (int64_t column = 1; column < columns; ++column)
      sum = kernel.add(sum, result[i * columns + column]);
    Value at = kernel.index(i * kernel.width());
    kernel.storeVector(kernel.add(kernel.loadVector(place, at), sum), place, at);
  }
}

} // namespace bifocal
