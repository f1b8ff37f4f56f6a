// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_step, diff_attention_step, relative_attention_step and cross_attention_step: a tile is one hypothesis.
// There is one query, so the channels of a head are the lanes for scores and outputs, and the keys are the lanes of the
// softmax.

#include "codegen/cpu/DiffAttention.h"
#include "codegen/cpu/RelativeModifiers.h"

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
  HeadSizes sizes;
  double scale;
  SoftCap softCap;
  Array query, output; ///< rows of all heads
  Array keys, values;  ///< tensors of rows of all heads
  Value count;         ///< number of keys
  Value lambda;        ///< what the second map counts, if there is one
  /// The number of the row of key `position`, and whether it is seen (null: all are).
  std::function<Value(Value position)> row, seen;
  /// Of relative attention: the row of the head's positions for key `position`, the first key that head `number` reads,
  /// and what the weights of as many keys as a vector has lanes are multiplied by (null: 1).
  Array positionQuery;
  std::function<Array(Value number, Value position)> positions;
  std::function<Value(Value number)> begin;
  std::function<Value(Value number, Value position)> factor;
};

/// Where a head begins in its rows, and what the tile keeps of it: for each map scores, and sums of values.
struct StepHead {
  Value number;
  SmallVector<Value> query, key;
  Value value, output;
  SmallVector<Array> scores, sums;
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

/// The scores of `count` keys from `first` on, and behind them hidden ones up to a whole vector.
static void writeScores(KernelBuilder &kernel, const StepAttention &step, const StepHead &head, size_t map, Value first,
                        Value count) {
  const Array query = kernel.from(step.query, head.query[map]), &scores = head.scores[map];
  Value hidden = kernel.constantF32(hiddenScore), last = kernel.sub(count, kernel.index(1));
  kernel.loop(kernel.index(0), count, together, [&](Value at) {
    SmallVector<Array> keys, positions;
    for (int64_t i = 0; i < together; ++i) {
      Value position = kernel.add(first, kernel.min(kernel.add(at, i), last)), row = step.row(position);
      keys.push_back(kernel.from(step.keys, kernel.add(kernel.mul(row, step.sizes.keyChannels()), head.key[map])));
      if (step.positions)
        positions.push_back(step.positions(head.number, position));
    }
    Value group = products(kernel, query, keys, step.sizes.key);
    if (step.positions)
      group = kernel.add(group,
                         products(kernel, kernel.from(step.positionQuery, head.query[map]), positions, step.sizes.key));
    kernel.storeVector(step.softCap.of(kernel, kernel.mul(group, kernel.constantVector(step.scale))), scores, at);
  });
  if (step.seen)
    kernel.loop(kernel.index(0), count, 1, [&](Value at) {
      Value score = kernel.select(step.seen(kernel.add(first, at)), kernel.load(scores, at), hidden);
      kernel.store(score, scores, at);
    });
  Value whole = kernel.mul(kernel.ceilDiv(count, kernel.index(kernel.width())), kernel.width());
  kernel.loop(count, whole, 1, [&](Value at) { kernel.store(hidden, scores, at); });
}

/// sums = factor * sums + sum over keys of scores[key] * value, for a group of columns from `column` on and all maps,
/// which read a value once.
static void addColumns(KernelBuilder &kernel, const StepAttention &step, const StepHead &head, Value first, Value count,
                       ArrayRef<Value> factors, Value column, int64_t columns) {
  const int64_t vectors = llvm::divideCeil(columns, kernel.width()), maps = step.sizes.maps;
  auto columnOf = [&](int64_t v) { return kernel.index(v * kernel.width()); };
  auto maskOf = [&](int64_t v) {
    const int64_t left = columns - v * kernel.width();
    return left < kernel.width() ? kernel.tailMask(left) : Value();
  };
  Values start;
  SmallVector<Array> targets;
  for (int64_t map = 0; map < maps; ++map) {
    targets.push_back(kernel.from(head.sums[map], column));
    for (int64_t v = 0; v < vectors; ++v)
      start.push_back(kernel.mul(kernel.loadVector(targets[map], columnOf(v), maskOf(v)), kernel.splat(factors[map])));
  }
  Values total = kernel.loop(kernel.index(0), count, 1, start, [&](Value at, ValueRange carried) {
    Value row = kernel.mul(step.row(kernel.add(first, at)), step.sizes.valueChannels());
    Array value = kernel.from(step.values, kernel.add(kernel.add(row, head.value), column));
    Values next(carried), weights;
    for (int64_t map = 0; map < maps; ++map)
      weights.push_back(kernel.splat(kernel.load(head.scores[map], at)));
    for (int64_t v = 0; v < vectors; ++v) {
      Value loaded = kernel.loadVector(value, columnOf(v), maskOf(v));
      for (int64_t map = 0; map < maps; ++map)
        next[map * vectors + v] = kernel.fma(weights[map], loaded, carried[map * vectors + v]);
    }
    return next;
  });
  for (int64_t map = 0; map < maps; ++map)
    for (int64_t v = 0; v < vectors; ++v)
      kernel.storeVector(total[map * vectors + v], targets[map], columnOf(v), maskOf(v));
}

/// The same for all columns, as many at a time as there are registers for their sums.
static void addValues(KernelBuilder &kernel, const StepAttention &step, const StepHead &head, Value first, Value count,
                      ArrayRef<Value> factors) {
  const int64_t width = step.sizes.value, group = 8 / step.sizes.maps * kernel.width(), whole = width / group * group;
  kernel.loop(kernel.index(0), kernel.index(whole), group,
              [&](Value column) { addColumns(kernel, step, head, first, count, factors, column, group); });
  if (whole < width)
    addColumns(kernel, step, head, first, count, factors, kernel.index(whole), width - whole);
}

/// Turns the scores of a block into weights: the maximum with them, what earlier sums count beside it, and the weights'
/// sum.
static std::array<Value, 3> writeWeights(KernelBuilder &kernel, const StepAttention &step, const StepHead &head,
                                         const Array &scores, Value first, Value count, Value maximum) {
  Value zeros = kernel.constantVector(0.0);
  Values peaks =
      kernel.loop(kernel.index(0), count, kernel.width(), kernel.splat(maximum), [&](Value at, ValueRange peak) {
        return Values{kernel.max(kernel.loadVector(scores, at), peak[0])};
      });
  Value next = kernel.horizontalMax(peaks[0]), factor = kernel.expNonPositive(kernel.sub(maximum, next));
  // As in the kernel of whole texts: where no key is seen yet, weights are 0.
  Value shift = kernel.splat(kernel.max(kernel.constantF32(hiddenScore / 2), next));
  Values total = kernel.loop(kernel.index(0), count, kernel.width(), zeros, [&](Value at, ValueRange sum) {
    Value score = kernel.loadVector(scores, at);
    Value weight = kernel.expNonPositive(kernel.sub(score, shift));
    if (step.factor)
      weight = kernel.mul(weight, step.factor(head.number, kernel.add(first, at)));
    kernel.storeVector(weight, scores, at);
    return Values{kernel.add(sum[0], weight)};
  });
  return {next, factor, kernel.horizontalSum(total[0])};
}

/// One head: blocks of keys with a running maximum and sum of each map, all scalars.
static void writeHead(KernelBuilder &kernel, const StepAttention &step, const StepHead &head) {
  Value zero = kernel.constantF32(0.0), zeros = kernel.constantVector(0.0);
  const int64_t maps = step.sizes.maps;
  Values start;
  for (int64_t map = 0; map < maps; ++map) {
    kernel.columns(step.sizes.value, 4,
                   [&](Value at, Value mask, int64_t) { kernel.storeVector(zeros, head.sums[map], at, mask); });
    start.append({kernel.constantF32(hiddenScore), zero});
  }
  Value begin = step.begin ? step.begin(head.number) : kernel.index(0);
  Values totals = kernel.loop(begin, step.count, keyBlock, start, [&](Value first, ValueRange carried) {
    Value count = kernel.min(kernel.sub(step.count, first), kernel.index(keyBlock));
    Values next, factors;
    for (int64_t map = 0; map < maps; ++map) {
      writeScores(kernel, step, head, map, first, count);
      auto [maximum, factor, sum] = writeWeights(kernel, step, head, head.scores[map], first, count, carried[2 * map]);
      factors.push_back(factor);
      next.append({maximum, kernel.fma(carried[2 * map + 1], factor, sum)});
    }
    addValues(kernel, step, head, first, count, factors);
    return next;
  });
  Values shares;
  for (int64_t map = 0; map < maps; ++map) {
    Value sum = totals[2 * map + 1];
    Value share = kernel.select(kernel.less(zero, sum), kernel.div(kernel.constantF32(1.0), sum), zero);
    shares.push_back(kernel.splat(map == 0 ? share : kernel.mul(share, kernel.neg(step.lambda))));
  }
  Array output = kernel.from(step.output, head.output);
  kernel.columns(step.sizes.value, 4, [&](Value at, Value mask, int64_t) {
    Value sum = kernel.mul(kernel.loadVector(head.sums[0], at, mask), shares[0]);
    if (maps == 2)
      sum = kernel.fma(kernel.loadVector(head.sums[1], at, mask), shares[1], sum);
    kernel.storeVector(sum, output, at, mask);
  });
}

static void writeHeads(KernelBuilder &kernel, const StepAttention &step) {
  const HeadSizes &sizes = step.sizes;
  StepHead head;
  for (int64_t map = 0; map < sizes.maps; ++map) {
    // A group of scores is stored as a whole vector.
    head.scores.push_back(kernel.stackArray(keyBlock + kernel.width()));
    head.sums.push_back(kernel.stackArray(sizes.value));
  }
  kernel.loop(kernel.index(0), kernel.index(sizes.heads), 1, [&](Value number) {
    Value own = kernel.div(number, kernel.index(sizes.heads / sizes.kvHeads));
    head.number = number;
    head.query.clear(), head.key.clear();
    for (int64_t map = 0; map < sizes.maps; ++map) {
      head.query.push_back(kernel.mul(kernel.add(kernel.mul(number, sizes.maps), map), sizes.key));
      head.key.push_back(kernel.mul(kernel.add(kernel.mul(own, sizes.maps), map), sizes.key));
    }
    head.value = kernel.mul(own, sizes.value);
    head.output = kernel.mul(number, sizes.value);
    writeHead(kernel, step, head);
  });
}

template <typename Op> static StepAttention shapeOf(KernelTask &task, Op op, const HeadSizes &sizes, Value row) {
  KernelBuilder &kernel = task.builder;
  return {.sizes = sizes,
          .scale = op.getScale().convertToFloat(),
          .softCap = {op.getSoftCap().convertToFloat()},
          .query = kernel.from(task.operand(0), kernel.mul(row, sizes.queryChannels())),
          .output = kernel.from(task.result(0), kernel.mul(row, sizes.outputChannels())),
          .keys = task.state(0),
          .values = task.state(1),
          .count = {},
          .lambda = {},
          .row = {},
          .seen = {},
          .positionQuery = {},
          .positions = {},
          .begin = {},
          .factor = {}};
}

/// What relative attention of step `now` of a hypothesis adds: scores of distances, their window, and the ramp of
/// spans.
static void addDistances(KernelTask &task, RelativeAttentionStepOp op, StepAttention &step, Value hypothesis,
                         Value now) {
  KernelBuilder &kernel = task.builder;
  const int64_t channels = step.sizes.queryChannels(), width = step.sizes.key;
  const int64_t stride = cast<ShapedType>(op.getPositions().getType()).getShape().back();
  const Array positions = task.operand(op.getPositions());
  Value nearest = kernel.index(static_cast<int64_t>(op.getNearest())), zero = kernel.index(0), one = kernel.index(1);
  Value rows = kernel.expression(launchSymbols(op).operands[4][0]);
  // Older steps have made room for new ones.
  Value kept = kernel.sub(kernel.max(kernel.expression(launchSymbols(op).states[0][0]), nearest), nearest);
  Value window = kernel.min(rows, kept);
  if (op.getWindow() > 0)
    window = kernel.min(window, kernel.index(static_cast<int64_t>(op.getWindow())));
  step.positionQuery = kernel.from(task.operand(op.getPositionQuery()), kernel.mul(hypothesis, channels));
  auto rowOf = [=, &kernel](Value position) { return kernel.sub(kernel.sub(now, position), nearest); };
  step.positions = [=, &kernel](Value number, Value position) {
    Value row = kernel.min(kernel.max(rowOf(position), zero), kernel.sub(rows, one)), place = kernel.mul(row, stride);
    return kernel.from(positions, stride == width ? place : kernel.add(place, kernel.mul(number, width)));
  };
  step.seen = [=, &kernel](Value position) { return kernel.lessUnsigned(rowOf(position), window); };
  auto blockBefore = [=, &kernel](Value distance) {
    Value key = kernel.max(kernel.sub(now, distance), zero);
    return kernel.mul(kernel.div(key, kernel.index(keyBlock)), keyBlock);
  };
  step.begin = [=, &kernel](Value) { return blockBefore(kernel.add(window, nearest)); };
  if (!op.getSpan())
    return;
  const auto unit = static_cast<double>(op.getSpanUnit()), ramp = static_cast<double>(op.getRamp());
  const Array spans = task.operand(op.getSpan());
  auto rampOf = [=, &kernel](Value number) { return SpanRamp{kernel, unit, ramp, kernel.load(spans, number)}; };
  step.begin = [=, &kernel](Value number) {
    Value given = kernel.mul(rampOf(number).part, kernel.constantF32(unit));
    Value span = kernel.min(kernel.max(given, kernel.constantF32(0.0)), kernel.convert(window, kernel.f32()));
    Value last = kernel.add(span, kernel.constantF32(1.0 + ramp));
    return kernel.max(blockBefore(kernel.add(window, nearest)), blockBefore(kernel.convert(last, kernel.i64())));
  };
  step.factor = [=, &kernel](Value number, Value position) {
    Value first = kernel.splat(kernel.convert(kernel.sub(now, position), kernel.i32()));
    Value distance = kernel.convert(kernel.sub(first, kernel.lanes(kernel.i32(), kernel.width())), kernel.f32());
    return rampOf(number).factor(distance);
  };
}

/// Appends the newest step to the caches, then attends to all of them.
template <typename Op> static void writeCachedStep(KernelTask &task, Op op, Value lambda) {
  KernelBuilder &kernel = task.builder;
  SymbolicDims symbols = launchSymbols(op);
  kernel.stage(task.name(), 0, [&](Value hypothesis) {
    StepAttention step = shapeOf(task, op, headSizes(op), hypothesis);
    if (lambda)
      step.lambda = kernel.load(task.operand(lambda), kernel.index(0));
    Value now = kernel.loadIndex(task.operand(op.getStep()), kernel.index(0));
    Value steps = kernel.expression(symbols.states[0][0]), rows = kernel.expression(symbols.states[0][1]);
    constexpr bool forgets = std::is_same_v<Op, RelativeAttentionStepOp>;
    // The caches are time-major: row r of step p is row p R + r. Those that forget begin anew behind their last step.
    Value slot = forgets ? kernel.rem(now, steps) : now;
    Value own = kernel.add(kernel.mul(slot, rows), hypothesis);
    for (const auto &[operand, cache, channels] :
         {std::tuple(op.getKey(), step.keys, step.sizes.keyChannels()),
          std::tuple(op.getValue(), step.values, step.sizes.valueChannels())}) {
      Array source = kernel.from(task.operand(operand), kernel.mul(hypothesis, channels));
      Array target = kernel.from(cache, kernel.mul(own, channels));
      kernel.columns(channels, 4, [&](Value at, Value mask, int64_t) {
        kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
      });
    }
    const unsigned table = op.getAncestorsMutable().getOperandNumber();
    Array history = kernel.from(task.operand(int64_t{table}),
                                kernel.mul(hypothesis, kernel.expression(symbols.operands[table][1])));
    step.count = kernel.add(now, 1);
    auto slotOf = [&](Value position) {
      if (!forgets)
        return position;
      // Steps of a block that are forgotten are not seen; they are read as the oldest.
      Value distance = kernel.min(kernel.sub(now, position), kernel.sub(steps, kernel.index(1)));
      Value before = kernel.sub(slot, distance);
      return kernel.select(kernel.less(before, kernel.index(0)), kernel.add(before, steps), before);
    };
    step.row = [&](Value position) {
      // The table ends before this step, whose row is the hypothesis itself.
      Value at = slotOf(position);
      Values row = kernel.choose(
          kernel.less(position, now), [&] { return Values{kernel.loadIndex(history, at)}; },
          [&] { return Values{hypothesis}; });
      return kernel.add(kernel.mul(at, rows), row[0]);
    };
    if constexpr (forgets)
      addDistances(task, op, step, hypothesis, now);
    writeHeads(kernel, step);
  });
}

void writeAttentionStep(KernelTask &task, AttentionStepOp op) { writeCachedStep(task, op, Value()); }
void writeAttentionStep(KernelTask &task, RelativeAttentionStepOp op) { writeCachedStep(task, op, Value()); }
void writeDiffAttentionStep(KernelTask &task, DiffAttentionStepOp op) { writeCachedStep(task, op, op.getLambda()); }

void writeCrossAttentionStep(KernelTask &task, CrossAttentionStepOp op) {
  KernelBuilder &kernel = task.builder;
  SymbolicDims symbols = launchSymbols(op);
  kernel.stage(task.name(), 0, [&](Value hypothesis) {
    const int64_t channels = cast<ShapedType>(op.getQuery().getType()).getShape().back(), heads = op.getHeads();
    StepAttention step = shapeOf(task, op, {heads, heads, 1, channels / heads, channels / heads}, hypothesis);
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
