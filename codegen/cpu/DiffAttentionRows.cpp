// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// head_difference and diff_lambda, with their gradients: a pass over rows, and four short vectors.

#include "codegen/cpu/DiffAttention.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

/// The sum over `count` columns of the products of `a` and `b`.
static Value product(KernelBuilder &kernel, const Array &a, const Array &b, int64_t count) {
  constexpr int64_t sums = 2;
  Values total = kernel.columns(
      count, sums, Values(sums, kernel.constantVector(0.0)), [&](Value at, Value mask, ValueRange group) {
        return Values{kernel.fma(kernel.loadVector(a, at, mask), kernel.loadVector(b, at, mask), group[0])};
      });
  return kernel.horizontalSum(kernel.add(total[0], total[1]));
}

/// The sigmoid of the gate of head `number`, in all lanes.
static Value gateAt(KernelTask &task, const Array &gates, Value number) {
  KernelBuilder &kernel = task.builder;
  return kernel.sigmoid(kernel.splat(kernel.load(gates, number)));
}

/// Head `number` among those of all rows; `width` channels.
static void writeDifference(KernelTask &task, Value number, int64_t width) {
  KernelBuilder &kernel = task.builder;
  Value gate = gateAt(task, task.operand(1), number), pair = kernel.mul(number, 2 * width);
  Array first = kernel.from(task.operand(0), pair), second = kernel.from(first, kernel.index(width));
  Array output = kernel.from(task.result(0), kernel.mul(number, width));
  kernel.columns(width, 4, [&](Value at, Value mask, int64_t) {
    Value gated = kernel.mul(gate, kernel.loadVector(second, at, mask));
    kernel.storeVector(kernel.sub(kernel.loadVector(first, at, mask), gated), output, at, mask);
  });
}

static void writeDifferenceGrad(KernelTask &task, Value number, int64_t width) {
  KernelBuilder &kernel = task.builder;
  Value gate = gateAt(task, task.operand(2), number), pair = kernel.mul(number, 2 * width), factor = kernel.neg(gate);
  Array gradient = kernel.from(task.operand(0), kernel.mul(number, width));
  Array second = kernel.from(task.operand(1), kernel.add(pair, width));
  Array firstGrad = kernel.from(task.result(0), pair), secondGrad = kernel.from(firstGrad, kernel.index(width));
  kernel.columns(width, 4, [&](Value at, Value mask, int64_t) {
    Value own = kernel.loadVector(gradient, at, mask);
    kernel.storeVector(own, firstGrad, at, mask);
    kernel.storeVector(kernel.mul(factor, own), secondGrad, at, mask);
  });
  Value slope = kernel.mul(factor, kernel.sub(kernel.constantVector(1.0), gate));
  Value sum = kernel.mul(slope, kernel.splat(product(kernel, gradient, second, width)));
  kernel.store(kernel.extract(sum, 0), task.result(1), number);
}

/// Rows of `heads` heads each.
static void writeRows(KernelTask &task, Value gate, int64_t width,
                      void (*writeHead)(KernelTask &task, Value number, int64_t width)) {
  KernelBuilder &kernel = task.builder;
  const int64_t heads = lastAxis(gate);
  AffineExpr rows = rowCount(launchSymbols(task.op).operands[0], task.op->getContext());
  kernel.stage(
      task.name(), 0,
      [&](Value tile) {
        const int64_t perTile = task.rowsOfTile(rowsPerTile(2 * heads * width));
        Value begin = kernel.mul(tile, perTile);
        Value end = kernel.min(kernel.add(begin, perTile), kernel.expression(rows));
        kernel.loop(kernel.mul(begin, heads), kernel.mul(end, heads), 1,
                    [&](Value number) { writeHead(task, number, width); });
      },
      task.tilesOf(rows));
}

/// exp of the product of two of the op's vectors, the first of them operand `first`, in all lanes.
static Value powerAt(KernelTask &task, int64_t first) {
  KernelBuilder &kernel = task.builder;
  const int64_t size = lastAxis(task.op->getOperand(first));
  return kernel.exp(kernel.splat(product(kernel, task.operand(first), task.operand(first + 1), size)));
}

static void writeLambda(KernelTask &task, DiffLambdaOp op) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(task.name(), 0, [&](Value) {
    Value difference = kernel.sub(powerAt(task, 0), powerAt(task, 2));
    Value lambda = kernel.add(difference, kernel.constantVector(op.getInitial().convertToFloat()));
    kernel.store(kernel.extract(lambda, 0), task.result(0), kernel.index(0));
  });
}

static void writeLambdaGrad(KernelTask &task) {
  KernelBuilder &kernel = task.builder;
  kernel.stage(task.name(), 0, [&](Value) {
    Value gradient = kernel.splat(kernel.load(task.operand(0), kernel.index(0)));
    for (int64_t first : {1, 3}) {
      Value factor = kernel.mul(gradient, powerAt(task, first));
      if (first == 3)
        factor = kernel.neg(factor);
      kernel.columns(lastAxis(task.op->getOperand(first)), 2, [&](Value at, Value mask, int64_t) {
        // The gradient of each is the other one.
        for (int64_t i : {0, 1}) {
          Value other = kernel.loadVector(task.operand(first + 1 - i), at, mask);
          kernel.storeVector(kernel.mul(factor, other), task.result(first - 1 + i), at, mask);
        }
      });
    }
  });
}

FailureOr<bool> generateDiffAttentionRows(KernelTask &task) {
  auto widthOf = [](Value input, Value gate) { return lastAxis(input) / (2 * lastAxis(gate)); };
  if (auto op = dyn_cast<HeadDifferenceOp>(task.op))
    writeRows(task, op.getGate(), widthOf(op.getInput(), op.getGate()), writeDifference);
  else if (auto op = dyn_cast<HeadDifferenceGradOp>(task.op))
    writeRows(task, op.getGate(), widthOf(op.getInput(), op.getGate()), writeDifferenceGrad);
  else if (auto op = dyn_cast<DiffLambdaOp>(task.op))
    writeLambda(task, op);
  else if (isa<DiffLambdaGradOp>(task.op))
    writeLambdaGrad(task);
  else
    return false;
  return true;
}

} // namespace bifocal
