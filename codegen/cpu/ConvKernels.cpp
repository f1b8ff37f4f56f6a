// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv: every tile normalises the taps of its head once and slides them over slabs of 32 channels, or, few taps
// on a CPU, over the sequence itself.

#include "codegen/cpu/ConvKernels.h"

#include "codegen/cpu/LightConvTiles.h"
#include "codegen/cpu/ShortConvTile.h"

using namespace mlir;

namespace bifocal {

Array biasOfHead(KernelTask &task, Value bias, const ConvShape &shape, const ConvTile &tile) {
  if (!bias)
    return {};
  return task.builder.from(task.operand(bias), task.builder.mul(tile.head, shape.headWidth()));
}

static void writeLightConv(KernelTask &task, LightConvOp op, const ConvShape &shape) {
  KernelBuilder &kernel = task.builder;
  auto blocks = tapBlocks(kernel, shape.kernelSize, shape.leftPadding);
  kernel.stage(task.name(), 0, [&](Value number) {
    Array input = task.operand(0), output = task.result(0);
    ConvTile tile = placeConvTile(kernel, shape, number, lightConvChunk);
    Array taps = kernel.stackArray(shape.kernelSize);
    Value firstTap = kernel.mul(tile.head, shape.kernelSize);
    TapRows rows(kernel, shape, task.operand(op.getRng()));
    rows.use(kernel.from(task.operand(1), firstTap), firstTap, taps);
    Value origin = headOrigin(kernel, shape, tile);
    Array bias = biasOfHead(task, op.getBias(), shape, tile);
    if (ShortConvTile::fits(kernel, shape, {op.getInput().getType(), op.getOutput().getType()})) {
      ShortConvTile all(kernel, shape, tile);
      return all.forRows([&](Value row) {
        all.convolve(
            row, kernel.from(input, origin), kernel.from(output, origin), shape.leftPadding,
            [&](int64_t, int64_t tap) { return kernel.load(taps, kernel.index(tap)); }, bias);
      });
    }
    const int64_t room = slabRoom(blocks[0].taps);
    Slab slab{kernel.stackArray(room * lightConvSlice), lightConvSlice, room}, sums{{}, lightConvSlice};
    if (ConvolveTile::keepsSums(kernel, blocks))
      sums.base = kernel.stackArray(lightConvChunk * lightConvSlice);
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      Value place = kernel.add(origin, channel);
      Array source = kernel.from(input, place);
      Array target = kernel.from(kernel.from(output, place), kernel.mul(tile.first, shape.channels));
      Array sliceBias = bias ? kernel.from(bias, channel) : Array();
      for (const TapBlock &block : blocks) {
        packBlock(kernel, shape, tile, block, source, tile.rows, width, slab);
        Array blockTaps = kernel.from(taps, kernel.index(block.firstTap));
        ConvolveTile{kernel, shape, tile, block, slab, blockTaps, sums, target, sliceBias}.run(width);
      }
    });
  });
}

FailureOr<bool> generateConv(KernelTask &task) {
  const bool step = isa<LightConvStepOp, DynamicConvStepOp>(task.op);
  if (!step && !isa<LightConvOp, LightConvGradOp, DynamicConvOp, DynamicConvGradOp>(task.op))
    return false;
  if (step) {
    writeConvStep(task);
    return true;
  }
  std::optional<ConvShape> shape = describeConv(task.op);
  if (!shape) {
    task.op->emitOpError("expects static channels, heads and taps on CPUs");
    return failure();
  }
  llvm::TypeSwitch<Operation *>(task.op)
      .Case([&](LightConvOp op) { writeLightConv(task, op, *shape); })
      .Case([&](LightConvGradOp op) { writeLightConvGrad(task, op, *shape); })
      .Case([&](DynamicConvOp op) { writeDynamicConv(task, op, *shape); })
      .Case([&](DynamicConvGradOp op) { writeDynamicConvGrad(task, op, *shape); });
  return true;
}

} // namespace bifocal
