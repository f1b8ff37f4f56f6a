// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention: one pass over the keys in blocks, with a running maximum and a running sum for every query.

#include "codegen/cpu/AttentionBlocks.h"
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

static void writeQueries(KernelTask &task, AttentionTile &tile, const ForwardBuffers &memory) {
  KernelBuilder &kernel = tile.builder();
  const AttentionShape &shape = tile.form();
  Array keys = task.operand(shape.key), values = task.operand(shape.value);
  const int64_t width = shape.sizes.value;
  tile.loadTransposed(tile.queryRows(task.operand(shape.query), tile.first()), memory.query, shape.scale);
  tile.startQueries();
  tile.fillZero(memory.sums, width);
  KeyRange seen = tile.visibleKeys();
  Values start{kernel.constantVector(AttentionTile::hiddenScore), kernel.constantVector(0.0)};
  Values totals = kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock, start, [&](Value first, Range carried) {
    Value count = kernel.min(kernel.sub(seen.end, first), kernel.index(AttentionTile::keyBlock));
    Value maximum =
        writeScores(tile, memory.query, tile.keyRows(keys, first), first, count, memory.weights, carried[0]);
    Value factor = kernel.exp(kernel.sub(carried[0], maximum));
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    Value sum = writeWeights(tile, memory.weights, memory.drops, first, count, maximum, kernel.mul(carried[1], factor));
    rescale(tile, memory.sums, width, factor);
    tile.addWeighted(memory.weights, count, tile.valueRows(values, first), memory.sums);
    return Values{maximum, sum};
  });
  Value zero = kernel.constantVector(0.0), one = kernel.constantVector(1.0);
  Value factor = kernel.select(kernel.less(zero, totals[1]), kernel.div(one, totals[1]), zero);
  tile.storeTransposed(memory.sums, tile.outputRows(task.result(0), tile.first()), factor);
  Value lse = kernel.add(totals[0], kernel.log(totals[1]));
  kernel.storeVector(lse, task.result(1), tile.statisticsAt(), tile.realQueries());
}

template <typename Op> static void writeAttention(KernelTask &task, Op op) {
  KernelBuilder &kernel = task.builder;
  AttentionShape shape = AttentionShape::of(op);
  kernel.stage(task.name(), 0, [&](Value index) {
    Value queries = kernel.expression(shape.queries);
    Value perHead = kernel.ceilDiv(queries, kernel.index(attentionQueries));
    Value headNumber = kernel.div(index, perHead), heads = kernel.index(shape.sizes.heads);
    Value begin = kernel.mul(kernel.rem(index, perHead), attentionQueries);
    Value end = kernel.min(kernel.add(begin, attentionQueries), queries);
    const int64_t lanes = kernel.width();
    ForwardBuffers memory;
    memory.query = kernel.stackArray(shape.sizes.key * lanes);
    memory.sums = kernel.stackArray(shape.sizes.value * lanes);
    memory.weights = kernel.stackArray(AttentionTile::keyBlock * lanes);
    if (shape.dropRate > 0)
      memory.drops = kernel.stackArray(AttentionTile::keyBlock * lanes);
    ScoreModifiers modifiers = modifiersOf(task, shape);
    kernel.loop(begin, end, lanes, [&](Value firstQuery) {
      AttentionTile tile(task, shape, modifiers);
      tile.start(kernel.div(headNumber, heads), kernel.rem(headNumber, heads), firstQuery);
      writeQueries(task, tile, memory);
    });
  });
}

void writeAttentionGrad(KernelTask &task, AttentionGradOp op);
void writeAttentionGrad(KernelTask &task, RelativeAttentionGradOp op);
void writeAttentionStep(KernelTask &task, AttentionStepOp op);
void writeAttentionStep(KernelTask &task, RelativeAttentionStepOp op);
void writeCrossAttentionStep(KernelTask &task, CrossAttentionStepOp op);

FailureOr<bool> generateAttention(KernelTask &task) {
  return llvm::TypeSwitch<Operation *, bool>(task.op)
      .Case<AttentionOp, RelativeAttentionOp>([&](auto op) { return writeAttention(task, op), true; })
      .Case<AttentionGradOp, RelativeAttentionGradOp>([&](auto op) { return writeAttentionGrad(task, op), true; })
      .Case<AttentionStepOp, RelativeAttentionStepOp>([&](auto op) { return writeAttentionStep(task, op), true; })
      .Case([&](CrossAttentionStepOp op) { return writeCrossAttentionStep(task, op), true; })
      .Default(false);
}

} // namespace bifocal
