// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv_grad: the input gradient is the convolution of the output gradient with the reversed taps; the tap
// gradients of a tile are sums over its steps and channels, which the second stage adds up head by head in a fixed
// order.

#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/LightConvTiles.h"
#include "codegen/cpu/ShortConvTile.h"

using namespace mlir;

namespace bifocal {

/// Taps up to the end of a vector, at least of 16 lanes.
static int64_t wholeVectors(KernelBuilder &kernel, int64_t taps) {
  return llvm::alignTo(taps, std::max<int64_t>(16, kernel.width()));
}

Array shareOfTapGradients(KernelTask &task, const ConvShape &shape, const ConvTile &tile) {
  KernelBuilder &kernel = task.builder;
  Value row = kernel.add(kernel.mul(tile.share, shape.heads), tile.head);
  return kernel.from(task.scratch(0), kernel.mul(row, partialTaps(shape)));
}

namespace {

class LightConvGradWriter {
public:
  LightConvGradWriter(KernelTask &task, LightConvGradOp op, const ConvShape &shape)
      : task(task), kernel(task.builder), op(op), shape(shape),
        reversedPadding(shape.kernelSize - 1 - shape.leftPadding),
        blocks(tapBlocks(kernel, shape.kernelSize, shape.leftPadding)),
        reversed(tapBlocks(kernel, shape.kernelSize, reversedPadding)) {}

  void writeTiles();

private:
  Array rng() { return task.operand(op.getRng()); }
  Array reversedTaps(const ConvTile &tile);
  void writeSlice(const ConvTile &tile, Value channel, int64_t width);
  void writeShort(const ConvTile &tile);
  Array shareOf(const ConvTile &tile) { return shareOfTapGradients(task, shape, tile); }
  void clearSums(int64_t taps);
  void writeShare(const ConvTile &tile, const TapBlock &block);
  bool inBlocks() const { return blocks.size() > 1; }
  int64_t wholeVectors(int64_t taps) const { return bifocal::wholeVectors(kernel, taps); }

  KernelTask &task;
  KernelBuilder &kernel;
  LightConvGradOp op;
  const ConvShape &shape;
  int64_t reversedPadding;
  SmallVector<TapBlock> blocks, reversed;
  /// Memory of one tile.
  Slab inputs, gradients, ownGradients, inputGradSums;
  Array taps, sums;
};

} // namespace

Array LightConvGradWriter::reversedTaps(const ConvTile &tile) {
  Array used = kernel.stackArray(shape.kernelSize), result = kernel.stackArray(shape.kernelSize);
  Value firstTap = kernel.mul(tile.head, shape.kernelSize);
  TapRows(kernel, shape, rng()).use(kernel.from(task.operand(2), firstTap), firstTap, used);
  kernel.loop(kernel.index(0), kernel.index(shape.kernelSize), 1, [&](Value tap) {
    kernel.store(kernel.load(used, tap), result, kernel.sub(kernel.index(shape.kernelSize - 1), tap));
  });
  return result;
}

void LightConvGradWriter::writeSlice(const ConvTile &tile, Value channel, int64_t width) {
  Value place = kernel.add(headOrigin(kernel, shape, tile), channel);
  Array gradient = kernel.from(task.operand(0), place);
  Array input = kernel.from(task.operand(1), place);
  Array target = kernel.from(kernel.from(task.result(0), place), kernel.mul(tile.first, shape.channels));
  // A correlation takes whole groups of four steps: beyond the end of the sequence the gradient's slab has zeros.
  Value rows = kernel.min(kernel.add(tile.rows, 3), kernel.index(lightConvChunk));
  Slab own{kernel.from(gradients.base, kernel.index(reversedPadding * gradients.stride)), gradients.stride};
  if (inBlocks()) {
    own = ownGradients;
    packSlab(kernel, gradient, shape.channels, tile.steps, tile.first, rows, width, own);
  }
  for (auto [block, mirror] : llvm::zip(blocks, reversed)) {
    packBlock(kernel, shape, tile, block, input, rows, width, inputs);
    packBlock(kernel, shape, tile, mirror, gradient, rows, width, gradients);
    Array blockTaps = kernel.from(taps, kernel.index(block.firstTap));
    ConvolveTile{kernel, shape, tile, mirror, gradients, blockTaps, inputGradSums, target, {}}.run(width);
    if (inBlocks())
      clearSums(block.taps);
    CorrelateTile{kernel, tile, block, inputs, own, sums}.run(width);
    if (inBlocks())
      writeShare(tile, block);
  }
}

/// All channels of a filter with few taps.
void LightConvGradWriter::writeShort(const ConvTile &tile) {
  ShortConvTile rows(kernel, shape, tile);
  Value origin = headOrigin(kernel, shape, tile);
  Array gradient = kernel.from(task.operand(0), origin), input = kernel.from(task.operand(1), origin);
  Array target = kernel.from(task.result(0), origin);
  rows.forRows([&](Value row) {
    rows.convolve(row, gradient, target, reversedPadding,
                  [&](int64_t, int64_t tap) { return kernel.load(taps, kernel.index(tap)); });
    rows.correlate(row, gradient, input, shape.leftPadding, sums);
  });
}

void LightConvGradWriter::clearSums(int64_t taps) {
  kernel.loop(kernel.index(0), kernel.index(wholeVectors(taps) * kernel.width()), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.constantVector(0.0), sums, at); });
}

/// The sums over the lanes of a block's taps, to the tile's share: added to those of other slices where there are
/// blocks.
void LightConvGradWriter::writeShare(const ConvTile &tile, const TapBlock &block) {
  Array share = kernel.from(shareOf(tile), kernel.index(block.firstTap));
  kernel.loop(kernel.index(0), kernel.index(wholeVectors(block.taps)), kernel.width(), [&](Value tap) {
    SmallVector<Value> vectors;
    for (int64_t i = 0; i < kernel.width(); ++i)
      vectors.push_back(kernel.loadVector(sums, kernel.mul(kernel.add(tap, i), kernel.width())));
    Value total = sumsOfLanes(kernel, vectors);
    kernel.storeVector(inBlocks() ? kernel.add(total, kernel.loadVector(share, tap)) : total, share, tap);
  });
}

void LightConvGradWriter::writeTiles() {
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, lightConvChunk);
    taps = reversedTaps(tile);
    sums = kernel.stackArray(wholeVectors(blocks[0].taps) * kernel.width());
    if (ShortConvTile::fits(
            kernel, shape,
            {task.op->getOperand(0).getType(), task.op->getOperand(1).getType(), task.op->getResult(0).getType()})) {
      clearSums(shape.kernelSize);
      writeShort(tile);
      return writeShare(tile, blocks[0]);
    }
    auto slab = [&](int64_t rows) { return Slab{kernel.stackArray(rows * lightConvSlice), lightConvSlice, rows}; };
    inputs = slab(slabRoom(blocks[0].taps));
    gradients = slab(slabRoom(blocks[0].taps));
    if (ConvolveTile::keepsSums(kernel, blocks))
      inputGradSums = slab(lightConvChunk);
    if (inBlocks()) {
      ownGradients = slab(slabRoom(0));
      kernel.loop(kernel.index(0), kernel.index(wholeVectors(shape.kernelSize)), kernel.width(),
                  [&](Value at) { kernel.storeVector(kernel.constantVector(0.0), shareOf(tile), at); });
    } else {
      clearSums(shape.kernelSize);
    }
    forSlices(kernel, shape.headWidth(), lightConvSlice,
              [&](Value channel, int64_t width) { writeSlice(tile, channel, width); });
    if (!inBlocks())
      writeShare(tile, blocks[0]);
  });
}

void writeTapGradients(KernelTask &task, LightConvGradOp op, const ConvShape &shape) {
  KernelBuilder &kernel = task.builder;
  const int64_t whole = wholeVectors(kernel, shape.kernelSize);
  kernel.stage(task.name(), 1, [&](Value head) {
    Array total = kernel.stackArray(whole), used = kernel.stackArray(whole);
    Value shares = kernel.mul(kernel.expression(shape.batch),
                              kernel.ceilDiv(kernel.expression(shape.steps), kernel.index(lightConvChunk)));
    Array scratch = kernel.from(task.scratch(0), kernel.mul(head, partialTaps(shape)));
    kernel.loop(kernel.index(0), kernel.index(whole), kernel.width(), [&](Value tap) {
      auto sum =
          kernel.loop(kernel.index(0), shares, 1, {kernel.constantVector(0.0)}, [&](Value share, ValueRange carried) {
            Value row = kernel.mul(share, shape.heads * partialTaps(shape));
            return KernelBuilder::Values{kernel.add(carried[0], kernel.loadVector(scratch, kernel.add(row, tap)))};
          });
      kernel.storeVector(sum[0], total, tap);
    });
    Value firstTap = kernel.mul(head, shape.kernelSize);
    Array raw = kernel.from(task.operand(2), firstTap);
    Array result = kernel.from(task.result(1), firstTap);
    TapRows(kernel, shape, task.operand(op.getRng())).differentiate(raw, firstTap, total, result, used);
  });
}

void writeLightConvGrad(KernelTask &task, LightConvGradOp op, const ConvShape &shape) {
  LightConvGradWriter writer(task, op, shape);
  writer.writeTiles();
  writeTapGradients(task, op, shape);
}

} // namespace bifocal
