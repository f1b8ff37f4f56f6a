// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// light_conv_step and dynamic_conv_step: a tile is one head of some hypotheses. The sums take their taps in the order
// of the convolutions over sequences, so a step has the bits of the same position there.

#include "codegen/cpu/ConvKernels.h"
#include "codegen/cpu/ConvTiles.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

class ConvStepWriter {
public:
  template <typename Op> ConvStepWriter(KernelTask &task, Op op);
  void write();

private:
  void writeRow(Value row, Value head, const Array &taps);
  /// The cached input of step `past` of hypothesis `row`.
  Array history(Value row, Value past);
  void writeColumns(Value row, const Array &taps, Value channel, Value oldest, const ColumnGroup &group);

  KernelTask &task;
  KernelBuilder &kernel;
  ConvShape shape;
  bool dynamic;
  Value inputOperand, tapsOperand, biasOperand, ancestorsOperand, stepOperand;
  AffineExpr rows, cacheRows, ancestorSteps;
  Value step, slot;
};

} // namespace

template <typename Op>
ConvStepWriter::ConvStepWriter(KernelTask &task, Op op)
    : task(task), kernel(task.builder), dynamic(isa<DynamicConvStepOp>(op.getOperation())), inputOperand(op.getInput()),
      tapsOperand(op.getTaps()), biasOperand(op.getBias()), ancestorsOperand(op.getAncestors()),
      stepOperand(op.getStep()) {
  shape.channels = cast<ShapedType>(op.getInput().getType()).getShape().back();
  shape.normalized = op.getNormalized();
  auto taps = cast<ShapedType>(op.getTaps().getType()).getShape();
  if constexpr (std::is_same_v<Op, DynamicConvStepOp>) {
    shape.heads = op.getHeads();
    shape.renormalized = op.getRenormalized();
    shape.compat = op.getCompat();
    shape.kernelSize = taps.back() / shape.heads;
  } else {
    shape.heads = taps.front();
    shape.kernelSize = taps.back();
  }
  shape.leftPadding = shape.kernelSize - 1;
  SymbolicDims symbols = launchSymbols(task.op);
  rows = symbols.operands[0][0];
  ancestorSteps = symbols.operands[task.op->getNumOperands() - 2][1];
  cacheRows = symbols.states[0][1];
}

Array ConvStepWriter::history(Value row, Value past) {
  Value place = kernel.add(kernel.mul(row, kernel.expression(ancestorSteps)), past);
  Value physical = kernel.loadIndex(task.operand(ancestorsOperand), place);
  Value number =
      kernel.add(kernel.mul(kernel.rem(past, kernel.index(shape.kernelSize)), kernel.expression(cacheRows)), physical);
  return kernel.from(task.state(0), kernel.mul(number, shape.channels));
}

void ConvStepWriter::writeColumns(Value row, const Array &taps, Value channel, Value oldest, const ColumnGroup &group) {
  const int64_t newest = shape.kernelSize - 1;
  Value column = kernel.add(channel, group.column);
  Values sums(group.vectors, kernel.constantVector(0.0));
  auto add = [&](ValueRange carried, const Array &source, Value tap) {
    Values next;
    Value weight = kernel.splat(kernel.load(taps, tap));
    for (int64_t i = 0; i < group.vectors; ++i) {
      Value x = kernel.loadVector(source, kernel.add(column, i * kernel.width()), group.maskOf(i));
      next.push_back(kernel.fma(x, weight, carried[i]));
    }
    return next;
  };
  Value first = kernel.sub(step, kernel.index(newest));
  sums = kernel.loop(kernel.sub(oldest, first), kernel.index(newest), 1, sums, [&](Value tap, ValueRange carried) {
    return add(carried, history(row, kernel.add(first, tap)), tap);
  });
  // The newest input comes from the operand: the cache is only written.
  Value rowStart = kernel.mul(row, shape.channels);
  Array input = kernel.from(task.operand(inputOperand), rowStart);
  sums = add(sums, input, kernel.index(newest));
  Value slotRow = kernel.add(kernel.mul(slot, kernel.expression(cacheRows)), row);
  Array cached = kernel.from(task.state(0), kernel.mul(slotRow, shape.channels));
  Array output = kernel.from(task.result(0), rowStart);
  for (int64_t i = 0; i < group.vectors; ++i) {
    Value at = kernel.add(column, i * kernel.width()), mask = group.maskOf(i);
    kernel.storeVector(kernel.loadVector(input, at, mask), cached, at, mask);
    if (biasOperand)
      sums[i] = kernel.add(sums[i], kernel.loadVector(task.operand(biasOperand), at, mask));
    kernel.storeVector(sums[i], output, at, mask);
  }
}

void ConvStepWriter::writeRow(Value row, Value head, const Array &taps) {
  Value oldest = kernel.max(kernel.sub(step, kernel.index(shape.kernelSize - 1)), kernel.index(0));
  Value channel = kernel.mul(head, shape.headWidth());
  forColumnGroups(kernel, shape.headWidth(), 8,
                  [&](const ColumnGroup &group) { writeColumns(row, taps, channel, oldest, group); });
}

void ConvStepWriter::write() {
  kernel.stage(task.name(), 0, [&](Value tile) {
    Value head = kernel.rem(tile, kernel.index(shape.heads));
    Value begin = kernel.mul(kernel.div(tile, kernel.index(shape.heads)), convStepRows);
    Value end = kernel.min(kernel.add(begin, convStepRows), kernel.expression(rows));
    step = kernel.loadIndex(task.operand(stepOperand), kernel.index(0));
    slot = kernel.rem(step, kernel.index(shape.kernelSize));
    Array taps = kernel.stackArray(shape.kernelSize), all = task.operand(tapsOperand);
    TapRows tapRows(kernel, shape, {});
    auto useTaps = [&](Value element) {
      // As in a sequence that ends with this step.
      TapBounds bounds = dynamic ? tapBoundsAt(kernel, shape, step, kernel.add(step, 1)) : TapBounds{};
      tapRows.use(kernel.from(all, element), element, taps, bounds);
    };
    if (!dynamic)
      useTaps(kernel.mul(head, shape.kernelSize));
    kernel.loop(begin, end, 1, [&](Value row) {
      if (dynamic)
        useTaps(kernel.mul(kernel.add(kernel.mul(row, shape.heads), head), shape.kernelSize));
      writeRow(row, head, taps);
    });
  });
}

void writeConvStep(KernelTask &task) {
  if (auto light = dyn_cast<LightConvStepOp>(task.op))
    ConvStepWriter(task, light).write();
  else
    ConvStepWriter(task, cast<DynamicConvStepOp>(task.op)).write();
}

} // namespace bifocal
