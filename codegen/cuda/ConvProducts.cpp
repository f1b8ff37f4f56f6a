// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/ConvProducts.h"

#include "codegen/cpu/LightConvTiles.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

bool fitsTensorCores(const ConvShape &shape, ArrayRef<Value> sequences) {
  Type element = getElementTypeOrSelf(sequences[0].getType());
  bool narrow = element.isBF16() || element.isF16();
  return narrow && shape.kernelSize >= fewestBandTaps && shape.headWidth() % 8 == 0 &&
         llvm::all_of(sequences, [&](Value sequence) { return getElementTypeOrSelf(sequence.getType()) == element; });
}

void fillSlab(KernelBuilder &kernel, TileBuilder &tiles, const ConvTile &tile, const Matrix &source, int64_t padding,
              int64_t width, const ConvSlab &slab) {
  Value first = kernel.add(tile.first, -padding);
  tiles.copyRows(tiles.at(source, first), kernel.sub(kernel.index(0), first), kernel.sub(tile.steps, first), slab.rows,
                 width, slab.slice, slab.matrix);
}

void correlate(KernelBuilder &kernel, TileBuilder &tiles, const Matrix &gradients, const Matrix &inputs, int64_t width,
               MutableArrayRef<TileBuilder::Sums> band) {
  for (int64_t channel = 0; channel < width; channel += 16) {
    auto a = tiles.loadFour(tiles.at(gradients, kernel.index(0), channel), /*transposed=*/false);
    for (size_t piece = 0; piece < band.size(); piece += 2) {
      Matrix place = tiles.at(inputs, kernel.index(static_cast<int64_t>(8 * piece)), channel);
      auto b = tiles.loadFour(place, /*transposed=*/false);
      for (size_t half = 0; half < 2; ++half)
        band[piece + half] = tiles.multiply(a, b[half], b[half + 2], band[piece + half]);
    }
  }
}

void ConvolveProducts::run(Value row, ArrayRef<BandPiece> pieces) {
  Sums sums = zeros();
  for (auto [number, piece] : llvm::enumerate(pieces))
    sums = addPiece(sums, kernel.add(row, static_cast<int64_t>(16 * number)), piece);
  store(row, sums);
}

void ConvolveProducts::run(Value row, int64_t count, llvm::function_ref<BandPiece(Value)> piece) {
  Values sums = kernel.loop(kernel.index(0), kernel.index(16 * count), 16, TileBuilder::flat(zeros()),
                            [&](Value column, ValueRange carried) {
                              Sums current = TileBuilder::sumsOf(carried);
                              return TileBuilder::flat(addPiece(current, kernel.add(row, column), piece(column)));
                            });
  store(row, TileBuilder::sumsOf(sums));
}

ConvolveProducts::Sums ConvolveProducts::addPiece(Sums sums, Value slabRow, const BandPiece &piece) {
  for (size_t pair = 0; pair < sums.size(); pair += 2) {
    auto inputs = tiles.loadFour(tiles.at(slab, slabRow, static_cast<int64_t>(8 * pair)), /*transposed=*/true);
    for (size_t half = 0; half < std::min<size_t>(2, sums.size() - pair); ++half)
      for (const std::array<Value, 4> &part : {piece.rounded, piece.rest})
        sums[pair + half] = tiles.multiply(part, inputs[2 * half], inputs[2 * half + 1], sums[pair + half]);
  }
  return sums;
}

void ConvolveProducts::store(Value row, const Sums &sums) {
  Type element = output.array.element;
  Value zero = kernel.index(0);
  for (auto [number, sum] : llvm::enumerate(sums)) {
    const auto column = static_cast<int64_t>(8 * number);
    Value added;
    if (bias) {
      const int64_t pair = bias.element.getIntOrFloatBitWidth() / 4;
      added = tiles.load({kernel.from(bias, kernel.index(column)), zero}, 8, 8, pair);
      added = kernel.widen(added, bias.element);
    }
    for (auto [first, tile] : {std::pair(int64_t{0}, sum.upper), std::pair(int64_t{8}, sum.lower)})
      tiles.store(kernel.round(added ? kernel.add(tile, added) : tile, element),
                  tiles.at(staging, kernel.index(first), column), 8, 4);
  }
  tiles.writeRows(staging, kernel.sub(tile.rows, row), width, tiles.at(output, row));
}

} // namespace bifocal
