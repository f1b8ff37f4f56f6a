// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_grad: a tile is one head of one sentence. The weights are computed again from the log-sums, block by block.

#include "codegen/cpu/AttentionTile.h"

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

/// delta = <output_grad, output> of every query; afterwards `queryGrad` is zero.
static Value writeDelta(AttentionTile &tile, const GradBuffers &memory) {
  KernelBuilder &kernel = tile.builder();
  Value zero = kernel.constantVector(0.0);
  return kernel.loop(kernel.index(0), kernel.index(tile.form().headDim * kernel.width()), kernel.width(), zero,
                     [&](Value at, Range carried) {
                       Value product = kernel.fma(kernel.loadVector(memory.outputGrad, at),
                                                  kernel.loadVector(memory.queryGrad, at), carried[0]);
                       kernel.storeVector(zero, memory.queryGrad, at);
                       return Values{product};
                     })[0];
}

/// Writes the dropped weights of a block of keys and the gradients of their scores (without the factor `scale`).
static void writeBlock(AttentionTile &tile, const GradBuffers &memory, const QueryState &state, const Array &keys,
                       const Array &values, Value first, Value count) {
  KernelBuilder &kernel = tile.builder();
  Value zero = kernel.constantVector(0.0);
  tile.groups(count, {}, [&](Value at, int64_t group, Range) {
    Value offset = kernel.mul(at, tile.form().channels);
    Values scores = tile.products(memory.query, kernel.from(keys, offset), group);
    Values weightGrads = tile.products(memory.outputGrad, kernel.from(values, offset), group);
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(at, i), place = kernel.mul(key, kernel.width());
      Value seen = tile.visible(kernel.add(first, key));
      seen = seen ? kernel.bitAnd(seen, tile.realQueries()) : tile.realQueries();
      Value weight = kernel.select(seen, kernel.exp(kernel.sub(scores[i], state.lse)), zero);
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

/// target[key][d] += factor * sum over the queries of weights[key][query] * rows[query][d], for a block of keys.
static void addToKeys(AttentionTile &tile, const Array &weights, Value count, const Array &rows, const Array &target,
                      double factor) {
  KernelBuilder &kernel = tile.builder();
  const int64_t lanes = kernel.width(), columns = tile.form().headDim, channels = tile.form().channels;
  auto keysAt = [&](Value key, int64_t group, Value column, ArrayRef<Value> masks) {
    const int64_t vectors = static_cast<int64_t>(masks.size());
    Values zeros(group * vectors, kernel.constantVector(0.0));
    Values sums = kernel.loop(kernel.index(0), tile.count(), 1, zeros, [&](Value query, Range carried) {
      Values next(carried), row;
      for (int64_t v = 0; v < vectors; ++v)
        row.push_back(
            kernel.loadVector(rows, kernel.add(kernel.mul(query, channels), kernel.add(column, v * lanes)), masks[v]));
      for (int64_t i = 0; i < group; ++i) {
        Value weight = kernel.splat(kernel.load(weights, kernel.add(kernel.mul(kernel.add(key, i), lanes), query)));
        for (int64_t v = 0; v < vectors; ++v)
          next[i * vectors + v] = kernel.fma(weight, row[v], next[i * vectors + v]);
      }
      return next;
    });
    for (int64_t i = 0; i < group; ++i)
      for (int64_t v = 0; v < vectors; ++v) {
        Value place = kernel.add(kernel.mul(kernel.add(key, i), channels), kernel.add(column, v * lanes));
        Value before = kernel.loadVector(target, place, masks[v]);
        Value sum = kernel.fma(sums[i * vectors + v], kernel.constantVector(factor), before);
        kernel.storeVector(sum, target, place, masks[v]);
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

static void zeroKeys(AttentionTile &tile, ArrayRef<Array> targets) {
  KernelBuilder &kernel = tile.builder();
  kernel.loop(kernel.index(0), kernel.expression(tile.form().keys), 1, [&](Value key) {
    for (const Array &target : targets) {
      Array row = tile.keyRow(target, key);
      kernel.columns(tile.form().headDim, 4, [&](Value at, Value mask, int64_t) {
        kernel.storeVector(kernel.constantVector(0.0), row, at, mask);
      });
    }
  });
}

/// Where the gradients of the keys (1) or the values (2) are summed up: in f32.
static Array sumsOf(KernelTask &task, int64_t result) {
  if (!isNarrow(task.op->getResult(result).getType()))
    return task.result(result);
  return task.scratch(result == 2 && isNarrow(task.op->getResult(1).getType()) ? 1 : 0);
}

/// Rounds the sums of one head to the element type of `result`.
static void roundKeys(KernelTask &task, AttentionTile &tile, int64_t result) {
  if (!isNarrow(task.op->getResult(result).getType()))
    return;
  KernelBuilder &kernel = task.builder;
  kernel.loop(kernel.index(0), kernel.expression(tile.form().keys), 1, [&](Value key) {
    Array from = tile.keyRow(sumsOf(task, result), key), to = tile.keyRow(task.result(result), key);
    kernel.columns(tile.form().headDim, 4, [&](Value at, Value mask, int64_t) {
      kernel.storeVector(kernel.loadVector(from, at, mask), to, at, mask);
    });
  });
}

static void writeQueries(KernelTask &task, AttentionTile &tile, const GradBuffers &memory, Value head,
                         Value firstQuery) {
  KernelBuilder &kernel = tile.builder();
  auto operand = [&](Operand which) { return task.operand(int64_t{which}); };
  auto queryRows = [&](Operand which) { return tile.queryRow(operand(which), firstQuery); };
  const double scale = tile.form().scale;
  tile.loadTransposed(queryRows(queryOperand), memory.query, scale);
  tile.loadTransposed(queryRows(outputGradOperand), memory.outputGrad);
  tile.loadTransposed(queryRows(outputOperand), memory.queryGrad);
  Value place = kernel.add(kernel.mul(head, kernel.expression(tile.form().queries)), firstQuery);
  QueryState state{kernel.loadVector(operand(lseOperand), place, tile.realQueries()), writeDelta(tile, memory)};
  Value end = tile.keysEnd();
  kernel.loop(kernel.index(0), end, AttentionTile::keyBlock, [&](Value first) {
    Value count = kernel.min(kernel.sub(end, first), kernel.index(AttentionTile::keyBlock));
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    Array keys = tile.keyRow(operand(keyOperand), first), values = tile.keyRow(operand(valueOperand), first);
    writeBlock(tile, memory, state, keys, values, first, count);
    tile.addWeighted(memory.scoreGrads, count, keys, memory.queryGrad);
    Array keyGrads = tile.keyRow(sumsOf(task, 1), first), valueGrads = tile.keyRow(sumsOf(task, 2), first);
    addToKeys(tile, memory.scoreGrads, count, queryRows(queryOperand), keyGrads, scale);
    addToKeys(tile, memory.weights, count, queryRows(outputGradOperand), valueGrads, 1.0);
  });
  tile.storeTransposed(memory.queryGrad, tile.queryRow(task.result(0), firstQuery), kernel.constantVector(scale));
}

void writeAttentionGrad(KernelTask &task, AttentionGradOp op) {
  KernelBuilder &kernel = task.builder;
  AttentionShape shape = AttentionShape::of(op);
  kernel.stage(task.name(), 0, [&](Value head) {
    const int64_t lanes = kernel.width();
    auto perColumn = [&] { return kernel.stackArray(shape.headDim * lanes); };
    auto perKey = [&] { return kernel.stackArray(AttentionTile::keyBlock * lanes); };
    GradBuffers memory{perColumn(), perColumn(), perColumn(),
                       perKey(),    perKey(),    shape.dropRate > 0 ? perKey() : Array()};
    Value sentence = kernel.div(head, kernel.index(shape.heads));
    Value inSentence = kernel.rem(head, kernel.index(shape.heads));
    AttentionTile whole(task, shape);
    whole.start(sentence, inSentence, kernel.index(0));
    zeroKeys(whole, {sumsOf(task, 1), sumsOf(task, 2)});
    kernel.loop(kernel.index(0), kernel.expression(shape.queries), lanes, [&](Value firstQuery) {
      AttentionTile tile(task, shape);
      tile.start(sentence, inSentence, firstQuery);
      writeQueries(task, tile, memory, head, firstQuery);
    });
    for (int64_t result : {1, 2})
      roundKeys(task, whole, result);
  });
}

} // namespace bifocal
