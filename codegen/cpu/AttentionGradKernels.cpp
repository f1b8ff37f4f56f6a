// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_grad: a tile is one head of keys and values of one sentence, with all heads of queries that read it. The
// weights are computed again from the log-sums, block by block.

#include "codegen/cpu/AttentionBlocks.h"

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

/// Operands of the op in their order.
enum Operand : int64_t { outputGradOperand, queryOperand, keyOperand, valueOperand, outputOperand, lseOperand };

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
  tile.groups(count, {}, [&](Value at, int64_t group, Range) {
    Values scores = tile.products(memory.query, tile.from(keys, at), group);
    Values weightGrads = tile.products(memory.outputGrad, tile.from(values, at), group);
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(at, i), place = kernel.mul(key, kernel.width());
      Value weight = weightOf(tile, kernel.add(first, key), scores[i], state.lse);
      Value dropped = weight, gradient = weightGrads[i];
      if (memory.drops) {
        Value factor = kernel.loadVector(memory.drops, place);
        dropped = kernel.mul(weight, factor);
        gradient = kernel.mul(gradient, factor);
      }
      kernel.storeVector(dropped, memory.weights, place);
      kernel.storeVector(kernel.mul(weight, kernel.sub(gradient, state.delta)), memory.scoreGrads, place);
    }
    return Values{};
  });
}

static void writeQueries(KernelTask &task, AttentionTile &tile, const GradBuffers &memory) {
  KernelBuilder &kernel = tile.builder();
  auto operand = [&](Operand which) { return task.operand(int64_t{which}); };
  const double scale = tile.form().scale;
  const HeadRows queries = tile.queryRows(operand(queryOperand), tile.first());
  const HeadRows outputGrads = tile.outputRows(operand(outputGradOperand), tile.first());
  tile.loadTransposed(queries, memory.query, scale);
  tile.loadTransposed(outputGrads, memory.outputGrad);
  tile.loadTransposed(tile.outputRows(operand(outputOperand), tile.first()), memory.queryGrad);
  QueryState state{kernel.loadVector(operand(lseOperand), tile.statisticsAt(), tile.realQueries()),
                   deltaOf(tile, memory)};
  tile.fillZero(memory.queryGrad, tile.form().sizes.key);
  KeyRange seen = tile.visibleKeys();
  kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock, [&](Value first) {
    Value count = kernel.min(kernel.sub(seen.end, first), kernel.index(AttentionTile::keyBlock));
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    HeadRows keys = tile.keyRows(operand(keyOperand), first), values = tile.valueRows(operand(valueOperand), first);
    writeBlock(tile, memory, state, keys, values, first, count);
    tile.addWeighted(memory.scoreGrads, count, keys, memory.queryGrad);
    addToKeys(tile, memory.scoreGrads, count, queries, tile.keyRows(keySumsOf(task, 1), first), scale);
    addToKeys(tile, memory.weights, count, outputGrads, tile.valueRows(keySumsOf(task, 2), first), 1.0);
  });
  tile.storeTransposed(memory.queryGrad, tile.queryRows(task.result(0), tile.first()), kernel.constantVector(scale));
}

void writeAttentionGrad(KernelTask &task, AttentionGradOp op) {
  KernelBuilder &kernel = task.builder;
  AttentionShape shape = AttentionShape::of(op);
  const HeadSizes &sizes = shape.sizes;
  kernel.stage(task.name(), 0, [&](Value kvHead) {
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
    AttentionTile whole(task, shape);
    whole.start(sentence, firstHead, zero);
    const HeadRows keySums = whole.keyRows(keySumsOf(task, 1), zero);
    const HeadRows valueSums = whole.valueRows(keySumsOf(task, 2), zero);
    zeroKeys(whole, keySums);
    zeroKeys(whole, valueSums);
    kernel.loop(firstHead, kernel.add(firstHead, shared), 1, [&](Value head) {
      kernel.loop(zero, kernel.expression(shape.queries), lanes, [&](Value firstQuery) {
        AttentionTile tile(task, shape);
        tile.start(sentence, head, firstQuery);
        writeQueries(task, tile, memory);
      });
    });
    roundKeys(whole, keySums, whole.keyRows(task.result(1), zero));
    roundKeys(whole, valueSums, whole.valueRows(task.result(2), zero));
  });
}

} // namespace bifocal
