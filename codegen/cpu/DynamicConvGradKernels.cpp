// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// dynamic_conv_grad. First stage: gradients of the taps (dot products over the channels of a head, four steps by a few
// taps at a time, then backwards through DropConnect and softmax) and the taps as they were used, into a scratch
// buffer. Second stage: the input gradients, which need the taps of other steps.

#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/DynamicConvTiles.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// Channels that one slab of inputs holds.
constexpr int64_t dotSlice = 128;

namespace {

class DynamicConvGradWriter {
public:
  DynamicConvGradWriter(KernelTask &task, DynamicConvGradOp op, const ConvShape &shape)
      : task(task), kernel(task.builder), op(op), shape(shape) {}

  void writeTapGradients();
  void writeInputGradients();

private:
  void writeSlice(const ConvTile &tile, Value channel, int64_t width);
  void writeDots(const ConvTile &tile, const Array &gradient, const Slab &inputs, Value row, Value tap, int64_t taps,
                 int64_t width);
  void finishRows(const ConvTile &tile);
  /// The gradient of the first used tap of one row of the tile, in f32.
  Array dotsAt(const ConvTile &tile, Value row) {
    Array dots = isNarrow(op.getResult(1).getType()) ? task.scratch(1) : task.result(1);
    return kernel.from(dots, firstTapAt(kernel, shape, tile, kernel.add(tile.first, row)));
  }
  bool sliced() const { return shape.headWidth() > dotSlice; }

  KernelTask &task;
  KernelBuilder &kernel;
  DynamicConvGradOp op;
  const ConvShape &shape;
  Slab slab;
};

} // namespace

/// Dot products of the gradients of four rows with the inputs under `taps` neighbouring taps, for channels of one
/// slice.
void DynamicConvGradWriter::writeDots(const ConvTile &tile, const Array &gradient, const Slab &inputs, Value row,
                                      Value tap, int64_t taps, int64_t width) {
  Value last = kernel.sub(tile.rows, kernel.index(1));
  SmallVector<Array> sources;
  for (int64_t i = 0; i < dynamicRows; ++i)
    sources.push_back(kernel.from(gradient, kernel.mul(kernel.min(kernel.add(row, i), last), shape.channels)));
  Values start(dynamicRows * taps, kernel.constantVector(0.0));
  Values sums = kernel.columns(width, 1, start, [&](Value column, Value mask, ValueRange carried) {
    Values next(carried), gradients;
    for (const Array &source : sources)
      gradients.push_back(kernel.loadVector(source, column, mask));
    Array base = kernel.from(inputs.base, column);
    // An input is loaded once for all pairs of a row and a tap that meet in it.
    for (int64_t place = 0; place < dynamicRows + taps - 1; ++place) {
      Value x = kernel.loadVector(base, kernel.index(place * inputs.stride));
      for (int64_t i = std::max<int64_t>(0, place - taps + 1); i <= std::min(place, dynamicRows - 1); ++i)
        next[i * taps + place - i] = kernel.fma(gradients[i], x, next[i * taps + place - i]);
    }
    return next;
  });
  sums.resize(kernel.width(), kernel.constantVector(0.0));
  Value dots = sumsOfLanes(kernel, sums), left = kernel.sub(tile.rows, row);
  for (int64_t i = 0; i < dynamicRows; ++i)
    kernel.when(kernel.less(kernel.index(i), left), [&] {
      SmallVector<int64_t> lanes;
      for (int64_t k = 0; k < taps; ++k)
        lanes.push_back(i * taps + k);
      Value own = kernel.shuffle(dots, dots, lanes);
      Array target = dotsAt(tile, kernel.add(row, i));
      if (sliced())
        own = kernel.add(own, kernel.loadVector(target, tap, nullptr, taps));
      kernel.storeVector(own, target, tap);
    });
}

void DynamicConvGradWriter::writeSlice(const ConvTile &tile, Value channel, int64_t width) {
  Value place = kernel.add(headOrigin(kernel, shape, tile), channel);
  Array input = kernel.from(task.operand(1), place);
  Array gradient = kernel.from(task.operand(0), kernel.add(place, kernel.mul(tile.first, shape.channels)));
  const int64_t perStep = kernel.width() / dynamicRows;
  for (int64_t first = 0; first < shape.kernelSize; first += tapBlock) {
    const int64_t taps = std::min(tapBlock, shape.kernelSize - first), whole = taps / perStep * perStep;
    packSlab(kernel, input, shape.channels, tile.steps, kernel.add(tile.first, first - shape.leftPadding),
             kernel.add(tile.rows, taps - 1), width, slab);
    kernel.loop(kernel.index(0), tile.rows, dynamicRows, [&](Value row) {
      auto dots = [&](Value tap, int64_t count) {
        Slab inputs{kernel.from(slab.base, kernel.mul(kernel.add(row, tap), slab.stride)), slab.stride};
        writeDots(tile, gradient, inputs, row, kernel.add(tap, first), count, width);
      };
      if (whole > 0)
        kernel.loop(kernel.index(0), kernel.index(whole), perStep, [&](Value tap) { dots(tap, perStep); });
      if (whole < taps)
        dots(kernel.index(whole), taps - whole);
    });
  }
}

void DynamicConvGradWriter::finishRows(const ConvTile &tile) {
  TapRows rows(kernel, shape, task.operand(op.getRng()));
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Value step = kernel.add(tile.first, row), element = firstTapAt(kernel, shape, tile, step);
    Array raw = kernel.from(task.operand(2), element), result = kernel.from(task.result(1), element);
    Array used = kernel.from(task.scratch(0), guardedTapAt(kernel, shape, tile, step));
    clearGuards(kernel, used, shape.kernelSize);
    rows.differentiate(raw, element, dotsAt(tile, row), result, kernel.from(used, kernel.index(tapGuard)),
                       tapBoundsAt(kernel, shape, step, tile.steps));
  });
}

void DynamicConvGradWriter::writeTapGradients() {
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    const int64_t width = std::min<int64_t>(dotSlice, llvm::alignTo(shape.headWidth(), kernel.width()));
    const int64_t room = dynamicConvChunk + std::min(tapBlock, shape.kernelSize) + 2 * dynamicRows;
    slab = {kernel.stackArray(room * width), width, room};
    if (sliced())
      kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
        Array dots = dotsAt(tile, row);
        kernel.columns(shape.kernelSize, 1, [&](Value at, Value mask, int64_t) {
          kernel.storeVector(kernel.constantVector(0.0), dots, at, mask);
        });
      });
    forSlices(kernel, shape.headWidth(), dotSlice,
              [&](Value channel, int64_t width) { writeSlice(tile, channel, width); });
    finishRows(tile);
  });
}

void DynamicConvGradWriter::writeInputGradients() {
  kernel.stage(task.name(), 1, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    Value origin = headOrigin(kernel, shape, tile);
    Array weights = kernel.from(task.scratch(0), guardedTapAt(kernel, shape, tile, kernel.index(0)));
    DynamicTile{kernel,
                shape,
                tile,
                weights,
                guardedTaps(shape) * shape.heads,
                /*transposed=*/true,
                kernel.from(task.operand(0), origin),
                kernel.from(task.result(0), origin),
                /*bias=*/{}}
        .run();
  });
}

void writeDynamicConvGrad(KernelTask &task, DynamicConvGradOp op, const ConvShape &shape) {
  DynamicConvGradWriter writer(task, op, shape);
  writer.writeTapGradients();
  writer.writeInputGradients();
}

} // namespace bifocal
