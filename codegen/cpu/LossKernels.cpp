// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/CpuKernels.h"
#include "passes/RowSchedule.h"

#include <limits>

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

/// What both kernels know about the rows of logits.
struct LossShape {
  int64_t classes;
  /// The weights of the target and of every class in the smoothed loss, as the op defines them.
  double targetWeight, classWeight;
  int32_t ignored;
  AffineExpr rows;
};

} // namespace

template <typename Op> static LossShape lossShape(Op op) {
  int64_t classes = lastAxis(op.getLogits());
  double smoothing = op.getSmoothing().convertToDouble();
  double share = classes > 1 ? smoothing / static_cast<double>(classes - 1) : 0.0;
  return {classes, 1.0 - smoothing - share, share, static_cast<int32_t>(op.getIgnoreIndex()),
          rowCount(launchSymbols(op).operands[0], op.getContext())};
}

/// The maximum of a row, the sum of e^(x - maximum), and the sum of (x - maximum) when `plainSum`.
struct RowSums {
  Value maximum, exponentials, plain;
};

static RowSums sumRow(KernelBuilder &kernel, const Array &row, int64_t classes, bool plainSum) {
  // As many sums at once as leave registers for the constants of exp.
  const int64_t lanes = kernel.target().registers / 8;
  Value lowest = kernel.constantVector(-std::numeric_limits<double>::infinity()), zero = kernel.constantVector(0.0);
  auto peaks =
      kernel.columns(classes, lanes, SmallVector<Value>(lanes, lowest), [&](Value at, Value mask, ValueRange group) {
        Value x = kernel.loadVector(row, at, mask);
        return Values{kernel.max(mask ? kernel.select(mask, x, lowest) : x, group[0])};
      });
  Value peak = peaks[0];
  for (Value other : ArrayRef<Value>(peaks).drop_front())
    peak = kernel.max(peak, other);
  peak = kernel.horizontalMax(peak);
  Value peakVector = kernel.splat(peak);
  int64_t perLane = plainSum ? 2 : 1;
  auto sums = kernel.columns(
      classes, lanes, SmallVector<Value>(lanes * perLane, zero), [&](Value at, Value mask, ValueRange group) {
        Value x = kernel.sub(kernel.loadVector(row, at, mask), peakVector), e = kernel.expNonPositive(x);
        Values next{kernel.add(group[0], mask ? kernel.select(mask, e, zero) : e)};
        if (plainSum)
          next.push_back(kernel.add(group[1], mask ? kernel.select(mask, x, zero) : x));
        return next;
      });
  auto total = [&](int64_t which) {
    Value sum = sums[which];
    for (int64_t lane = 1; lane < lanes; ++lane)
      sum = kernel.add(sum, sums[lane * perLane + which]);
    return kernel.horizontalSum(sum);
  };
  return {peak, total(0), plainSum ? total(1) : Value()};
}

/// Loss and likelihood of one row, added to the three f64 sums `carried`.
static Values addRow(KernelBuilder &kernel, const LossShape &shape, const Array &row, Value target,
                     ValueRange carried) {
  bool smooth = shape.classWeight != 0.0;
  RowSums sums = sumRow(kernel, row, shape.classes, smooth);
  Value inside =
      kernel.min(kernel.max(kernel.convert(target, kernel.i64()), kernel.index(0)), kernel.index(shape.classes - 1));
  auto wide = [&](Value value) { return kernel.convert(value, kernel.f64()); };
  Value logarithm = kernel.log(sums.exponentials);
  Value nll = kernel.sub(wide(logarithm), wide(kernel.sub(kernel.load(row, inside), sums.maximum)));
  Value loss = nll;
  if (smooth) {
    // The sum of -lp over all classes: V log(sum) - sum(x - max).
    Value all =
        kernel.sub(kernel.mul(wide(logarithm), kernel.constant(kernel.f64(), static_cast<double>(shape.classes))),
                   wide(sums.plain));
    loss = kernel.add(kernel.mul(nll, kernel.constant(kernel.f64(), shape.targetWeight)),
                      kernel.mul(all, kernel.constant(kernel.f64(), shape.classWeight)));
  }
  return {kernel.add(carried[0], loss), kernel.add(carried[1], nll),
          kernel.add(carried[2], kernel.constant(kernel.f64(), 1.0))};
}

static void writeCrossEntropy(KernelTask &task, CrossEntropyOp op) {
  KernelBuilder &kernel = task.builder;
  LossShape shape = lossShape(op);
  Type f64 = kernel.f64();
  kernel.stage(task.name(), 0, [&](Value share) {
    Array logits = task.operand(0), targets = task.operand(1);
    Value rows = kernel.expression(shape.rows), perShare = kernel.ceilDiv(rows, kernel.index(lossShares));
    Value begin = kernel.min(kernel.mul(share, perShare), rows), end = kernel.min(kernel.add(begin, perShare), rows);
    Value zero = kernel.constant(f64, 0.0);
    Values sums = kernel.loop(begin, end, 1, {zero, zero, zero}, [&](Value row, ValueRange carried) {
      Value target = kernel.load(targets, row);
      Value ignored = kernel.equal(target, kernel.constantInt(kernel.i32(), shape.ignored));
      return kernel.choose(
          ignored, [&] { return Values(carried); },
          [&] { return addRow(kernel, shape, kernel.from(logits, kernel.mul(row, shape.classes)), target, carried); });
    });
    Array place = kernel.from(task.scratch(0, f64), kernel.mul(share, 4));
    for (auto [index, sum] : llvm::enumerate(sums))
      kernel.store(sum, place, kernel.index(index));
  });
  bool accumulate = task.kernel->hasAttr("accumulate");
  kernel.stage(task.name(), 1, [&](Value) {
    Array place = task.scratch(0, f64);
    Value zero = kernel.constant(f64, 0.0);
    Values sums = kernel.loop(
        kernel.index(0), kernel.index(lossShares), 1, {zero, zero, zero}, [&](Value share, ValueRange carried) {
          Values next;
          for (auto [index, sum] : llvm::enumerate(carried))
            next.push_back(kernel.add(sum, kernel.load(place, kernel.add(kernel.mul(share, 4), index))));
          return next;
        });
    for (auto [index, sum] : llvm::enumerate(sums)) {
      Array target = task.result(index);
      Value total = kernel.convert(sum, kernel.f32());
      if (accumulate)
        total = kernel.add(kernel.load(target, kernel.index(0)), total);
      kernel.store(total, target, kernel.index(0));
    }
  });
}

/// softmax - weights of the smoothed target, times the loss gradient. Input and output may be the same memory.
static void writeGradRow(KernelTask &task, const LossShape &shape, const Array &row, const Array &output, Value target,
                         Value scale) {
  KernelBuilder &kernel = task.builder;
  RowSums sums = sumRow(kernel, row, shape.classes, false);
  // All weights together are the target's and V times the classes' one.
  double weights = shape.targetWeight + static_cast<double>(shape.classes) * shape.classWeight;
  Value factor = kernel.div(kernel.mul(scale, kernel.constantF32(weights)), sums.exponentials);
  Value factors = kernel.splat(factor), peak = kernel.splat(sums.maximum);
  Value offset = kernel.mul(scale, kernel.constantF32(-shape.classWeight)), offsets = kernel.splat(offset);
  Value inside =
      kernel.min(kernel.max(kernel.convert(target, kernel.i64()), kernel.index(0)), kernel.index(shape.classes - 1));
  Value less = kernel.mul(scale, kernel.constantF32(shape.targetWeight));
  // Before the row is overwritten.
  Value targetLogit = kernel.load(row, inside);
  auto gradient = [&](Value logit, Value maximum, Value factor, Value offset) {
    return kernel.fma(kernel.expNonPositive(kernel.sub(logit, maximum)), factor, offset);
  };
  kernel.columns(shape.classes, 4, [&](Value at, Value mask, int64_t) {
    kernel.storeVector(gradient(kernel.loadVector(row, at, mask), peak, factors, offsets), output, at, mask);
  });
  kernel.store(kernel.sub(gradient(targetLogit, sums.maximum, factor, offset), less), output, inside);
}

static void writeCrossEntropyGrad(KernelTask &task, CrossEntropyGradOp op) {
  KernelBuilder &kernel = task.builder;
  LossShape shape = lossShape(op);
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        Array logits = task.operand(0), targets = task.operand(1);
        Array result = task.result(0);
        Value scale = op.getLossGrad() ? kernel.load(task.operand(2), kernel.index(0)) : kernel.constantF32(1.0);
        int64_t perTile = task.rowsOfTile(rowsPerTile(shape.classes));
        Value begin = kernel.mul(tile, perTile),
              end = kernel.min(kernel.add(begin, perTile), kernel.expression(shape.rows));
        kernel.loop(begin, end, 1, [&](Value row) {
          Value target = kernel.load(targets, row), first = kernel.mul(row, shape.classes);
          Array output = kernel.from(result, first);
          kernel.when(
              kernel.equal(target, kernel.constantInt(kernel.i32(), shape.ignored)),
              [&] {
                kernel.columns(shape.classes, 4, [&](Value at, Value mask, int64_t) {
                  kernel.storeVector(kernel.constantVector(0.0), output, at, mask);
                });
              },
              [&] { writeGradRow(task, shape, kernel.from(logits, first), output, target, scale); });
        });
      },
      task.tilesOf(shape.rows));
}

FailureOr<bool> generateLoss(KernelTask &task) {
  if (auto op = dyn_cast<CrossEntropyOp>(task.op))
    writeCrossEntropy(task, op);
  else if (auto op = dyn_cast<CrossEntropyGradOp>(task.op))
    writeCrossEntropyGrad(task, op);
  else
    return false;
  return true;
}

} // namespace bifocal
