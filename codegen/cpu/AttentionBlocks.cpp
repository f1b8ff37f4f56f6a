// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/AttentionBlocks.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

Value finishScores(AttentionTile &tile, Value first, Value count, const Array &weights, Value maximum) {
  KernelBuilder &kernel = tile.builder();
  Value hidden = kernel.constantVector(AttentionTile::hiddenScore);
  tile.startBlock(first, count);
  return tile.groups(count, maximum, 4, [&](Value at, int64_t group, Range carried) {
    Value peak = carried[0];
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(first, kernel.add(at, i)), place = kernel.mul(kernel.add(at, i), kernel.width());
      Value score = tile.modified(kernel.loadVector(weights, place), key);
      if (Value seen = tile.visible(key))
        score = kernel.select(seen, score, hidden);
      kernel.storeVector(score, weights, place);
      peak = kernel.max(score, peak);
    }
    return Values{peak};
  })[0];
}

Value writeWeights(AttentionTile &tile, const Array &weights, const Array &drops, Value first, Value count,
                   Value maximum, Value sum) {
  KernelBuilder &kernel = tile.builder();
  // The weights of a query that has seen no key yet are 0.
  Value shift = kernel.max(kernel.constantVector(AttentionTile::hiddenScore / 2), maximum);
  auto weigh = [&](Value key, Value sum) {
    Value at = kernel.mul(key, kernel.width());
    Value weight = kernel.expNonPositive(kernel.sub(kernel.loadVector(weights, at), shift));
    if (Value factor = tile.factor(kernel.add(first, key)))
      weight = kernel.mul(weight, factor);
    kernel.storeVector(drops ? kernel.mul(weight, kernel.loadVector(drops, at)) : weight, weights, at);
    return kernel.add(sum, weight);
  };
  // Some keys together share the constants of exp, for which there are too few registers.
  return tile.groups(count, sum, tile.together(4), [&](Value key, int64_t group, Range carried) {
    Value next = carried[0];
    for (int64_t i = 0; i < group; ++i)
      next = weigh(kernel.add(key, i), next);
    return Values{next};
  })[0];
}

void rescale(AttentionTile &tile, const Array &sums, int64_t width, Value factor) {
  KernelBuilder &kernel = tile.builder();
  kernel.loop(kernel.index(0), kernel.index(width * kernel.width()), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.mul(kernel.loadVector(sums, at), factor), sums, at); });
}

Value weightOf(AttentionTile &tile, Value key, Value score, Value lse) {
  KernelBuilder &kernel = tile.builder();
  Value seen = tile.visible(key);
  seen = seen ? kernel.bitAnd(seen, tile.realQueries()) : tile.realQueries();
  // Not expNonPositive: a span scales what lse has summed up, and whoever calls the op may give another one.
  return kernel.select(seen, kernel.exp(kernel.sub(score, lse)), kernel.constantVector(0.0));
}

namespace {

/// target[key][d] += factor * sum over the queries of weights[key][query] * rows[query][d].
class KeyRowSums {
public:
  KeyRowSums(AttentionTile &tile, const Array &weights, const HeadRows &rows, const HeadRows &target, double factor,
             int64_t perGroup)
      : tile(tile), kernel(tile.builder()), weights(weights), rows(rows), target(target), factor(factor),
        perGroup(perGroup) {}

  /// For the first `count` keys and the vectors of columns from `column` on, with a mask each.
  void add(Value count, Value column, ArrayRef<Value> masks) {
    Value pairs = kernel.mul(kernel.div(count, kernel.index(2)), 2);
    kernel.loop(kernel.index(0), pairs, 2, [&](Value key) { addTo(key, 2, column, masks); });
    kernel.loop(pairs, count, 1, [&](Value key) { addTo(key, 1, column, masks); });
  }

private:
  void addTo(Value key, int64_t group, Value column, ArrayRef<Value> masks);
  Values overQueries(Range zeros, llvm::function_ref<Values(Value, const Array &, Value, Range)> body);
  Value place(Value key, int64_t stride, Value column, int64_t vector) {
    return kernel.add(kernel.mul(key, stride), kernel.add(column, vector * kernel.width()));
  }

  AttentionTile &tile;
  KernelBuilder &kernel;
  Array weights;
  HeadRows rows, target;
  double factor;
  int64_t perGroup;
};

} // namespace

/// The sums over all queries: in each step some keys and some columns of the next query.
Values KeyRowSums::overQueries(Range zeros, llvm::function_ref<Values(Value, const Array &, Value, Range)> body) {
  const int64_t lanes = kernel.width();
  auto overLanes = [&](const Array &own, Value first, Value end, Range sums) {
    return tile.groups(end, sums, tile.together(8), [&](Value lane, int64_t group, Range carried) {
      Values next(carried);
      for (int64_t i = 0; i < group; ++i)
        next = body(kernel.add(kernel.add(first, lane), i), own, kernel.add(lane, i), next);
      return next;
    });
  };
  if (perGroup == 0)
    return overLanes(weights, kernel.index(0), tile.count(), zeros);
  return kernel.loop(kernel.index(0), tile.count(), lanes, zeros, [&](Value first, Range sums) {
    Value group = kernel.div(first, kernel.index(lanes));
    return overLanes(kernel.from(weights, kernel.mul(group, perGroup)), first,
                     kernel.min(kernel.sub(tile.count(), first), kernel.index(lanes)), sums);
  });
}

void KeyRowSums::addTo(Value key, int64_t group, Value column, ArrayRef<Value> masks) {
  const int64_t lanes = kernel.width(), vectors = static_cast<int64_t>(masks.size());
  auto eachSum = [&](llvm::function_ref<void(Value at, int64_t sum, Value mask)> body) {
    for (int64_t i = 0; i < group; ++i)
      for (int64_t v = 0; v < vectors; ++v)
        body(place(kernel.add(key, i), target.stride, column, v), i * vectors + v, masks[v]);
  };
  // Rows of a tensor are far apart: they come while the sums are taken.
  if (perGroup > 0)
    eachSum([&](Value at, int64_t, Value) { kernel.prefetch(target.first, at, /*toWrite=*/true); });
  Values zeros(group * vectors, kernel.constantVector(0.0));
  Values sums = overQueries(zeros, [&](Value query, const Array &own, Value lane, Range carried) {
    Values next(carried), row;
    for (int64_t v = 0; v < vectors; ++v)
      row.push_back(kernel.loadVector(rows.first, place(query, rows.stride, column, v), masks[v]));
    for (int64_t i = 0; i < group; ++i) {
      Value weight = kernel.splat(kernel.load(own, kernel.add(kernel.mul(kernel.add(key, i), lanes), lane)));
      for (int64_t v = 0; v < vectors; ++v)
        next[i * vectors + v] = kernel.fma(weight, row[v], next[i * vectors + v]);
    }
    return next;
  });
  eachSum([&](Value at, int64_t sum, Value mask) {
    Value before = kernel.loadVector(target.first, at, mask);
    kernel.storeVector(kernel.fma(sums[sum], kernel.constantVector(factor), before), target.first, at, mask);
  });
}

void addToKeys(AttentionTile &tile, const Array &weights, Value count, const HeadRows &rows, const HeadRows &target,
               double factor, int64_t perGroup) {
  KernelBuilder &kernel = tile.builder();
  KeyRowSums sums(tile, weights, rows, target, factor, perGroup);
  const int64_t lanes = kernel.width(), columns = rows.width;
  // Four vectors of columns at a time; the rest, with its tail, in one go.
  const int64_t step = 4 * lanes, whole = columns / step * step;
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), step,
                [&](Value column) { sums.add(count, column, SmallVector<Value>(4)); });
  SmallVector<Value> masks;
  for (int64_t column = whole; column < columns; column += lanes)
    masks.push_back(column + lanes <= columns ? Value() : kernel.tailMask(columns - column));
  if (!masks.empty())
    sums.add(count, kernel.index(whole), masks);
}

Value sumOf(KernelBuilder &kernel, const Array &numbers, Value count) {
  constexpr int64_t together = 8; // that a warp waits once for all of them
  const int64_t lanes = kernel.width();
  KernelBuilder::Values sums =
      kernel.loop(kernel.index(0), count, together * lanes, KernelBuilder::Values(together, kernel.constantVector(0.0)),
                  [&](Value first, ValueRange carried) {
                    KernelBuilder::Values next;
                    for (int64_t i = 0; i < together; ++i) {
                      Value at = kernel.add(first, i * lanes), mask = kernel.tailMask(kernel.sub(count, at));
                      next.push_back(kernel.add(carried[i], kernel.loadVector(numbers, at, mask)));
                    }
                    return next;
                  });
  for (int64_t half = together / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i)
      sums[i] = kernel.add(sums[i], sums[i + half]);
  return sums[0];
}

void zeroKeys(AttentionTile &tile, const HeadRows &target) {
  KernelBuilder &kernel = tile.builder();
  kernel.loop(kernel.index(0), kernel.expression(tile.form().keys), 1, [&](Value key) {
    Array row = tile.from(target, key).first;
    kernel.columns(target.width, 4, [&](Value at, Value mask, int64_t) {
      kernel.storeVector(kernel.constantVector(0.0), row, at, mask);
    });
  });
}

static bool isNarrowResult(KernelTask &task, int64_t result) { return isNarrow(task.op->getResult(result).getType()); }

Array keySumsOf(KernelTask &task, KeyResults results) {
  return isNarrowResult(task, results.key) ? task.scratch(0) : task.result(results.key);
}

Array valueSumsOf(KernelTask &task, KeyResults results) {
  if (!isNarrowResult(task, results.value))
    return task.result(results.value);
  return task.scratch(isNarrowResult(task, results.key) ? 1 : 0);
}

void roundKeys(AttentionTile &tile, const HeadRows &from, const HeadRows &to) {
  if (!isNarrow(to.first.element))
    return;
  KernelBuilder &kernel = tile.builder();
  kernel.loop(kernel.index(0), kernel.expression(tile.form().keys), 1, [&](Value key) {
    Array source = tile.from(from, key).first, target = tile.from(to, key).first;
    kernel.columns(from.width, 4, [&](Value at, Value mask, int64_t) {
      kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
    });
  });
}

} // namespace bifocal
