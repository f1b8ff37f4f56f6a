// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_step and cross_attention_step: a tile is one hypothesis. There is one query, so the channels of a head are
// the lanes for scores and outputs, and the keys are the lanes of the softmax.

#include "codegen/cpu/CpuKernels.h"

#include <limits>

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

constexpr int64_t keyBlock = 64;
constexpr double hiddenScore = -1e30;

/// One query and the keys that it may see.
struct StepAttention {
  int64_t channels, headDim;
  double scale;
  Array query, output; ///< rows of all heads
  Array keys, values;  ///< tensors of rows of all heads
  Value count;         ///< number of keys
  /// The number of the row of key `position`, and whether it is seen (null: yes).
  std::function<Value(Value position)> row, seen;
};

} // namespace

static Value product(KernelBuilder &kernel, const Array &a, const Array &b, int64_t count) {
  constexpr int64_t sums = 2;
  Values total = kernel.columns(
      count, sums, SmallVector<Value>(sums, kernel.constantVector(0.0)), [&](Value at, Value mask, ValueRange group) {
        return Values{kernel.fma(kernel.loadVector(a, at, mask), kernel.loadVector(b, at, mask), group[0])};
      });
  return kernel.horizontalSum(kernel.add(total[0], total[1]));
}

/// The scores of `count` keys from `first` on, to `scores`, and behind them hidden ones up to a whole vector.
static void writeScores(KernelBuilder &kernel, const StepAttention &step, Value head, Value first, Value count,
                        const Array &scores) {
  Array query = kernel.from(step.query, head);
  Value hidden = kernel.constantF32(hiddenScore);
  kernel.loop(kernel.index(0), count, 1, [&](Value at) {
    Value position = kernel.add(first, at);
    Array key = kernel.from(step.keys, kernel.add(kernel.mul(step.row(position), step.channels), head));
    Value score = kernel.mul(product(kernel, query, key, step.headDim), kernel.constantF32(step.scale));
    if (Value seen = step.seen(position))
      score = kernel.select(seen, score, hidden);
    kernel.store(score, scores, at);
  });
  Value whole = kernel.mul(kernel.ceilDiv(count, kernel.index(kernel.width())), kernel.width());
  kernel.loop(count, whole, 1, [&](Value at) { kernel.store(hidden, scores, at); });
}

/// sums = factor * sums + sum over keys of scores[key] * value
static void addValues(KernelBuilder &kernel, const StepAttention &step, Value head, Value first, Value count,
                      const Array &scores, Value factor, const Array &sums) {
  kernel.columns(step.headDim, 4, [&](Value column, Value mask, int64_t) {
    Value start = kernel.mul(kernel.loadVector(sums, column, mask), kernel.splat(factor));
    Values sum = kernel.loop(kernel.index(0), count, 1, start, [&](Value at, ValueRange carried) {
      Value row = kernel.mul(step.row(kernel.add(first, at)), step.channels);
      Value value = kernel.loadVector(step.values, kernel.add(kernel.add(row, head), column), mask);
      return Values{kernel.fma(kernel.splat(kernel.load(scores, at)), value, carried[0])};
    });
    kernel.storeVector(sum[0], sums, column, mask);
  });
}

/// One head: blocks of keys with a running maximum and sum, both scalars. `scores` and `sums` are memory of the tile.
static void writeHead(KernelBuilder &kernel, const StepAttention &step, Value head, const Array &scores,
                      const Array &sums) {
  Value zero = kernel.constantF32(0.0);
  Value bound = kernel.constantVector(hiddenScore / 2), zeros = kernel.constantVector(0.0);
  kernel.columns(step.headDim, 4, [&](Value at, Value mask, int64_t) { kernel.storeVector(zeros, sums, at, mask); });
  Values start{kernel.constantF32(hiddenScore), zero};
  Values totals = kernel.loop(kernel.index(0), step.count, keyBlock, start, [&](Value first, ValueRange carried) {
    Value count = kernel.min(kernel.sub(step.count, first), kernel.index(keyBlock));
    writeScores(kernel, step, head, first, count, scores);
    Values peaks =
        kernel.loop(kernel.index(0), count, kernel.width(), kernel.splat(carried[0]), [&](Value at, ValueRange peak) {
          return Values{kernel.max(kernel.loadVector(scores, at), peak[0])};
        });
    Value maximum = kernel.horizontalMax(peaks[0]), factor = kernel.exp(kernel.sub(carried[0], maximum));
    Values total = kernel.loop(kernel.index(0), count, kernel.width(), zeros, [&](Value at, ValueRange sum) {
      Value score = kernel.loadVector(scores, at);
      Value weight = kernel.exp(kernel.sub(score, kernel.splat(maximum)));
      weight = kernel.select(kernel.less(bound, score), weight, zeros);
      kernel.storeVector(weight, scores, at);
      return Values{kernel.add(sum[0], weight)};
    });
    addValues(kernel, step, head, first, count, scores, factor, sums);
    return Values{maximum, kernel.fma(carried[1], factor, kernel.horizontalSum(total[0]))};
  });
  Value inverse = kernel.select(kernel.less(zero, totals[1]), kernel.div(kernel.constantF32(1.0), totals[1]), zero);
  Array output = kernel.from(step.output, head);
  kernel.columns(step.headDim, 4, [&](Value at, Value mask, int64_t) {
    kernel.storeVector(kernel.mul(kernel.loadVector(sums, at, mask), kernel.splat(inverse)), output, at, mask);
  });
}

static void writeHeads(KernelBuilder &kernel, const StepAttention &step) {
  Array scores = kernel.stackArray(keyBlock), sums = kernel.stackArray(step.headDim);
  kernel.loop(kernel.index(0), kernel.index(step.channels), step.headDim,
              [&](Value head) { writeHead(kernel, step, head, scores, sums); });
}

template <typename Op> static StepAttention shapeOf(KernelTask &task, Op op, Value row) {
  KernelBuilder &kernel = task.builder;
  int64_t channels = cast<RankedTensorType>(op.getQuery().getType()).getShape().back(), heads = op.getHeads();
  Value offset = kernel.mul(row, channels);
  return {.channels = channels,
          .headDim = channels / heads,
          .scale = op.getScale().convertToFloat(),
          .query = kernel.from(task.operand(0), offset),
          .output = kernel.from(task.result(0), offset),
          .keys = task.state(0),
          .values = task.state(1),
          .count = {},
          .row = {},
          .seen = [](Value) { return Value(); }};
}

void writeAttentionStep(KernelTask &task, AttentionStepOp op) {
  KernelBuilder &kernel = task.builder;
  SymbolicDims symbols = launchSymbols(op);
  kernel.stage(task.name(), 0, [&](Value hypothesis) {
    StepAttention step = shapeOf(task, op, hypothesis);
    Value now = kernel.loadIndex(task.operand(4), kernel.index(0));
    Value rows = kernel.expression(symbols.states[0][1]);
    // The caches are time-major: row r of step p is row p R + r.
    Value own = kernel.mul(kernel.add(kernel.mul(now, rows), hypothesis), step.channels);
    for (const auto &[operand, cache] : {std::pair(1, step.keys), std::pair(2, step.values)}) {
      Array source = kernel.from(task.operand(operand), kernel.mul(hypothesis, step.channels));
      kernel.columns(step.channels, 4, [&, cache = cache](Value at, Value mask, int64_t) {
        kernel.storeVector(kernel.loadVector(source, at, mask), cache, kernel.add(own, at), mask);
      });
    }
    Array history = kernel.from(task.operand(3), kernel.mul(hypothesis, kernel.expression(symbols.operands[3][1])));
    step.count = kernel.add(now, 1);
    step.row = [&](Value position) {
      // The table ends before this step, whose row is the hypothesis itself.
      Values row = kernel.choose(
          kernel.less(position, now), [&] { return Values{kernel.loadIndex(history, position)}; },
          [&] { return Values{hypothesis}; });
      return kernel.add(kernel.mul(position, rows), row[0]);
    };
    writeHeads(kernel, step);
  });
}

void writeCrossAttentionStep(KernelTask &task, CrossAttentionStepOp op) {
  KernelBuilder &kernel = task.builder;
  SymbolicDims symbols = launchSymbols(op);
  kernel.stage(task.name(), 0, [&](Value hypothesis) {
    StepAttention step = shapeOf(task, op, hypothesis);
    Value sentence = kernel.loadIndex(task.operand(1), hypothesis);
    Array mask = task.state(2);
    step.count = kernel.expression(symbols.states[0][1]);
    Value first = kernel.mul(sentence, step.count);
    step.row = [&](Value position) { return kernel.add(first, position); };
    step.seen = [&](Value position) {
      Value real = kernel.load(mask, kernel.add(first, position));
      return kernel.notEqual(real, kernel.constantInt(kernel.i8(), 0));
    };
    writeHeads(kernel, step);
  });
}

} // namespace bifocal
