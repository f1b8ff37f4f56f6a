// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention and relative_attention: one pass over the keys in blocks for a strip of queries, each with a running
// maximum and a running sum.

#include "codegen/cpu/AttentionBlocks.h"
#include "codegen/cpu/AttentionStrip.h"

using namespace mlir;

namespace bifocal {

namespace {

/// The stack memory of a strip.
struct ForwardBuffers {
  Array query, sums;        ///< of each group, [d][lane]
  Array maximum, total;     ///< of each group, [lane]: the largest score and the sum of weights so far
  Array weights;            ///< of each group of a team, [key][lane]
  Array drops;              ///< of one group, [key][lane]
  FactorPlace keys, values; ///< rows of a block
};

class ForwardWriter {
public:
  ForwardWriter(KernelTask &task, const AttentionShape &shape);
  void write(Value sentence, Value head, Value begin);

private:
  void startGroup(AttentionTile &tile);
  void addBlock(QueryTeam &team, const HeadRows &keys, const HeadRows &values, Value first, Value count);
  void finishGroup(AttentionTile &tile);

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  ScoreModifiers modifiers;
  ForwardBuffers memory;
  int64_t lanes = kernel.width(), queryPlace = elementsOf(shape.factor, shape.sizes.key) * lanes;
  int64_t sumsPlace = shape.sizes.value * lanes;
};

} // namespace

ForwardWriter::ForwardWriter(KernelTask &task, const AttentionShape &shape)
    : task(task), kernel(task.builder), shape(shape), modifiers(modifiersOf(task, shape)) {
  const int64_t groups = QueryStrip::groups(kernel, shape);
  memory.query = kernel.stackArray(groups * queryPlace);
  memory.sums = kernel.stackArray(groups * sumsPlace);
  memory.maximum = kernel.stackArray(groups * lanes);
  memory.total = kernel.stackArray(groups * lanes);
  memory.weights = kernel.stackArray(QueryTeam::groups(kernel) * AttentionTile::keyBlock * lanes);
  constexpr int64_t block = AttentionTile::keyBlock;
  memory.keys = FactorPlace::onStack(kernel, shape.factor, block, shape.sizes.key, FactorPlace::channels);
  memory.values = FactorPlace::onStack(kernel, shape.factor, block, shape.sizes.value, FactorPlace::rows);
  if (shape.dropRate > 0)
    memory.drops = kernel.stackArray(AttentionTile::keyBlock * lanes);
}

void ForwardWriter::startGroup(AttentionTile &tile) {
  tile.loadColumns(tile.queryRows(task.operand(shape.query), tile.first()), shape.factor,
                   tile.own(memory.query, queryPlace), tile.queryScale());
  tile.startQueries();
  tile.fillZero(tile.own(memory.sums, sumsPlace), shape.sizes.value);
  tile.store(kernel.constantVector(AttentionTile::hiddenScore), memory.maximum);
  tile.store(kernel.constantVector(0.0), memory.total);
}

/// The keys and values of a block, for the groups of a team.
void ForwardWriter::addBlock(QueryTeam &team, const HeadRows &keys, const HeadRows &values, Value first, Value count) {
  const int64_t place = AttentionTile::keyBlock * lanes;
  const SmallVector<Array> teamWeights = team.inTurn(memory.weights, place);
  team.products(team.own(memory.query, queryPlace), keys, count, teamWeights);
  auto weigh = [&](AttentionTile &tile) {
    const Array weights = tile.inTurn(memory.weights, place);
    Value before = tile.load(memory.maximum);
    Value maximum = finishScores(tile, first, count, weights, before),
          factor = kernel.expNonPositive(kernel.sub(before, maximum));
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    Value total = kernel.mul(tile.load(memory.total), factor);
    tile.store(writeWeights(tile, weights, memory.drops, first, count, maximum, total), memory.total);
    tile.store(maximum, memory.maximum);
    rescale(tile, tile.own(memory.sums, sumsPlace), shape.sizes.value, factor);
  };
  team.each(weigh);
  team.addWeighted(teamWeights, count, values, team.own(memory.sums, sumsPlace));
}

void ForwardWriter::finishGroup(AttentionTile &tile) {
  Value total = tile.load(memory.total), zero = kernel.constantVector(0.0), one = kernel.constantVector(1.0);
  Value factor = kernel.select(kernel.less(zero, total), kernel.div(one, total), zero);
  tile.storeTransposed(tile.own(memory.sums, sumsPlace), tile.outputRows(task.result(0), tile.first()), factor);
  Value lse = kernel.add(tile.load(memory.maximum), kernel.log(total));
  kernel.storeVector(lse, task.result(1), tile.statisticsAt(), tile.realQueries());
}

void ForwardWriter::write(Value sentence, Value head, Value begin) {
  QueryStrip strip(task, shape, modifiers, sentence, head, begin);
  strip.eachGroup([&](AttentionTile &tile) { startGroup(tile); });
  strip.eachBlock([&](Value first, Value count) {
    AttentionTile &whole = strip.whole();
    const HeadRows
        keys = strip.copiedBlock(whole.keyRows(task.operand(shape.key), first), count, memory.keys).overChannels,
        values = strip.copiedBlock(whole.valueRows(task.operand(shape.value), first), count, memory.values).overRows;
    strip.eachTeam(first, [&](QueryTeam &team, Value seen) { addBlock(team, keys, values, first, seen); });
  });
  strip.eachGroup([&](AttentionTile &tile) { finishGroup(tile); });
}

template <typename Op> static void writeAttention(KernelTask &task, Op op) {
  AttentionShape shape = AttentionShape::of(op, task.builder.target());
  auto write = [&](Value number) {
    auto [sentence, head, begin] = QueryStrip::placeOf(task, shape, number);
    ForwardWriter(task, shape).write(sentence, head, begin);
  };
  task.builder.stage(task.name(), 0, write, QueryStrip::tiles(task, shape));
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
