// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/LightConvProducts.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// Zeros in front of the first tap: row 15 of a matrix begins 15 taps before row 0.
static constexpr int64_t lead = 15;

TapBand::TapBand(KernelBuilder &kernel, TileBuilder &tiles, Type element, int64_t kernelSize)
    : kernel(kernel), tiles(tiles), kernelSize(kernelSize),
      size(llvm::alignTo(lead + 16 * bandPieces(kernelSize), kernel.width())), padded(kernel.stackArray(2 * size)),
      rounded(kernel.stackArray(element, size)), rest(kernel.stackArray(element, size)) {
  kernel.loop(kernel.index(0), kernel.index(2 * size), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.constantVector(0.0), padded, at); });
}

Array TapBand::taps() const { return kernel.from(padded, kernel.index(size)); }

void TapBand::finish(bool reversed) {
  SmallVector<int64_t> backwards;
  for (int64_t lane = kernel.width(); lane-- > 0;)
    backwards.push_back(lane);
  kernel.loop(kernel.index(0), kernel.index(size), kernel.width(), [&](Value at) {
    Value taps;
    if (reversed) {
      // Lane l has tap kernelSize - 1 - (at + l - lead).
      const int64_t last = size + kernelSize - 1 + lead;
      taps = kernel.loadVector(padded, kernel.sub(kernel.index(last - (kernel.width() - 1)), at));
      taps = kernel.shuffle(taps, taps, backwards);
    } else {
      taps = kernel.loadVector(padded, kernel.add(at, size - lead));
    }
    kernel.storeVector(taps, rounded, at);
    kernel.storeVector(tiles.rest(taps, rest.element), rest, at);
  });
}

BandPiece TapBand::piece(Value column) const {
  // Row r begins r taps earlier than row 0; only the difference of column and row matters.
  auto part = [&](const Array &taps) {
    auto tile = [&](int64_t difference) {
      Array begin = kernel.from(taps, kernel.add(column, lead + difference));
      return tiles.load({begin, kernel.index(-1)}, 8, 8, 2);
    };
    Value diagonal = tile(0);
    return std::array<Value, 4>{diagonal, tile(-8), tile(8), diagonal};
  };
  return {part(rounded), part(rest)};
}

CorrelateProducts::CorrelateProducts(KernelBuilder &kernel, TileBuilder &tiles, int64_t kernelSize)
    : kernel(kernel), tiles(tiles), kernelSize(kernelSize), pieces(bandPieces(kernelSize)),
      sums(tiles.stackMatrix(kernel.f32(), 16, 16 * pieces)) {
  tiles.clear(sums, 16, 16 * pieces);
}

void CorrelateProducts::add(const ConvTile &tile, const Matrix &gradients, const Matrix &inputs, int64_t width) {
  Values initial(4 * pieces, tiles.zeros().upper);
  Values result = kernel.loop(kernel.index(0), tile.rows, 16, initial, [&](Value row, ValueRange carried) {
    SmallVector<TileBuilder::Sums> band = TileBuilder::sumsOf(carried);
    correlate(kernel, tiles, tiles.at(gradients, row), tiles.at(inputs, row), width, band);
    return TileBuilder::flat(band);
  });
  for (int64_t i = 0; i < 4 * pieces; ++i) {
    Matrix place = tiles.at(sums, kernel.index(8 * (i % 2)), 8 * (i / 2));
    tiles.store(kernel.add(tiles.load(place, 8, 8, 8), result[i]), place, 8, 8);
  }
}

void CorrelateProducts::write(const Array &result) {
  kernel.columns(kernelSize, 1, [&](Value tap, Value mask, int64_t) {
    Value total = kernel.constantVector(0.0);
    for (int64_t row = 0; row < 16; ++row) {
      Array diagonal = tiles.at(sums, kernel.index(row), kernel.add(tap, row)).array;
      total = kernel.add(total, kernel.loadVector(diagonal, kernel.index(0), mask));
    }
    kernel.storeVector(total, result, tap);
  });
}

} // namespace bifocal
