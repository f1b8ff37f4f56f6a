// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_grad and relative_attention_grad: a tile is one head of keys and values of one sentence, with all heads of
// queries that read it. The weights are computed again from the log-sums, block by block.

#include "codegen/cpu/RelativeModifiers.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

namespace {

/// The stack memory of a tile: [d][lane] and [key][lane].
struct GradBuffers {
  Array query, outputGrad, queryGrad; ///< queryGrad holds the outputs first
  Array weights, scoreGrads, drops;
};

/// What every block of keys needs about the queries.
struct QueryState {
  Value lse, delta;
};

/// The arrays of the launch, beside those of the shape.
struct GradArrays {
  Array outputGrad, output, lse, queryGrad, keyGrad, valueGrad;
  Array keySums, valueSums;
};

} // namespace

/// delta = <output_grad, output> of every query.
static Value deltaOf(AttentionTile &tile, const GradBuffers &memory) {
  KernelBuilder &kernel = tile.builder();
  return kernel.loop(kernel.index(0), kernel.index(tile.form().sizes.value * kernel.width()), kernel.width(),
                     kernel.constantVector(0.0), [&](Value at, Range carried) {
                       return Values{kernel.fma(kernel.loadVector(memory.outputGrad, at),
                                                kernel.loadVector(memory.queryGrad, at), carried[0])};
                     })[0];
}

/// Writes the dropped weights of a block of keys and the gradients of their scores (without the factor `scale`).
static void writeBlock(AttentionTile &tile, const GradBuffers &memory, const QueryState &state, const HeadRows &keys,
                       const HeadRows &values, Value first, Value count) {
  KernelBuilder &kernel = tile.builder();
  tile.startBlock(first, count);
  tile.groups(count, {}, [&](Value at, int64_t group, Range) {
    Values scores = tile.products(memory.query, tile.from(keys, at), group);
    Values weightGrads = tile.products(memory.outputGrad, tile.from(values, at), group);
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(first, kernel.add(at, i)), place = kernel.mul(kernel.add(at, i), kernel.width());
      Value weight = weightOf(tile, key, tile.modified(scores[i], key), state.lse), gradient = weightGrads[i];
      Value whole = weight;
      if (Value factor = tile.factor(key))
        weight = kernel.mul(weight, factor);
      Value dropped = weight;
      if (memory.drops) {
        Value factor = kernel.loadVector(memory.drops, place);
        dropped = kernel.mul(weight, factor);
        gradient = kernel.mul(gradient, factor);
      }
      gradient = kernel.sub(gradient, state.delta);
      kernel.storeVector(dropped, memory.weights, place);
      kernel.storeVector(kernel.mul(weight, gradient), memory.scoreGrads, place);
      for (const auto &modifier : tile.asked())
        modifier->addFactorGradient(tile, key, kernel.mul(whole, gradient));
    }
    return Values{};
  });
}

static void writeQueries(KernelTask &task, AttentionTile &tile, const GradBuffers &memory, const GradArrays &arrays) {
  KernelBuilder &kernel = tile.builder();
  const AttentionShape &shape = tile.form();
  const HeadRows queries = tile.queryRows(task.operand(shape.query), tile.first());
  const HeadRows outputGrads = tile.outputRows(arrays.outputGrad, tile.first());
  tile.loadTransposed(queries, memory.query, shape.scale);
  tile.loadTransposed(outputGrads, memory.outputGrad);
  tile.loadTransposed(tile.outputRows(arrays.output, tile.first()), memory.queryGrad);
  QueryState state{kernel.loadVector(arrays.lse, tile.statisticsAt(), tile.realQueries()), deltaOf(tile, memory)};
  tile.fillZero(memory.queryGrad, shape.sizes.key);
  tile.startQueries();
  for (const auto &modifier : tile.asked())
    modifier->startGradients(tile);
  KeyRange seen = tile.visibleKeys();
  kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock, [&](Value first) {
    Value count = kernel.min(kernel.sub(seen.end, first), kernel.index(AttentionTile::keyBlock));
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    HeadRows keys = tile.keyRows(task.operand(shape.key), first);
    writeBlock(tile, memory, state, keys, tile.valueRows(task.operand(shape.value), first), first, count);
    tile.addWeighted(memory.scoreGrads, count, keys, memory.queryGrad);
    addToKeys(tile, memory.scoreGrads, count, queries, tile.keyRows(arrays.keySums, first), shape.scale);
    addToKeys(tile, memory.weights, count, outputGrads, tile.valueRows(arrays.valueSums, first), 1.0);
    for (const auto &modifier : tile.asked())
      modifier->addScoreGradients(tile, memory.scoreGrads);
  });
  tile.storeTransposed(memory.queryGrad, tile.queryRows(arrays.queryGrad, tile.first()),
                       kernel.constantVector(shape.scale));
  for (const auto &modifier : tile.asked())
    modifier->finishQueries(tile);
}

/// All queries that read one head of keys and values.
static void writeKeyHead(KernelTask &task, const AttentionShape &shape, const GradArrays &arrays, Value kvHead,
                         ScoreModifiers &modifiers) {
  KernelBuilder &kernel = task.builder;
  const HeadSizes &sizes = shape.sizes;
  const int64_t lanes = kernel.width(), shared = sizes.heads / sizes.kvHeads;
  auto perColumn = [&](int64_t width) { return kernel.stackArray(width * lanes); };
  auto perKey = [&] { return kernel.stackArray(AttentionTile::keyBlock * lanes); };
  GradBuffers memory{perColumn(sizes.key),
                     perColumn(sizes.value),
                     perColumn(std::max(sizes.key, sizes.value)),
                     perKey(),
                     perKey(),
                     shape.dropRate > 0 ? perKey() : Array()};
  Value sentence = kernel.div(kvHead, kernel.index(sizes.kvHeads)), zero = kernel.index(0);
  Value firstHead = kernel.mul(kernel.rem(kvHead, kernel.index(sizes.kvHeads)), shared);
  AttentionTile whole(task, shape, modifiers);
  whole.start(sentence, firstHead, zero);
  const HeadRows keySums = whole.keyRows(arrays.keySums, zero), valueSums = whole.valueRows(arrays.valueSums, zero);
  zeroKeys(whole, keySums);
  zeroKeys(whole, valueSums);
  kernel.loop(firstHead, kernel.add(firstHead, shared), 1, [&](Value head) {
    AttentionTile ofHead(task, shape, modifiers);
    ofHead.start(sentence, head, zero);
    for (const auto &modifier : modifiers)
      modifier->startHead(ofHead);
    kernel.loop(zero, kernel.expression(shape.queries), lanes, [&](Value firstQuery) {
      AttentionTile tile(task, shape, modifiers);
      tile.start(sentence, head, firstQuery);
      writeQueries(task, tile, memory, arrays);
    });
    for (const auto &modifier : modifiers)
      modifier->finishHead(ofHead);
  });
  roundKeys(whole, keySums, whole.keyRows(arrays.keyGrad, zero));
  roundKeys(whole, valueSums, whole.valueRows(arrays.valueGrad, zero));
}

void writeAttentionGrad(KernelTask &task, AttentionGradOp op) {
  const AttentionShape shape = AttentionShape::of(op);
  task.builder.stage(task.name(), 0, [&](Value kvHead) {
    const GradArrays arrays{task.operand(op.getOutputGrad()),
                            task.operand(op.getOutput()),
                            task.operand(op.getLse()),
                            task.result(0),
                            task.result(1),
                            task.result(2),
                            keySumsOf(task),
                            valueSumsOf(task)};
    ScoreModifiers modifiers = modifiersOf(task, shape);
    writeKeyHead(task, shape, arrays, kvHead, modifiers);
  });
}

/// The gradient of a row of positions: the shares of all sentences, and where heads share the row of all heads, added
/// up in one order.
static void writePositionsGrad(KernelTask &task, const AttentionShape &shape, AffineExpr sentences, const Array &sums,
                               Value row) {
  KernelBuilder &kernel = task.builder;
  const int64_t width = shape.sizes.key, heads = shape.sizes.heads;
  const bool perHead = shape.relative->perHead;
  Value rows = kernel.expression(shape.relative->distances), all = kernel.expression(sentences), zero = kernel.index(0);
  const Array target = kernel.from(task.result(4), kernel.mul(row, perHead ? heads * width : width));
  auto writeFrom = [&](Value head) {
    // Shares lie sentence by sentence, head by head.
    kernel.columns(width, 4, [&](Value at, Value mask, int64_t) {
      Value count = perHead ? all : kernel.mul(all, heads);
      Values sum = kernel.loop(zero, count, 1, kernel.constantVector(0.0), [&](Value share, Range carried) {
        Value number = perHead ? kernel.add(kernel.mul(share, heads), head) : share;
        Value place = kernel.mul(kernel.add(kernel.mul(number, rows), row), width);
        return Values{kernel.add(carried[0], kernel.loadVector(sums, kernel.add(place, at), mask))};
      });
      kernel.storeVector(sum[0], target, kernel.add(kernel.mul(head, width), at), mask);
    });
  };
  kernel.loop(zero, kernel.index(perHead ? heads : 1), 1, writeFrom);
}

static void writeSpanGrad(KernelTask &task, const AttentionShape &shape, AffineExpr sentences, const Array &sums) {
  KernelBuilder &kernel = task.builder;
  Value zero = kernel.index(0), heads = kernel.index(shape.sizes.heads);
  Value slope = kernel.constantF32(shape.relative->spanUnit / shape.relative->ramp);
  kernel.loop(zero, heads, 1, [&](Value head) {
    Values sum =
        kernel.loop(zero, kernel.expression(sentences), 1, kernel.constantF32(0.0), [&](Value sentence, Range carried) {
          Value share = kernel.load(sums, kernel.add(kernel.mul(sentence, heads), head));
          return Values{kernel.add(carried[0], share)};
        });
    kernel.store(kernel.mul(sum[0], slope), task.result(5), head);
  });
}

void writeAttentionGrad(KernelTask &task, RelativeAttentionGradOp op) {
  const AttentionShape shape = AttentionShape::of(op);
  const KernelSchedule schedule = scheduleKernel(op);
  const auto places = static_cast<int64_t>(schedule.scratch.size()) - (op.getSpan() ? 2 : 1);
  auto sums = [&] { return RelativeSums{task.scratch(places), op.getSpan() ? task.scratch(places + 1) : Array()}; };
  const AffineExpr sentences = launchSymbols(op).operands[1][0];
  task.builder.stage(task.name(), 0, [&](Value kvHead) {
    constexpr KeyResults results{2, 3};
    const GradArrays arrays{task.operand(op.getOutputGrad()),
                            task.operand(op.getOutput()),
                            task.operand(op.getLse()),
                            task.result(0),
                            task.result(2),
                            task.result(3),
                            keySumsOf(task, results),
                            valueSumsOf(task, results)};
    ScoreModifiers modifiers = relativeGradModifiers(task, shape, task.result(1), sums());
    writeKeyHead(task, shape, arrays, kvHead, modifiers);
  });
  task.builder.stage(task.name(), 1,
                     [&](Value row) { writePositionsGrad(task, shape, sentences, sums().positions, row); });
  if (op.getSpan())
    task.builder.stage(task.name(), 2, [&](Value) { writeSpanGrad(task, shape, sentences, sums().spans); });
}

} // namespace bifocal
