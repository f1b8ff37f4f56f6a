// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// dynamic_conv: a tile normalises the taps of its steps, then four neighbouring steps at a time share the inputs they
// load.

#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/DynamicConvTiles.h"
#include "codegen/cpu/ShortConvTile.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

void clearGuards(KernelBuilder &kernel, const Array &row, int64_t taps) {
  Value zeros = kernel.constant(kernel.vectorOf(kernel.f32(), tapGuard + 1), 0.0);
  kernel.storeVector(zeros, row, kernel.index(0));
  kernel.storeVector(zeros, row, kernel.index(tapGuard + taps - 1));
}

static Value rowNumber(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, Value step) {
  Value row = kernel.add(kernel.mul(tile.batch, tile.steps), step);
  return kernel.add(kernel.mul(row, shape.heads), tile.head);
}

Value firstTapAt(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, Value step) {
  return kernel.mul(rowNumber(kernel, shape, tile, step), shape.kernelSize);
}

Value guardedTapAt(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, Value step) {
  return kernel.mul(rowNumber(kernel, shape, tile, step), guardedTaps(shape));
}

void DynamicTile::run() {
  Value start = kernel.sub(tile.first, kernel.index(padding()));
  if (shape.kernelSize > tapBlock) {
    // Too long for a slab: only steps that exist are read, so the sequence itself will do.
    Slab source{kernel.from(input, kernel.mul(start, shape.channels)), shape.channels};
    forSlices(kernel, shape.headWidth(), dynamicConvSlice,
              [&](Value channel, int64_t width) { runSlice(source, channel, width, true); });
    return;
  }
  if (ShortConvTile::fits(kernel, shape, {input.element, output.element}))
    return runShort();
  const int64_t room = dynamicConvChunk + shape.kernelSize + 2 * tapGuard;
  Slab slab{kernel.stackArray(room * dynamicConvSlice), dynamicConvSlice, room};
  // The guards of the taps meet up to three steps behind the last one.
  Value rows = kernel.add(tile.rows, shape.kernelSize - 1 + tapGuard);
  forSlices(kernel, shape.headWidth(), dynamicConvSlice, [&](Value channel, int64_t width) {
    packSlab(kernel, kernel.from(input, channel), shape.channels, tile.steps, start, rows, width, slab);
    runSlice(slab, channel, width, false);
  });
}

void DynamicTile::runShort() {
  ShortConvTile rows(kernel, shape, tile);
  rows.forRows([&](Value row) {
    SmallVector<Array> own;
    if (transposed)
      own = rows.rowsUnder(row, weights, weightStride, padding());
    else
      for (int64_t i = 0; i < ShortConvTile::tileRows; ++i)
        own.push_back(
            kernel.from(weights, kernel.mul(kernel.min(kernel.add(row, i), kernel.add(tile.rows, -1)), weightStride)));
    auto weight = [&](int64_t offset, int64_t tap) {
      // What meets input offset + tap of these rows has its last tap there if that is its first step.
      return transposed ? kernel.load(own[offset + tap], kernel.index(tapGuard + shape.kernelSize - 1 - tap))
                        : kernel.load(own[offset], kernel.index(tapGuard + tap));
    };
    rows.convolve(row, input, output, padding(), weight, bias);
  });
}

void DynamicTile::runSlice(const Slab &source, Value channel, int64_t width, bool masked) {
  Slab slice = source;
  if (masked)
    slice.base = kernel.from(source.base, channel);
  forColumnGroups(kernel, width, kernel.target().registers >= 32 ? 4 : 2, [&](const ColumnGroup &group) {
    kernel.loop(kernel.index(0), tile.rows, dynamicRows,
                [&](Value row) { runRows(slice, row, channel, group, masked); });
  });
}

void DynamicTile::weightsOf(Value row, Value start, SmallVectorImpl<Array> &bases) {
  Value last = kernel.sub(tile.rows, kernel.index(1));
  for (int64_t i = 0; i < dynamicRows; ++i) {
    if (transposed) {
      // Input j of this group is step start + j; its tap for row i is K - 1 - j + i.
      Value origin = kernel.mul(start, weightStride);
      bases.push_back(kernel.from(weights, kernel.add(origin, tapGuard + shape.kernelSize - 1 + i)));
    } else {
      // Rows behind the tile's last one are not stored; they read its weights.
      Value own = kernel.min(kernel.add(row, i), last);
      bases.push_back(kernel.from(weights, kernel.add(kernel.mul(own, weightStride), tapGuard - i)));
    }
  }
}

void DynamicTile::runRows(const Slab &source, Value row, Value channel, const ColumnGroup &group, bool masked) {
  const int64_t columns = group.vectors;
  Value start = kernel.sub(kernel.add(tile.first, row), kernel.index(padding())), zero = kernel.index(0);
  Value low = kernel.max(kernel.sub(zero, start), zero);
  Value high = kernel.min(kernel.sub(tile.steps, start), kernel.index(shape.kernelSize + tapGuard));
  SmallVector<Array> bases;
  weightsOf(row, start, bases);
  Array origin = kernel.from(source.base, kernel.add(kernel.mul(row, source.stride), group.column));
  Values sums(dynamicRows * columns, kernel.constantVector(0.0));
  sums = kernel.loop(low, high, 1, sums, [&](Value place, ValueRange carried) {
    Values next(carried), inputs;
    Array base = kernel.from(origin, kernel.mul(place, source.stride));
    for (int64_t column = 0; column < columns; ++column)
      inputs.push_back(
          kernel.loadVector(base, kernel.index(column * kernel.width()), masked ? group.maskOf(column) : Value()));
    Value at = transposed ? kernel.mul(place, weightStride - 1) : place;
    for (int64_t i = 0; i < dynamicRows; ++i) {
      Value weight = kernel.splat(kernel.load(bases[i], at));
      for (int64_t column = 0; column < columns; ++column)
        next[i * columns + column] = kernel.fma(inputs[column], weight, next[i * columns + column]);
    }
    return next;
  });
  Value left = kernel.sub(tile.rows, row);
  for (int64_t i = 0; i < dynamicRows; ++i)
    kernel.when(kernel.less(kernel.index(i), left), [&] {
      Value step = kernel.add(kernel.add(tile.first, row), i);
      Value place = kernel.add(kernel.add(kernel.mul(step, shape.channels), channel), group.column);
      for (int64_t column = 0; column < columns; ++column) {
        Value at = kernel.index(column * kernel.width()), mask = group.maskOf(column), sum = sums[i * columns + column];
        if (bias)
          sum = kernel.add(sum, kernel.loadVector(kernel.from(bias, kernel.add(channel, group.column)), at, mask));
        kernel.storeVector(sum, kernel.from(output, place), at, mask);
      }
    });
}

void writeDynamicConv(KernelTask &task, DynamicConvOp op, const ConvShape &shape) {
  KernelBuilder &kernel = task.builder;
  const int64_t stride = guardedTaps(shape);
  // Rows of long filters go through memory: there they are the tile's own rows of a buffer of the launch.
  const bool inMemory = shape.kernelSize > tapBlock;
  kernel.stage(task.name(), 0, [&](Value number) {
    ConvTile tile = placeConvTile(kernel, shape, number, dynamicConvChunk);
    TapRows rows(kernel, shape, task.operand(op.getRng()));
    Array raw = task.operand(1);
    Array weights = inMemory ? kernel.from(task.scratch(0), guardedTapAt(kernel, shape, tile, tile.first))
                             : kernel.stackArray(dynamicConvChunk * stride);
    const int64_t weightStride = inMemory ? stride * shape.heads : stride;
    kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
      Value step = kernel.add(tile.first, row), element = firstTapAt(kernel, shape, tile, step);
      Array target = kernel.from(weights, kernel.mul(row, weightStride));
      clearGuards(kernel, target, shape.kernelSize);
      rows.use(kernel.from(raw, element), element, kernel.from(target, kernel.index(tapGuard)),
               tapBoundsAt(kernel, shape, step, tile.steps));
    });
    Value origin = headOrigin(kernel, shape, tile);
    DynamicTile{kernel,
                shape,
                tile,
                weights,
                weightStride,
                /*transposed=*/false,
                kernel.from(task.operand(0), origin),
                kernel.from(task.result(0), origin),
                biasOfHead(task, op.getBias(), shape, tile)}
        .run();
  });
}

} // namespace bifocal
