// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// dynamic_conv on tensor cores: every step has taps of its own, so the bands of a tile are written out once, 16 rows
// below each other, and serve all slices of channels.
#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/DynamicConvTiles.h"
#include "codegen/cpu/LightConvTiles.h"
#include "codegen/cuda/ConvProducts.h"
#include "codegen/cuda/TensorCoreKernels.h"

using namespace mlir;

namespace bifocal {

namespace {

/// The bands of a tile: row r has its taps from column r % 16 on.
struct TileBands {
  Matrix rounded, rest;
};

class DynamicConvWriter {
public:
  DynamicConvWriter(KernelTask &task, const ConvShape &shape)
      : task(task), kernel(task.builder), tiles(task.builder), shape(shape), pieces(bandPieces(shape.kernelSize)),
        element(getElementTypeOrSelf(task.op->getOperand(0).getType())) {}

  void writeForward(DynamicConvOp op);

private:
  TileBands writeBands(const ConvTile &tile, TapRows taps, const Array &raw);

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  const ConvShape &shape;
  int64_t pieces;
  Type element;
};

} // namespace

TileBands DynamicConvWriter::writeBands(const ConvTile &tile, TapRows taps, const Array &raw) {
  TileBands bands{tiles.stackMatrix(element, dynamicConvChunk, 16 * pieces),
                  tiles.stackMatrix(element, dynamicConvChunk, 16 * pieces)};
  tiles.clear(bands.rounded, dynamicConvChunk, 16 * pieces);
  tiles.clear(bands.rest, dynamicConvChunk, 16 * pieces);
  Array used = kernel.stackArray(llvm::alignTo(shape.kernelSize, kernel.width()));
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Value step = kernel.add(tile.first, row), element = firstTapAt(kernel, shape, tile, step);
    taps.use(kernel.from(raw, element), element, used, taps.boundsAt(step, tile.steps));
    Value begin = kernel.bitAnd(row, kernel.index(15));
    Array rounded = tiles.at(bands.rounded, row, begin).array, rest = tiles.at(bands.rest, row, begin).array;
    kernel.columns(shape.kernelSize, 1, [&](Value at, Value mask, int64_t) {
      Value tap = kernel.loadVector(used, at, mask);
      kernel.storeVector(tap, rounded, at, mask);
      kernel.storeVector(tiles.rest(tap, rest.element), rest, at, mask);
    });
  });
  return bands;
}

void DynamicConvWriter::writeForward(DynamicConvOp op) {
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    TileBands bands = writeBands(tile, TapRows(kernel, shape, task.operand(op.getRng())), task.operand(1));
    Array bias = biasOfHead(task, op.getBias(), shape, tile);
    const int64_t rows = bandRows(dynamicConvChunk, shape.kernelSize);
    Matrix inputs = tiles.stackMatrix(element, rows, lightConvSlice),
           staging = tiles.stackMatrix(element, 16, lightConvSlice);
    Value origin = headOrigin(kernel, shape, tile);
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      Value place = kernel.add(origin, channel), stride = kernel.index(shape.channels);
      Matrix source{kernel.from(task.operand(0), place), stride}, target{kernel.from(task.result(0), place), stride};
      fillSlab(kernel, tiles, tile, source, shape.leftPadding, rows, width, inputs);
      ConvolveProducts products{kernel,
                                tiles,
                                tile,
                                inputs,
                                staging,
                                tiles.at(target, tile.first),
                                bias ? kernel.from(bias, channel) : Array(),
                                width};
      kernel.loop(kernel.index(0), tile.rows, 16, [&](Value row) {
        SmallVector<BandPiece> own;
        for (int64_t piece = 0; piece < pieces; ++piece)
          own.push_back({tiles.loadFour(tiles.at(bands.rounded, row, 16 * piece), /*transposed=*/false),
                         tiles.loadFour(tiles.at(bands.rest, row, 16 * piece), /*transposed=*/false)});
        products.run(row, own);
      });
    });
  });
}

FailureOr<bool> generateDynamicConvProducts(KernelTask &task) {
  auto op = dyn_cast<DynamicConvOp>(task.op);
  std::optional<ConvShape> shape = op ? describeConv(op) : std::nullopt;
  if (!shape || !fitsTensorCores(*shape, {op.getInput(), op.getResult()}) ||
      bandPieces(shape->kernelSize) > mostBandPieces)
    return false;
  DynamicConvWriter(task, *shape).writeForward(op);
  return true;
}

} // namespace bifocal
