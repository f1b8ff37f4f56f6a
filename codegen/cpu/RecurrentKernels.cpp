// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Models with a memory: steps behind those of the memory, distances, and what spans cost.

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// A stage that copies the rows [sequence, step] of `count` sequences of `steps`, from step `fromFirst` of sequences of
/// `fromSteps` to step `toFirst` of sequences of `toSteps`.
struct StepCopy {
  AffineExpr count, steps, fromFirst, fromSteps, toFirst, toSteps;
};

static void writeStepCopy(KernelTask &task, int64_t stage, int64_t operand, const StepCopy &copy) {
  KernelBuilder &kernel = task.builder;
  const int64_t width = lastAxis(task.op->getResult(0)), perTile = task.rowsOfTile(rowsPerTile(width));
  AffineExpr rows = copy.count * copy.steps;
  kernel.stage(
      task.name(), stage,
      [&](Value tile) {
        Value begin = kernel.mul(tile, perTile);
        Value end = kernel.min(kernel.add(begin, perTile), kernel.expression(rows));
        Value steps = kernel.expression(copy.steps);
        auto rowOf = [&](Value sequence, AffineExpr all, AffineExpr first, Value step) {
          return kernel.add(kernel.mul(sequence, kernel.expression(all)), kernel.add(kernel.expression(first), step));
        };
        kernel.loop(begin, end, 1, [&](Value row) {
          Value sequence = kernel.div(row, steps), step = kernel.rem(row, steps);
          Array source = kernel.from(task.operand(operand),
                                     kernel.mul(rowOf(sequence, copy.fromSteps, copy.fromFirst, step), width));
          Array target =
              kernel.from(task.result(0), kernel.mul(rowOf(sequence, copy.toSteps, copy.toFirst, step), width));
          kernel.columns(width, 4, [&](Value at, Value mask, int64_t) {
            kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
          });
        });
      },
      task.tilesOf(rows));
}

static void writeAppendSteps(KernelTask &task, AppendStepsOp op) {
  SymbolicDims dims = launchSymbols(op);
  AffineExpr none = getAffineConstantExpr(0, op.getContext());
  AffineExpr memory = dims.operands[0][1], steps = dims.operands[1][1], all = dims.results[0][1];
  writeStepCopy(task, 0, 0, {dims.operands[0][0], memory, none, memory, none, all});
  writeStepCopy(task, 1, 1, {dims.operands[1][0], steps, none, steps, memory, all});
}

static void writeAppendStepsGrad(KernelTask &task, AppendStepsGradOp op) {
  SymbolicDims dims = launchSymbols(op);
  AffineExpr steps = dims.results[0][1];
  writeStepCopy(task, 0, 1,
                {dims.results[0][0], steps, dims.operands[0][1], dims.operands[1][1],
                 getAffineConstantExpr(0, op.getContext()), steps});
}

static void writeDistances(KernelTask &task, DistancesOp op) {
  KernelBuilder &kernel = task.builder;
  AffineExpr steps = launchSymbols(op).results[0][0];
  kernel.stage(task.name(), 0, [&](Value tile) {
    Array output = task.result(0);
    Value begin = kernel.mul(tile, idsPerTile);
    Value count = kernel.sub(kernel.min(kernel.add(begin, idsPerTile), kernel.expression(steps)), begin);
    Value most = kernel.constantInt(kernel.vectorOf(kernel.i32()), static_cast<int32_t>(op.getMost()));
    kernel.columns(count, {}, [&](Value at, Value mask, ValueRange) {
      Value place = kernel.add(begin, at);
      Value distance =
          kernel.add(kernel.splat(kernel.convert(place, kernel.i32())), kernel.lanes(kernel.i32(), kernel.width()));
      kernel.storeVector(kernel.min(distance, most), output, place, mask);
      return Values{};
    });
  });
}

/// count * factor * span_unit / heads
static Value pricePerHead(KernelTask &task, int64_t count, const llvm::APFloat &factor, uint64_t unit, int64_t heads) {
  KernelBuilder &kernel = task.builder;
  const double price = factor.convertToFloat() * static_cast<double>(unit) / static_cast<double>(heads);
  return kernel.mul(kernel.load(task.operand(count), kernel.index(0)), kernel.constantF32(price));
}

static void writeSpanPenalty(KernelTask &task, SpanPenaltyOp op) {
  KernelBuilder &kernel = task.builder;
  const int64_t heads = cast<ShapedType>(op.getSpan().getType()).getNumElements();
  kernel.stage(task.name(), 0, [&](Value) {
    Array span = task.operand(0), sizes = task.result(1);
    Value zero = kernel.constantF32(0), one = kernel.constantF32(1);
    Value unit = kernel.constantF32(static_cast<double>(op.getSpanUnit()));
    Values sum =
        kernel.loop(kernel.index(0), kernel.index(heads), 1, ValueRange{zero}, [&](Value head, ValueRange now) {
          Value own = kernel.load(span, head);
          kernel.store(kernel.mul(kernel.min(one, kernel.max(zero, own)), unit), sizes, head);
          return Values{kernel.add(now[0], own)};
        });
    kernel.store(kernel.mul(sum[0], pricePerHead(task, 1, op.getFactor(), op.getSpanUnit(), heads)), task.result(0),
                 kernel.index(0));
  });
}

static void writeSpanPenaltyGrad(KernelTask &task, SpanPenaltyGradOp op) {
  KernelBuilder &kernel = task.builder;
  const int64_t heads = cast<ShapedType>(op.getSpanGrad().getType()).getNumElements();
  kernel.stage(task.name(), 0, [&](Value) {
    Value gradient = pricePerHead(task, 0, op.getFactor(), op.getSpanUnit(), heads);
    if (op.getPenaltyGrad())
      gradient = kernel.mul(kernel.load(task.operand(1), kernel.index(0)), gradient);
    kernel.loop(kernel.index(0), kernel.index(heads), 1,
                [&](Value head) { kernel.store(gradient, task.result(0), head); });
  });
}

FailureOr<bool> generateRecurrent(KernelTask &task) {
  return llvm::TypeSwitch<Operation *, bool>(task.op)
      .Case([&](AppendStepsOp op) { return writeAppendSteps(task, op), true; })
      .Case([&](AppendStepsGradOp op) { return writeAppendStepsGrad(task, op), true; })
      .Case([&](DistancesOp op) { return writeDistances(task, op), true; })
      .Case([&](SpanPenaltyOp op) { return writeSpanPenalty(task, op), true; })
      .Case([&](SpanPenaltyGradOp op) { return writeSpanPenaltyGrad(task, op), true; })
      .Default([](Operation *) { return false; });
}

} // namespace bifocal
