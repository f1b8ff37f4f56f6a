// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_step and cross_attention_step: a tile is one hypothesis. There is one query, so the channels of a head are
// the lanes for scores and outputs, and the keys are the lanes of the softmax.

#include "codegen/cpu/AttentionTile.h"

#include <limits>

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

constexpr int64_t keyBlock = AttentionTile::keyBlock;
/// Keys whose scores are computed together.
constexpr int64_t together = 4;
constexpr double hiddenScore = AttentionTile::hiddenScore;

/// One query and the keys that it may see.
struct StepAttention {
  int64_t channels, headDim;
  double scale;
  Array query, output; ///< rows of all heads
  Array keys, values;  ///< tensors of rows of all heads
  Value count;         ///< number of keys
  /// The number of the row of key `position`, and whether it is seen (null: all are).
  std::function<Value(Value position)> row, seen;
};

} // namespace

/// The sums of the lanes of each vector (a power of two of them), in the first lanes of one: by halves, and so bit by
/// bit as `horizontalSum` has them.
static Value sumLanes(KernelBuilder &kernel, Values vectors) {
  const int64_t lanes = kernel.width();
  // A vector holds `groups` sums of `size` lanes each, one behind the other.
  int64_t groups = 1;
  for (int64_t size = lanes; size > 1; size /= 2) {
    const bool paired = vectors.size() > 1;
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const int64_t group = lane / (size / 2) % (paired ? 2 * groups : groups), at = lane % (size / 2);
      low.push_back(group / groups * lanes + group % groups * size + at);
      high.push_back(low.back() + size / 2);
    }
    Values next;
    for (size_t i = 0; i < vectors.size(); i += paired ? 2 : 1) {
      Value first = vectors[i], second = vectors[paired ? i + 1 : i];
      next.push_back(kernel.add(kernel.shuffle(first, second, low), kernel.shuffle(first, second, high)));
    }
    groups *= paired ? 2 : 1;
    vectors = next;
  }
  return vectors[0];
}

/// The products of a query with `together` keys, in the first lanes. Their chains of sums hide each other's latency.
static Value products(KernelBuilder &kernel, const Array &query, ArrayRef<Array> keys, int64_t count) {
  constexpr int64_t sums = 2;
  Values total = kernel.columns(count, sums, Values(sums * together, kernel.constantVector(0.0)),
                                [&](Value at, Value mask, ValueRange group) {
                                  Value factor = kernel.loadVector(query, at, mask);
                                  Values next;
                                  for (auto [key, sum] : llvm::zip_equal(keys, group))
                                    next.push_back(kernel.fma(factor, kernel.loadVector(key, at, mask), sum));
                                  return next;
                                });
  Values halves;
  for (int64_t i = 0; i < together; ++i)
    halves.push_back(kernel.add(total[i], total[together + i]));
  return sumLanes(kernel, halves);
}

/// The scores of `count` keys from `first` on, to `scores`, and behind them hidden ones up to a whole vector.
static void writeScores(KernelBuilder &kernel, const StepAttention &step, Value head, Value first, Value count,
                        const Array &scores) {
  Array query = kernel.from(step.query, head);
  Value hidden = kernel.constantF32(hiddenScore), last = kernel.sub(count, kernel.index(1));
  kernel.loop(kernel.index(0), count, together, [&](Value at) {
    SmallVector<Array> keys;
    for (int64_t i = 0; i < together; ++i) {
      Value row = step.row(kernel.add(first, kernel.min(kernel.add(at, i), last)));
      keys.push_back(kernel.from(step.keys, kernel.add(kernel.mul(row, step.channels), head)));
    }
    Value group = products(kernel, query, keys, step.headDim);
    kernel.storeVector(kernel.mul(group, kernel.constantVector(step.scale)), scores, at);
  });
  if (step.seen)
    kernel.loop(kernel.index(0), count, 1, [&](Value at) {
      Value score = kernel.select(step.seen(kernel.add(first, at)), kernel.load(scores, at), hidden);
      kernel.store(score, scores, at);
    });
  Value whole = kernel.mul(kernel.ceilDiv(count, kernel.index(kernel.width())), kernel.width());
  kernel.loop(count, whole, 1, [&](Value at) { kernel.store(hidden, scores, at); });
}

/// sums = factor * sums + sum over keys of scores[key] * value, for a group of columns from `column` on.
static void addColumns(KernelBuilder &kernel, const StepAttention &step, Value head, Value first, Value count,
                       const Array &scores, Value factor, const Array &sums, Value column, int64_t columns) {
  const int64_t vectors = llvm::divideCeil(columns, kernel.width());
  auto columnOf = [&](int64_t v) { return kernel.index(v * kernel.width()); };
  auto maskOf = [&](int64_t v) {
    const int64_t left = columns - v * kernel.width();
    return left < kernel.width() ? kernel.tailMask(left) : Value();
  };
  Array target = kernel.from(sums, column);
  Values start;
  for (int64_t v = 0; v < vectors; ++v)
    start.push_back(kernel.mul(kernel.loadVector(target, columnOf(v), maskOf(v)), kernel.splat(factor)));
  Values total = kernel.loop(kernel.index(0), count, 1, start, [&](Value at, ValueRange carried) {
    Value row = kernel.mul(step.row(kernel.add(first, at)), step.channels);
    Array value = kernel.from(step.values, kernel.add(kernel.add(row, head), column));
    Value weight = kernel.splat(kernel.load(scores, at));
    Values next;
    for (int64_t v = 0; v < vectors; ++v)
      next.push_back(kernel.fma(weight, kernel.loadVector(value, columnOf(v), maskOf(v)), carried[v]));
    return next;
  });
  for (int64_t v = 0; v < vectors; ++v)
    kernel.storeVector(total[v], target, columnOf(v), maskOf(v));
}

/// The same for all columns, as many at a time as there are registers for their sums.
static void addValues(KernelBuilder &kernel, const StepAttention &step, Value head, Value first, Value count,
                      const Array &scores, Value factor, const Array &sums) {
  const int64_t group = 8 * kernel.width(), whole = step.headDim / group * group;
  kernel.loop(kernel.index(0), kernel.index(whole), group,
              [&](Value column) { addColumns(kernel, step, head, first, count, scores, factor, sums, column, group); });
  if (whole < step.headDim)
    addColumns(kernel, step, head, first, count, scores, factor, sums, kernel.index(whole), step.headDim - whole);
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
  // A group of scores is stored as a whole vector.
  Array scores = kernel.stackArray(keyBlock + kernel.width()), sums = kernel.stackArray(step.headDim);
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
          .seen = {}};
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
