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
  return inGroups(kernel, count, maximum, 4, [&](Value at, int64_t group, Range carried) {
    Value peak = carried[0];
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(first, kernel.add(at, i)), place = kernel.mul(kernel.add(at, i), kernel.width());
      Value score = tile.scoreOf(kernel.loadVector(weights, place), key);
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
  return inGroups(kernel, count, sum, unrolledSteps(kernel, 4), [&](Value key, int64_t group, Range carried) {
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
    Array row = rowsFrom(kernel, target, key).first;
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
    Array source = rowsFrom(kernel, from, key).first, target = rowsFrom(kernel, to, key).first;
    kernel.columns(from.width, 4, [&](Value at, Value mask, int64_t) {
      kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
    });
  });
}

} // namespace bifocal
