// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/ConvSchedule.h"

#include "passes/KernelSchedule.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

template <typename Op> static void describeCommon(Op op, ConvShape &shape) {
  shape.channels = cast<ShapedType>(op.getInput().getType()).getShape().back();
  shape.leftPadding = op.getLeftPadding();
  shape.normalized = op.getNormalized();
  shape.dropRate = op.getRng() ? op.getDropRate().convertToFloat() : 0.0f;
  shape.site = op.getSite();
}

template <typename Op> static void describeLight(Op op, ConvShape &shape) {
  describeCommon(op, shape);
  auto taps = cast<ShapedType>(op.getTaps().getType());
  shape.heads = taps.getDimSize(0);
  shape.kernelSize = taps.getDimSize(2);
}

template <typename Op> static void describeDynamic(Op op, ConvShape &shape) {
  describeCommon(op, shape);
  shape.heads = op.getHeads();
  shape.kernelSize = op.getKernelSize();
  shape.renormalized = op.getRenormalized();
  // Only a causal filter is cut to the steps that there are.
  shape.compat = op.getCompat() && shape.leftPadding == shape.kernelSize - 1;
}

std::optional<ConvShape> describeConv(Operation *op) {
  ConvShape shape;
  bool known =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case<LightConvOp, LightConvGradOp>([&](auto conv) { return describeLight(conv, shape), true; })
          .Case<DynamicConvOp, DynamicConvGradOp>([&](auto conv) { return describeDynamic(conv, shape), true; })
          .Default([](Operation *) { return false; });
  if (!known || shape.channels <= 0 || shape.heads <= 0 || shape.kernelSize <= 0)
    return std::nullopt;
  SymbolicDims symbols = launchSymbols(op);
  shape.batch = symbols.operands[0][0];
  shape.steps = symbols.operands[0][1];
  return shape;
}

int64_t partialTaps(const ConvShape &shape) { return llvm::alignTo(shape.kernelSize, widestVector); }
int64_t guardedTaps(const ConvShape &shape) { return shape.kernelSize + 2 * tapGuard; }

/// Of a step of decoding: every tap for every channel.
static int64_t stepMultiplyAdds(Type input, int64_t kernelSize) {
  return cast<ShapedType>(input).getShape().back() * kernelSize;
}

static KernelSchedule scheduleStep(Operation *op, int64_t heads, int64_t kernelSize) {
  // A tile is one head of some neighbouring hypotheses.
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  AffineExpr rows = launchSymbols(op).operands[0][0];
  schedule.stages = {rows.ceilDiv(convStepRows) * heads};
  schedule.multiplyAdds = rows * stepMultiplyAdds(op->getOperand(0).getType(), kernelSize);
  return schedule;
}

std::optional<KernelSchedule> scheduleConv(Operation *op) {
  if (auto step = dyn_cast<LightConvStepOp>(op)) {
    auto taps = cast<ShapedType>(step.getTaps().getType());
    return scheduleStep(op, taps.getDimSize(0), taps.getShape().back());
  }
  if (auto step = dyn_cast<DynamicConvStepOp>(op)) {
    const int64_t taps = cast<ShapedType>(step.getTaps().getType()).getShape().back();
    return scheduleStep(op, step.getHeads(), taps / step.getHeads());
  }
  std::optional<ConvShape> shape = describeConv(op);
  if (!shape)
    return std::nullopt;
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  // A tile is one head of some neighbouring steps of one sequence.
  bool light = isa<LightConvOp, LightConvGradOp>(op);
  AffineExpr chunks = shape->batch * shape->steps.ceilDiv(light ? lightConvChunk : dynamicConvChunk);
  schedule.stages = {chunks * shape->heads};
  // Backward: the gradients of the input and of the taps.
  const int64_t sums = isa<LightConvGradOp, DynamicConvGradOp>(op) ? 2 : 1;
  schedule.multiplyAdds = shape->batch * shape->steps * (sums * shape->channels * shape->kernelSize);
  if (isa<LightConvGradOp>(op)) {
    // Input gradients and the tile's share of the tap gradients; then the sums over the shares, head by head.
    schedule.stages.push_back(getAffineConstantExpr(shape->heads, op->getContext()));
    schedule.scratch = {{chunks, shape->heads * partialTaps(*shape) * int64_t{4}}};
  }
  // Tap gradients and the taps as they were used; then input gradients, which read the taps of other steps. The
  // gradients of the used taps are sums over slices of channels: f32, in the result itself where it is f32 as well.
  if (isa<DynamicConvGradOp>(op))
    schedule.stages.push_back(chunks * shape->heads);
  if (isa<DynamicConvGradOp>(op) || (!light && shape->kernelSize > tapBlock))
    schedule.scratch = {{shape->batch * shape->steps, shape->heads * guardedTaps(*shape) * int64_t{4}}};
  if (isa<DynamicConvGradOp>(op) && isNarrow(op->getResult(1).getType()))
    schedule.scratch.push_back({shape->batch * shape->steps, shape->heads * shape->kernelSize * int64_t{4}});
  return schedule;
}

} // namespace bifocal
