// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv and its gradient on tensor cores, where inputs are of 16 bits and the filter is long enough for it.
#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/LightConvTiles.h"
#include "codegen/cuda/LightConvProducts.h"
#include "codegen/cuda/TensorCoreKernels.h"

using namespace mlir;

namespace bifocal {

/// Steps of a tile forward. Measured on an H100, [32, 1024, 1024], 7 and 31 taps: 83 us each with 128 steps and slices
/// of 32 channels, 77 and 72 with 64 steps, 66 and 80 with slices of 64, whose rows are whole lines of memory.
constexpr int64_t forwardChunk = 64, widestSlice = 64;

namespace {

class LightConvWriter {
public:
  LightConvWriter(KernelTask &task, const ConvShape &shape)
      : task(task), kernel(task.builder), tiles(task.builder), shape(shape),
        element(getElementTypeOrSelf(task.op->getOperand(0).getType())) {}

  void writeForward(LightConvOp op);
  void writeGradient(LightConvGradOp op);

private:
  ConvSlab slab(int64_t rows, int64_t slice) { return {tiles.stackMatrix(element, rows, slice), rows, slice}; }
  /// The band of the taps `raw` as the tile's head uses them.
  TapBand bandOf(const ConvTile &tile, const Array &raw, const Array &rng, bool reversed);
  /// Fills `slab`, for behind the next wait, with the steps from `padding` before the tile's first on; steps that the
  /// sequence has not become 0.
  void fill(const Array &source, Value place, const ConvTile &tile, int64_t padding, int64_t width,
            const ConvSlab &slab) {
    fillSlab(kernel, tiles, tile, sequence(source, place), padding, width, slab);
  }
  void convolve(const TapBand &band, ConvolveProducts products);
  Matrix sequence(const Array &array, Value place) { return {kernel.from(array, place), kernel.index(shape.channels)}; }

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  const ConvShape &shape;
  Type element;
};

} // namespace

TapBand LightConvWriter::bandOf(const ConvTile &tile, const Array &raw, const Array &rng, bool reversed) {
  TapBand band(kernel, tiles, element, shape.kernelSize);
  Value firstTap = kernel.mul(tile.head, shape.kernelSize);
  TapRows(kernel, shape, rng).use(kernel.from(raw, firstTap), firstTap, band.taps());
  band.finish(reversed);
  return band;
}

void LightConvWriter::convolve(const TapBand &band, ConvolveProducts products) {
  const int64_t count = bandPieces(shape.kernelSize);
  SmallVector<BandPiece> pieces;
  for (int64_t number = 0; count <= mostBandPieces && number < count; ++number)
    pieces.push_back(band.piece(kernel.index(16 * number)));
  kernel.loop(kernel.index(0), products.tile.rows, 16, [&](Value row) {
    if (pieces.empty())
      products.run(row, count, [&](Value column) { return band.piece(column); });
    else
      products.run(row, pieces);
  });
}

void LightConvWriter::writeForward(LightConvOp op) {
  const int64_t slice = std::min<int64_t>(widestSlice, llvm::alignTo(shape.headWidth(), 16));
  auto write = [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, forwardChunk);
    TapBand band = bandOf(tile, task.operand(1), task.operand(op.getRng()), /*reversed=*/false);
    Array bias = biasOfHead(task, op.getBias(), shape, tile);
    ConvSlab inputs = slab(bandRows(forwardChunk, shape.kernelSize), slice), staging = slab(16, slice);
    Value origin = headOrigin(kernel, shape, tile);
    forSlices(kernel, shape.headWidth(), slice, [&](Value channel, int64_t width) {
      Value place = kernel.add(origin, channel);
      fill(task.operand(0), place, tile, shape.leftPadding, width, inputs);
      tiles.wait();
      Matrix output = tiles.at(sequence(task.result(0), place), tile.first);
      Array sliceBias = bias ? kernel.from(bias, channel) : Array();
      convolve(band, {kernel, tiles, tile, inputs.matrix, staging.matrix, output, sliceBias, width});
    });
  };
  kernel.stage(task.name(), 0, write, shape.batch * shape.steps.ceilDiv(forwardChunk) * shape.heads);
}

void LightConvWriter::writeGradient(LightConvGradOp op) {
  const int64_t reversedPadding = shape.kernelSize - 1 - shape.leftPadding;
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, lightConvChunk);
    TapBand band = bandOf(tile, task.operand(2), task.operand(op.getRng()), /*reversed=*/true);
    CorrelateProducts correlation(kernel, tiles, shape.kernelSize);
    const int64_t rows = bandRows(lightConvChunk, shape.kernelSize);
    ConvSlab inputs = slab(rows, lightConvSlice), gradients = slab(rows, lightConvSlice),
             staging = slab(16, lightConvSlice);
    Matrix ownGradients = tiles.at(gradients.matrix, kernel.index(reversedPadding));
    Value origin = headOrigin(kernel, shape, tile);
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      Value place = kernel.add(origin, channel);
      fill(task.operand(0), place, tile, reversedPadding, width, gradients);
      fill(task.operand(1), place, tile, shape.leftPadding, width, inputs);
      tiles.wait();
      Matrix output = tiles.at(sequence(task.result(0), place), tile.first);
      convolve(band, {kernel, tiles, tile, gradients.matrix, staging.matrix, output, {}, width});
      correlation.add(tile, ownGradients, inputs.matrix, width);
    });
    correlation.write(shareOfTapGradients(task, shape, tile));
  });
  writeTapGradients(task, op, shape);
}

FailureOr<bool> generateLightConvProducts(KernelTask &task) {
  std::optional<ConvShape> shape = describeConv(task.op);
  if (!shape)
    return false;
  if (auto op = dyn_cast<LightConvOp>(task.op);
      op && fitsTensorCores(*shape, {op.getInput(), op.getResult()}) && shape->kernelSize <= tapBlock) {
    LightConvWriter(task, *shape).writeForward(op);
    return true;
  }
  // The sums of the tap gradients stay in registers.
  if (auto op = dyn_cast<LightConvGradOp>(task.op);
      op && fitsTensorCores(*shape, {op.getOperand(0), op.getOperand(1), op.getResult(0)}) &&
      bandPieces(shape->kernelSize) <= mostBandPieces) {
    LightConvWriter(task, *shape).writeGradient(op);
    return true;
  }
  return false;
}

} // namespace bifocal
