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
  Value zero = kernel.constantVector(0.0), bound = kernel.constantVector(AttentionTile::hiddenScore / 2);
  return kernel.loop(kernel.index(0), count, 1, sum, [&](Value key, Range carried) {
    Value at = kernel.mul(key, kernel.width()), score = kernel.loadVector(weights, at);
    Value weight = kernel.exp(kernel.sub(score, maximum));
    weight = kernel.select(kernel.less(bound, score), weight, zero);
    if (Value factor = tile.factor(kernel.add(first, key)))
      weight = kernel.mul(weight, factor);
    Value next = kernel.add(carried[0], weight);
    if (drops)
      weight = kernel.mul(weight, kernel.loadVector(drops, at));
    kernel.storeVector(weight, weights, at);
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
  return kernel.select(seen, kernel.exp(kernel.sub(score, lse)), kernel.constantVector(0.0));
}

void addToKeys(AttentionTile &tile, const Array &weights, Value count, const HeadRows &rows, const HeadRows &target,
               double factor, int64_t perGroup) {
  KernelBuilder &kernel = tile.builder();
  const int64_t lanes = kernel.width(), columns = rows.width;
  // The sums over all queries: in each step some keys and some columns of the next query.
  auto overQueries = [&](Range zeros, llvm::function_ref<Values(Value, const Array &, Value, Range)> body) -> Values {
    auto overLanes = [&](const Array &own, Value first, Value end, Range sums) {
      return kernel.loop(kernel.index(0), end, 1, sums,
                         [&](Value lane, Range carried) { return body(kernel.add(first, lane), own, lane, carried); });
    };
    if (perGroup == 0)
      return overLanes(weights, kernel.index(0), tile.count(), zeros);
    return kernel.loop(kernel.index(0), tile.count(), lanes, zeros, [&](Value first, Range sums) {
      Value group = kernel.div(first, kernel.index(lanes));
      return overLanes(kernel.from(weights, kernel.mul(group, perGroup)), first,
                       kernel.min(kernel.sub(tile.count(), first), kernel.index(lanes)), sums);
    });
  };
  auto keysAt = [&](Value key, int64_t group, Value column, ArrayRef<Value> masks) {
    const int64_t vectors = static_cast<int64_t>(masks.size());
    Values zeros(group * vectors, kernel.constantVector(0.0));
    Values sums = overQueries(zeros, [&](Value query, const Array &own, Value lane, Range carried) {
      Values next(carried), row;
      for (int64_t v = 0; v < vectors; ++v)
        row.push_back(kernel.loadVector(
            rows.first, kernel.add(kernel.mul(query, rows.stride), kernel.add(column, v * lanes)), masks[v]));
      for (int64_t i = 0; i < group; ++i) {
        Value weight = kernel.splat(kernel.load(own, kernel.add(kernel.mul(kernel.add(key, i), lanes), lane)));
        for (int64_t v = 0; v < vectors; ++v)
          next[i * vectors + v] = kernel.fma(weight, row[v], next[i * vectors + v]);
      }
      return next;
    });
    for (int64_t i = 0; i < group; ++i)
      for (int64_t v = 0; v < vectors; ++v) {
        Value place = kernel.add(kernel.mul(kernel.add(key, i), target.stride), kernel.add(column, v * lanes));
        Value before = kernel.loadVector(target.first, place, masks[v]);
        Value sum = kernel.fma(sums[i * vectors + v], kernel.constantVector(factor), before);
        kernel.storeVector(sum, target.first, place, masks[v]);
      }
  };
  auto allKeys = [&](Value column, ArrayRef<Value> masks) {
    Value pairs = kernel.mul(kernel.div(count, kernel.index(2)), 2);
    kernel.loop(kernel.index(0), pairs, 2, [&](Value key) { keysAt(key, 2, column, masks); });
    kernel.loop(pairs, count, 1, [&](Value key) { keysAt(key, 1, column, masks); });
  };
  // Four vectors of columns at a time; the rest, with its tail, in one go.
  const int64_t step = 4 * lanes, whole = columns / step * step;
  if (whole > 0)
    kernel.loop(kernel.index(0), kernel.index(whole), step,
                [&](Value column) { allKeys(column, SmallVector<Value>(4)); });
  SmallVector<Value> masks;
  for (int64_t column = whole; column < columns; column += lanes)
    masks.push_back(column + lanes <= columns ? Value() : kernel.tailMask(columns - column));
  if (!masks.empty())
    allKeys(kernel.index(whole), masks);
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
