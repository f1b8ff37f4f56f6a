// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// dynamic_conv and its gradient on tensor cores: every step has taps of its own, so the bands of a tile are written out
// once, and serve all slices of channels. Forward, 16 rows lie below each other. The gradient of the inputs takes, for
// 32 steps, one row for each step whose taps meet them: what these steps get from it, a filter back to front.
#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/DynamicConvTiles.h"
#include "codegen/cpu/LightConvTiles.h"
#include "codegen/cuda/ConvProducts.h"
#include "codegen/cuda/TapBatch.h"
#include "codegen/cuda/TensorCoreKernels.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

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
  void writeTapGradients(DynamicConvGradOp op);
  void writeInputGradients(DynamicConvGradOp op);

private:
  ConvSlab slab(int64_t rows) { return {tiles.stackMatrix(element, rows, lightConvSlice), rows, lightConvSlice}; }
  /// The slice of the tile's head that begins with `channel`, from step 0 of the sequence on.
  Matrix slice(const Array &sequence, const ConvTile &tile, Value channel) {
    Value place = kernel.add(headOrigin(kernel, shape, tile), channel);
    return {kernel.from(sequence, place), kernel.index(shape.channels)};
  }
  /// Calls `body` for every row of the tile, with its step and the number under which `taps` has its taps; and for some
  /// rows behind the last one, which have none.
  void forTaps(const ConvTile &tile, TapBatch &taps, const Array &raw,
               llvm::function_ref<void(Value row, Value step, int64_t number)> body);
  TileBands writeBands(const ConvTile &tile, const Array &rng, const Array &raw);
  void addDots(const ConvTile &tile, const Matrix &gradients, const Matrix &inputs, int64_t width, const Matrix &dots);
  Array usedTaps(const ConvTile &tile, Value step);
  TileBands writeTurnedBands(const ConvTile &tile);
  BandPiece turnedPiece(const TileBands &bands, Value row, int64_t column);
  void addTurned(const TileBands &bands, ConvolveProducts products);
  /// Steps that take turned bands together, and the rows of these.
  static constexpr int64_t turnedSteps = 32;
  int64_t turnedRows() const { return 16 * (pieces + 1); }
  /// Before the tile's first step is the first one whose taps meet it.
  int64_t reversedPadding() const { return shape.kernelSize - 1 - shape.leftPadding; }

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  const ConvShape &shape;
  int64_t pieces;
  Type element;
};

} // namespace

void DynamicConvWriter::forTaps(const ConvTile &tile, TapBatch &taps, const Array &raw,
                                llvm::function_ref<void(Value row, Value step, int64_t number)> body) {
  kernel.loop(kernel.index(0), tile.rows, taps.rows(), [&](Value first) {
    SmallVector<TapBatch::Row> rows;
    for (int64_t number = 0; number < taps.rows(); ++number) {
      Value row = kernel.add(first, number), step = kernel.add(tile.first, row);
      Value count = kernel.select(kernel.less(row, tile.rows), kernel.index(shape.kernelSize), kernel.index(0));
      rows.push_back({firstTapAt(kernel, shape, tile, step), count, tapBoundsAt(kernel, shape, step, tile.steps)});
    }
    taps.read(raw, rows);
    for (int64_t number = 0; number < taps.rows(); ++number) {
      Value row = kernel.add(first, number);
      body(row, kernel.add(tile.first, row), number);
    }
  });
}

TileBands DynamicConvWriter::writeBands(const ConvTile &tile, const Array &rng, const Array &raw) {
  TileBands bands{tiles.stackMatrix(element, dynamicConvChunk, 16 * pieces),
                  tiles.stackMatrix(element, dynamicConvChunk, 16 * pieces)};
  tiles.clear(bands.rounded, dynamicConvChunk, 16 * pieces);
  tiles.clear(bands.rest, dynamicConvChunk, 16 * pieces);
  TapBatch taps(kernel, shape, rng);
  forTaps(tile, taps, raw, [&](Value row, Value, int64_t number) {
    Value begin = kernel.bitAnd(row, kernel.index(15));
    Array rounded = tiles.at(bands.rounded, row, begin).array, rest = tiles.at(bands.rest, row, begin).array;
    for (int64_t vector = 0; vector < taps.vectors(); ++vector) {
      Value tap = taps.used(number, vector), mask = taps.mask(number, vector);
      kernel.storeVector(tap, rounded, taps.columnOf(vector), mask);
      kernel.storeVector(tiles.rest(tap, rest.element), rest, taps.columnOf(vector), mask);
    }
  });
  return bands;
}

void DynamicConvWriter::writeForward(DynamicConvOp op) {
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    TileBands bands = writeBands(tile, task.operand(op.getRng()), task.operand(1));
    Array bias = biasOfHead(task, op.getBias(), shape, tile);
    const int64_t rows = bandRows(dynamicConvChunk, shape.kernelSize);
    ConvSlab inputs = slab(rows), staging = slab(16);
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      Matrix source = slice(task.operand(0), tile, channel), target = slice(task.result(0), tile, channel);
      fillSlab(kernel, tiles, tile, source, shape.leftPadding, width, inputs);
      tiles.wait();
      ConvolveProducts products{kernel,
                                tiles,
                                tile,
                                inputs.matrix,
                                staging.matrix,
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

/// Adds the dot products of the gradients of the tile's steps and the inputs under their taps: those of row r stand in
/// row r from column r % 16 on.
void DynamicConvWriter::addDots(const ConvTile &tile, const Matrix &gradients, const Matrix &inputs, int64_t width,
                                const Matrix &dots) {
  kernel.loop(kernel.index(0), tile.rows, 16, [&](Value row) {
    SmallVector<TileBuilder::Sums> band(2 * pieces, tiles.zeros());
    correlate(kernel, tiles, tiles.at(gradients, row), tiles.at(inputs, row), width, band);
    for (auto [number, sums] : llvm::enumerate(band))
      for (auto [half, offset] : {std::pair(sums.upper, 0), std::pair(sums.lower, 8)}) {
        Matrix place = tiles.at(dots, kernel.add(row, offset), static_cast<int64_t>(8 * number));
        tiles.store(kernel.add(tiles.load(place, 8, 8, 8), half), place, 8, 8);
      }
  });
}

/// Where the first stage leaves the taps of a step for the second.
Array DynamicConvWriter::usedTaps(const ConvTile &tile, Value step) {
  return kernel.from(task.scratch(0), guardedTapAt(kernel, shape, tile, step));
}

void DynamicConvWriter::writeTapGradients(DynamicConvGradOp op) {
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    Matrix dots = tiles.stackMatrix(kernel.f32(), dynamicConvChunk, 16 * pieces);
    tiles.clear(dots, dynamicConvChunk, 16 * pieces);
    const int64_t rows = bandRows(dynamicConvChunk, shape.kernelSize);
    ConvSlab inputs = slab(rows), gradients = slab(dynamicConvChunk);
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      fillSlab(kernel, tiles, tile, slice(task.operand(1), tile, channel), shape.leftPadding, width, inputs);
      fillSlab(kernel, tiles, tile, slice(task.operand(0), tile, channel), 0, width, gradients);
      tiles.wait();
      addDots(tile, gradients.matrix, inputs.matrix, width, dots);
    });
    TapBatch taps(kernel, shape, task.operand(op.getRng()));
    forTaps(tile, taps, task.operand(2), [&](Value row, Value step, int64_t number) {
      Array gradient = tiles.at(dots, row, kernel.bitAnd(row, kernel.index(15))).array;
      Array result = kernel.from(task.result(1), firstTapAt(kernel, shape, tile, step)), used = usedTaps(tile, step);
      Values rawGradients = taps.differentiate(number, [&](int64_t vector) {
        return kernel.loadVector(gradient, taps.columnOf(vector), taps.mask(number, vector));
      });
      for (auto [index, value] : llvm::enumerate(rawGradients)) {
        const auto vector = static_cast<int64_t>(index);
        kernel.storeVector(value, result, taps.columnOf(vector), taps.mask(number, vector));
        kernel.storeVector(taps.used(number, vector), used, taps.columnOf(vector), taps.mask(number, vector));
      }
    });
  });
}

/// Row c of 32 steps: the taps, last one first, of the step c - reversedPadding() behind the first of them; element r
/// is what step r gets from it.
TileBands DynamicConvWriter::writeTurnedBands(const ConvTile &tile) {
  const int64_t rows = dynamicConvChunk / turnedSteps * turnedRows();
  TileBands bands{tiles.stackMatrix(element, rows, turnedSteps), tiles.stackMatrix(element, rows, turnedSteps)};
  static_assert(turnedSteps == 32, "one for each lane of a warp");
  Value lanes = kernel.lanes(kernel.i32(), turnedSteps), zero = kernel.constantInt(lanes.getType(), 0);
  auto wide = [&](Value number) { return kernel.splat(kernel.convert(number, kernel.i32()), turnedSteps); };
  auto read = [&](Value row, int64_t part) {
    Value step = kernel.add(tile.first, kernel.add(row, turnedSteps * part - reversedPadding()));
    Value isReal = kernel.bitAnd(kernel.lessEqual(kernel.index(0), step), kernel.less(step, tile.steps));
    Value count = kernel.select(isReal, kernel.index(shape.kernelSize), kernel.index(0));
    // Lane r has tap kernelSize - 1 - row + r.
    Value begin = kernel.sub(kernel.index(shape.kernelSize - 1), row), tap = kernel.add(lanes, wide(begin));
    Value mask = kernel.bitAnd(kernel.lessEqual(zero, tap), kernel.less(tap, wide(count)));
    return kernel.loadVector(usedTaps(tile, step), begin, mask);
  };
  constexpr int64_t atOnce = 8; // loads under way
  for (int64_t part = 0; part < dynamicConvChunk / turnedSteps; ++part)
    kernel.loop(kernel.index(0), kernel.index(turnedRows()), atOnce, [&](Value first) {
      Values rows;
      for (int64_t number = 0; number < atOnce; ++number)
        rows.push_back(read(kernel.add(first, number), part));
      for (auto [number, taps] : llvm::enumerate(rows)) {
        Value place = kernel.add(first, part * turnedRows() + static_cast<int64_t>(number));
        kernel.storeVector(taps, tiles.at(bands.rounded, place).array, kernel.index(0));
        kernel.storeVector(tiles.rest(taps, element), tiles.at(bands.rest, place).array, kernel.index(0));
      }
    });
  return bands;
}

/// The piece of a band of 16 steps whose columns lie in memory as rows from `row` on.
BandPiece DynamicConvWriter::turnedPiece(const TileBands &bands, Value row, int64_t column) {
  auto turned = [&](const Matrix &matrix) {
    auto [topLeft, bottomLeft, topRight, bottomRight] =
        tiles.loadFour(tiles.at(matrix, row, column), /*transposed=*/true);
    return std::array<Value, 4>{topLeft, topRight, bottomLeft, bottomRight};
  };
  return {turned(bands.rounded), turned(bands.rest)};
}

void DynamicConvWriter::addTurned(const TileBands &bands, ConvolveProducts products) {
  kernel.loop(kernel.index(0), products.tile.rows, turnedSteps, [&](Value first) {
    Value begin = kernel.mul(kernel.div(first, kernel.index(turnedSteps)), turnedRows());
    for (int64_t offset = 0; offset < turnedSteps; offset += 16) {
      Value row = kernel.add(first, offset);
      kernel.when(kernel.less(row, products.tile.rows), [&] {
        SmallVector<BandPiece> own;
        for (int64_t piece = 0; piece < pieces; ++piece)
          own.push_back(turnedPiece(bands, kernel.add(begin, offset + 16 * piece), offset));
        products.run(row, own);
      });
    }
  });
}

void DynamicConvWriter::writeInputGradients(DynamicConvGradOp op) {
  kernel.stage(task.name(), 1, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    TileBands bands = writeTurnedBands(tile);
    const int64_t rows = bandRows(dynamicConvChunk, shape.kernelSize);
    ConvSlab gradients = slab(rows), staging = slab(16);
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      fillSlab(kernel, tiles, tile, slice(task.operand(0), tile, channel), reversedPadding(), width, gradients);
      tiles.wait();
      Matrix output = tiles.at(slice(task.result(0), tile, channel), tile.first);
      addTurned(bands, {kernel, tiles, tile, gradients.matrix, staging.matrix, output, {}, width});
    });
  });
}

FailureOr<bool> generateDynamicConvProducts(KernelTask &task) {
  std::optional<ConvShape> shape = describeConv(task.op);
  if (!shape || bandPieces(shape->kernelSize) > mostBandPieces)
    return false;
  if (auto op = dyn_cast<DynamicConvOp>(task.op); op && fitsTensorCores(*shape, {op.getInput(), op.getResult()})) {
    DynamicConvWriter(task, *shape).writeForward(op);
    return true;
  }
  if (auto op = dyn_cast<DynamicConvGradOp>(task.op);
      op && fitsTensorCores(*shape, {op.getOperand(0), op.getOperand(1), op.getResult(0)})) {
    DynamicConvWriter writer(task, *shape);
    writer.writeTapGradients(op);
    writer.writeInputGradients(op);
    return true;
  }
  return false;
}

} // namespace bifocal
