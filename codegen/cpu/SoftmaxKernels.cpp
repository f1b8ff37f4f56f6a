// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// softmax, softmax_grad and log_softmax: every group of neighbours is read once for its maximum and once for its sum.

#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

#include <limits>

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
constexpr int64_t sumLanes = 4;

static Value foldLanes(KernelBuilder &kernel, const Values &lanes, bool maximum) {
  Value result = lanes[0];
  for (Value lane : ArrayRef<Value>(lanes).drop_front())
    result = maximum ? kernel.max(result, lane) : kernel.add(result, lane);
  return maximum ? kernel.horizontalMax(result) : kernel.horizontalSum(result);
}

/// The maximum of `width` elements at `base`.
static Value rowMax(KernelBuilder &kernel, const Array &base, int64_t width) {
  Value lowest = kernel.constantVector(-std::numeric_limits<double>::infinity());
  SmallVector<Value> start(sumLanes, lowest);
  return foldLanes(kernel,
                   kernel.columns(width, sumLanes, start,
                                  [&](Value at, Value mask, ValueRange group) {
                                    Value x = kernel.loadVector(base, at, mask);
                                    return Values{kernel.max(mask ? kernel.select(mask, x, lowest) : x, group[0])};
                                  }),
                   true);
}

/// Writes e^(x - maximum) to `target` (when given) and returns the sum.
static Value rowExpSum(KernelBuilder &kernel, const Array &base, const Array &target, Value maximum, int64_t width) {
  Value zero = kernel.constantVector(0.0), peak = kernel.splat(maximum);
  SmallVector<Value> start(sumLanes, zero);
  return foldLanes(kernel,
                   kernel.columns(width, sumLanes, start,
                                  [&](Value at, Value mask, ValueRange group) {
                                    Value e =
                                        kernel.expNonPositive(kernel.sub(kernel.loadVector(base, at, mask), peak));
                                    if (target)
                                      kernel.storeVector(e, target, at, mask);
                                    return Values{kernel.add(group[0], mask ? kernel.select(mask, e, zero) : e)};
                                  }),
                   false);
}

/// `powers`: f32, room for the numerators; it may be the output.
static void writeSoftmax(KernelBuilder &kernel, const Array &input, const Array &powers, const Array &output,
                         int64_t group) {
  Value total = rowExpSum(kernel, input, powers, rowMax(kernel, input, group), group);
  Value factor = kernel.splat(kernel.div(kernel.constantF32(1.0), total));
  kernel.columns(group, sumLanes, [&](Value at, Value mask, int64_t) {
    kernel.storeVector(kernel.mul(kernel.loadVector(powers, at, mask), factor), output, at, mask);
  });
}

static void writeSoftmaxGrad(KernelBuilder &kernel, const Array &gradient, const Array &output, const Array &result,
                             int64_t group) {
  SmallVector<Value> start(sumLanes, kernel.constantVector(0.0));
  // Beyond the tail both factors are 0.
  Value dot = foldLanes(kernel,
                        kernel.columns(group, sumLanes, start,
                                       [&](Value at, Value mask, ValueRange carried) {
                                         return Values{kernel.fma(kernel.loadVector(gradient, at, mask),
                                                                  kernel.loadVector(output, at, mask), carried[0])};
                                       }),
                        false);
  Value dots = kernel.splat(dot);
  kernel.columns(group, sumLanes, [&](Value at, Value mask, int64_t) {
    Value difference = kernel.sub(kernel.loadVector(gradient, at, mask), dots);
    kernel.storeVector(kernel.mul(kernel.loadVector(output, at, mask), difference), result, at, mask);
  });
}

static void writeLogSoftmax(KernelBuilder &kernel, const Array &input, const Array &output, int64_t width) {
  Value maximum = rowMax(kernel, input, width);
  Value total = rowExpSum(kernel, input, {}, maximum, width);
  Value peak = kernel.splat(maximum), logarithm = kernel.splat(kernel.log(total));
  kernel.columns(width, sumLanes, [&](Value at, Value mask, int64_t) {
    Value x = kernel.sub(kernel.sub(kernel.loadVector(input, at, mask), peak), logarithm);
    kernel.storeVector(x, output, at, mask);
  });
}

FailureOr<bool> generateSoftmax(KernelTask &task) {
  if (!isa<SoftmaxOp, SoftmaxGradOp, LogSoftmaxOp>(task.op))
    return false;
  Value first = task.op->getOperand(0);
  int64_t width = lastAxis(first), group = width;
  if (width <= 0) {
    task.op->emitOpError("expects a static last axis on CPUs, but got ") << first.getType();
    return failure();
  }
  if (auto softmax = dyn_cast<SoftmaxOp>(task.op))
    group = softmax.getGroup();
  if (auto grad = dyn_cast<SoftmaxGradOp>(task.op))
    group = grad.getGroup();
  KernelBuilder &kernel = task.builder;
  AffineExpr rowCountExpr = rowCount(launchSymbols(task.op).operands[0], task.op->getContext());
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Value perTile = kernel.index(task.rowsOfTile(rowsPerTile(width)) * (width / group));
        Value groups = kernel.mul(kernel.expression(rowCountExpr), width / group);
        Value begin = kernel.mul(tile, perTile), end = kernel.min(kernel.add(begin, perTile), groups);
        const bool needsRow = isa<SoftmaxOp>(task.op) && isNarrow(task.op->getResult(0).getType());
        Array row = needsRow ? kernel.stackArray(group) : Array();
        kernel.loop(begin, end, 1, [&](Value number) {
          Value offset = kernel.mul(number, group);
          Array input = kernel.from(task.operand(0), offset), output = kernel.from(task.result(0), offset);
          if (isa<SoftmaxOp>(task.op))
            writeSoftmax(kernel, input, needsRow ? row : output, output, group);
          else if (isa<SoftmaxGradOp>(task.op))
            writeSoftmaxGrad(kernel, input, kernel.from(task.operand(1), offset), output, group);
          else
            writeLogSoftmax(kernel, input, output, group);
        });
      },
      task.tilesOf(rowCountExpr));
  return true;
}

} // namespace bifocal
