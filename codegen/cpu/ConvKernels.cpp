// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv: every tile normalises the taps of its head once and slides them over slabs of 32 channels.

#include "codegen/cpu/ConvKernels.h"

#include "codegen/cpu/LightConvTiles.h"

using namespace mlir;

namespace bifocal {

static void writeLightConv(KernelTask &task, LightConvOp op, const ConvShape &shape) {
  KernelBuilder &kernel = task.builder;
  auto blocks = tapBlocks(shape.kernelSize, shape.leftPadding);
  kernel.stage(task.name(), 0, [&](Value number) {
    Value input = kernel.buffer(task.operandBuffer(0)), output = kernel.buffer(task.resultBuffer(0));
    ConvTile tile = placeConvTile(kernel, shape, number, lightConvChunk);
    Value taps = kernel.scratch(kernel.f32(), shape.kernelSize);
    Value firstTap = kernel.mul(tile.head, shape.kernelSize);
    TapRows rows(kernel, shape, op.getRng() ? kernel.buffer(bufferOf(op.getRng())) : Value());
    rows.use(kernel.address(kernel.buffer(task.operandBuffer(1)), firstTap), firstTap, taps);
    Value origin = headOrigin(kernel, shape, tile);
    Value bias = op.getBias() ? kernel.address(kernel.buffer(bufferOf(op.getBias())),
                                               kernel.mul(tile.head, shape.headWidth()))
                              : Value();
    Slab slab{kernel.scratch(kernel.f32(), slabRoom(blocks[0].taps) * lightConvSlice), lightConvSlice};
    forSlices(kernel, shape.headWidth(), lightConvSlice, [&](Value channel, int64_t width) {
      Value place = kernel.add(origin, channel), source = kernel.address(input, place);
      Value target = kernel.address(kernel.address(output, place), kernel.mul(tile.first, shape.channels));
      Value sliceBias = bias ? kernel.address(bias, channel) : Value();
      for (const TapBlock &block : blocks) {
        packBlock(kernel, shape, tile, block, source, tile.rows, width, slab);
        Value blockTaps = kernel.address(taps, kernel.index(block.firstTap));
        ConvolveTile{kernel, shape, tile, block, slab, blockTaps, target, sliceBias}.run(width);
      }
    });
  });
}

int64_t bufferOf(Value operand) { return cast<BlockArgument>(operand).getArgNumber(); }

static LogicalResult checkFloats(Operation *op) {
  for (Type type : op->getOperandTypes())
    if (Type element = getElementTypeOrSelf(type); isa<FloatType>(element) && !element.isF32())
      return op->emitOpError("expects f32 on CPUs, but got ") << type;
  return success();
}

FailureOr<bool> generateConv(KernelTask &task) {
  const bool step = isa<LightConvStepOp, DynamicConvStepOp>(task.op);
  if (!step && !isa<LightConvOp, LightConvGradOp, DynamicConvOp, DynamicConvGradOp>(task.op))
    return false;
  if (failed(checkFloats(task.op)))
    return failure();
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
