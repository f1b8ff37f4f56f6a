// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention: one pass over the keys in blocks, with a running maximum and a running sum for every query.

#include "codegen/cpu/AttentionTile.h"
#include "passes/AttentionSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

namespace {

/// The stack memory of a tile: [d][lane] and [key][lane].
struct ForwardBuffers {
  Array query, sums, weights, drops;
};

} // namespace

/// Scores of one block of keys to `weights`; returns the running maximum with them.
static Value writeScores(AttentionTile &tile, const ForwardBuffers &memory, const Array &keys, Value first, Value count,
                         Value maximum) {
  KernelBuilder &kernel = tile.builder();
  Value hidden = kernel.constantVector(AttentionTile::hiddenScore);
  Array rows = tile.keyRow(keys, first);
  return tile.groups(count, maximum, [&](Value at, int64_t group, Range carried) {
    Value peak = carried[0];
    Values scores = tile.products(memory.query, kernel.from(rows, kernel.mul(at, tile.form().channels)), group);
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(at, i), score = scores[i];
      if (Value seen = tile.visible(kernel.add(first, key)))
        score = kernel.select(seen, score, hidden);
      kernel.storeVector(score, memory.weights, kernel.mul(key, kernel.width()));
      peak = kernel.max(score, peak);
    }
    return Values{peak};
  })[0];
}

/// Turns the scores of a block into (dropped) weights; returns the running sum of the weights before the drop.
static Value writeWeights(AttentionTile &tile, const ForwardBuffers &memory, Value count, Value maximum, Value sum) {
  KernelBuilder &kernel = tile.builder();
  Value zero = kernel.constantVector(0.0), bound = kernel.constantVector(AttentionTile::hiddenScore / 2);
  return kernel.loop(kernel.index(0), count, 1, sum, [&](Value key, Range carried) {
    Value at = kernel.mul(key, kernel.width()), score = kernel.loadVector(memory.weights, at);
    Value weight = kernel.exp(kernel.sub(score, maximum));
    weight = kernel.select(kernel.less(bound, score), weight, zero);
    Value next = kernel.add(carried[0], weight);
    if (memory.drops)
      weight = kernel.mul(weight, kernel.loadVector(memory.drops, at));
    kernel.storeVector(weight, memory.weights, at);
    return Values{next};
  })[0];
}

/// sums[d] *= factor
static void rescale(AttentionTile &tile, const Array &sums, Value factor) {
  KernelBuilder &kernel = tile.builder();
  kernel.loop(kernel.index(0), kernel.index(tile.form().headDim * kernel.width()), kernel.width(),
              [&](Value at) { kernel.storeVector(kernel.mul(kernel.loadVector(sums, at), factor), sums, at); });
}

static void writeQueries(KernelTask &task, AttentionTile &tile, const ForwardBuffers &memory, Value head,
                         Value firstQuery) {
  KernelBuilder &kernel = tile.builder();
  Array keys = task.operand(1), values = task.operand(2);
  tile.loadTransposed(tile.queryRow(task.operand(0), firstQuery), memory.query, tile.form().scale);
  tile.fillZero(memory.sums);
  Value end = tile.keysEnd();
  Values start{kernel.constantVector(AttentionTile::hiddenScore), kernel.constantVector(0.0)};
  Values totals = kernel.loop(kernel.index(0), end, AttentionTile::keyBlock, start, [&](Value first, Range carried) {
    Value count = kernel.min(kernel.sub(end, first), kernel.index(AttentionTile::keyBlock));
    Value maximum = writeScores(tile, memory, keys, first, count, carried[0]);
    Value factor = kernel.exp(kernel.sub(carried[0], maximum));
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    Value sum = writeWeights(tile, memory, count, maximum, kernel.mul(carried[1], factor));
    rescale(tile, memory.sums, factor);
    tile.addWeighted(memory.weights, count, tile.keyRow(values, first), memory.sums);
    return Values{maximum, sum};
  });
  Value zero = kernel.constantVector(0.0), one = kernel.constantVector(1.0);
  Value factor = kernel.select(kernel.less(zero, totals[1]), kernel.div(one, totals[1]), zero);
  tile.storeTransposed(memory.sums, tile.queryRow(task.result(0), firstQuery), factor);
  Value place = kernel.add(kernel.mul(head, kernel.expression(tile.form().queries)), firstQuery);
  Value lse = kernel.add(totals[0], kernel.log(totals[1]));
  kernel.storeVector(lse, task.result(1), place, tile.realQueries());
}

void writeAttention(KernelTask &task, AttentionOp op) {
  KernelBuilder &kernel = task.builder;
  AttentionShape shape = AttentionShape::of(op);
  kernel.stage(task.name(), 0, [&](Value index) {
    Value queries = kernel.expression(shape.queries);
    Value perHead = kernel.ceilDiv(queries, kernel.index(attentionQueries));
    Value headNumber = kernel.div(index, perHead);
    Value begin = kernel.mul(kernel.rem(index, perHead), attentionQueries);
    Value end = kernel.min(kernel.add(begin, attentionQueries), queries);
    const int64_t lanes = kernel.width();
    ForwardBuffers memory;
    memory.query = kernel.stackArray(shape.headDim * lanes);
    memory.sums = kernel.stackArray(shape.headDim * lanes);
    memory.weights = kernel.stackArray(AttentionTile::keyBlock * lanes);
    if (shape.dropRate > 0)
      memory.drops = kernel.stackArray(AttentionTile::keyBlock * lanes);
    kernel.loop(begin, end, lanes, [&](Value firstQuery) {
      AttentionTile tile(task, shape);
      Value heads = kernel.index(shape.heads);
      tile.start(kernel.div(headNumber, heads), kernel.rem(headNumber, heads), firstQuery);
      writeQueries(task, tile, memory, headNumber, firstQuery);
    });
  });
}

void writeAttentionGrad(KernelTask &task, AttentionGradOp op);
void writeAttentionStep(KernelTask &task, AttentionStepOp op);
void writeCrossAttentionStep(KernelTask &task, CrossAttentionStepOp op);

FailureOr<bool> generateAttention(KernelTask &task) {
  if (!isa<AttentionOp, AttentionGradOp, AttentionStepOp, CrossAttentionStepOp>(task.op))
    return false;
  if (auto op = dyn_cast<AttentionOp>(task.op))
    writeAttention(task, op);
  else if (auto op = dyn_cast<AttentionGradOp>(task.op))
    writeAttentionGrad(task, op);
  else if (auto op = dyn_cast<AttentionStepOp>(task.op))
    writeAttentionStep(task, op);
  else
    writeCrossAttentionStep(task, cast<CrossAttentionStepOp>(task.op));
  return true;
}

} // namespace bifocal
