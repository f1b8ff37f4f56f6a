// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// diff_attention: two passes over the keys. The first one finds the log-sums of both maps and leaves their weights in a
// panel on the stack, those of each block relative to the maximum so far; the second one joins both maps to one weight
// for each key and adds up the values, once for both. A sum of values for each map (FlashAttention twice) would need
// half as many multiply-adds again. Keys that the panel has no room for are scored a second time.

#include "codegen/cpu/DiffAttention.h"
#include "passes/AttentionSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

namespace {

/// The stack memory of a tile: [d][lane], [key][lane] with a place for a block behind the panel, and [block][lane].
struct DiffBuffers {
  std::array<Array, 2> query, weights, peaks;
  Array sums, drops;
};

/// The largest score and the sum of weights of both maps so far.
struct MapTotals {
  std::array<Value, 2> maximum, sum;

  Values flat() const { return {maximum[0], sum[0], maximum[1], sum[1]}; }
  static MapTotals of(Range values) { return {{values[0], values[2]}, {values[1], values[3]}}; }
};

/// Writes the outputs of as many queries as there are lanes.
class DiffWriter {
public:
  DiffWriter(KernelTask &task, const AttentionShape &shape, ScoreModifiers &modifiers, const DiffBuffers &memory,
             int64_t panelKeys)
      : task(task), kernel(task.builder), tile(task, shape, modifiers), memory(memory), panel(panelKeys) {}

  void write(Value sentence, Value head, Value firstQuery);

private:
  /// The keys [first, first + count), whose weights lie from row `place` of the panel on.
  struct Block {
    Value first, count, place;
  };

  Block blockAt(Value first, Value end);
  Array weightsAt(const Block &block, int64_t map) {
    return kernel.from(memory.weights[map], kernel.mul(block.place, kernel.width()));
  }
  /// Where the maximum of a block lies that its weights are relative to.
  Value peakAt(const Block &block) {
    return kernel.mul(kernel.div(block.place, kernel.index(AttentionTile::keyBlock)), kernel.width());
  }
  /// Goes on with the weights of one map of a block.
  void weigh(const Block &block, int64_t map, MapTotals &totals);
  void addBlock(const Block &block, const MapTotals &totals, ArrayRef<Value> shares);

  KernelTask &task;
  KernelBuilder &kernel;
  AttentionTile tile;
  const DiffBuffers &memory;
  int64_t panel;
};

} // namespace

DiffWriter::Block DiffWriter::blockAt(Value first, Value end) {
  return {first, kernel.min(kernel.sub(end, first), kernel.index(AttentionTile::keyBlock)),
          kernel.min(first, kernel.index(panel))};
}

void DiffWriter::weigh(const Block &block, int64_t map, MapTotals &totals) {
  Array weights = weightsAt(block, map);
  HeadRows keys = tile.keyRows(task.operand(1), block.first, map);
  Value maximum = writeScores(tile, memory.query[map], keys, block.first, block.count, weights, totals.maximum[map]);
  Value factor = kernel.exp(kernel.sub(totals.maximum[map], maximum));
  if (memory.drops)
    tile.drawDrops(block.first, block.count, memory.drops, map);
  totals.sum[map] =
      writeWeights(tile, weights, memory.drops, block.first, block.count, maximum, kernel.mul(totals.sum[map], factor));
  totals.maximum[map] = maximum;
  kernel.storeVector(maximum, memory.peaks[map], peakAt(block));
}

/// `shares`: what the weights of a map count at the end.
void DiffWriter::addBlock(const Block &block, const MapTotals &totals, ArrayRef<Value> shares) {
  auto again = [&] {
    for (int64_t map = 0; map < 2; ++map) {
      MapTotals unused = totals;
      weigh(block, map, unused);
    }
  };
  if (panel == 0)
    again();
  else
    kernel.when(kernel.lessEqual(kernel.index(panel), block.first), again);
  std::array<Array, 2> weights{weightsAt(block, 0), weightsAt(block, 1)};
  std::array<Value, 2> factors;
  for (int64_t map = 0; map < 2; ++map) {
    Value peak = kernel.loadVector(memory.peaks[map], peakAt(block));
    factors[map] = kernel.mul(kernel.exp(kernel.sub(peak, totals.maximum[map])), shares[map]);
  }
  kernel.loop(kernel.index(0), block.count, 1, [&](Value key) {
    Value at = kernel.mul(key, kernel.width());
    Value second = kernel.mul(kernel.loadVector(weights[1], at), factors[1]);
    kernel.storeVector(kernel.fma(kernel.loadVector(weights[0], at), factors[0], second), weights[0], at);
  });
  tile.addWeighted(weights[0], block.count, tile.valueRows(task.operand(2), block.first), memory.sums);
}

void DiffWriter::write(Value sentence, Value head, Value firstQuery) {
  tile.start(sentence, head, firstQuery);
  for (int64_t map = 0; map < 2; ++map)
    tile.loadTransposed(tile.queryRows(task.operand(0), firstQuery, map), memory.query[map], tile.form().scale);
  tile.fillZero(memory.sums, tile.form().sizes.value);
  KeyRange seen = tile.visibleKeys();
  Value hidden = kernel.constantVector(AttentionTile::hiddenScore), zero = kernel.constantVector(0.0);
  Values start = MapTotals{{hidden, hidden}, {zero, zero}}.flat();
  MapTotals totals =
      MapTotals::of(kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock, start, [&](Value first, Range carried) {
        MapTotals next = MapTotals::of(carried);
        for (int64_t map = 0; map < 2; ++map)
          weigh(blockAt(first, seen.end), map, next);
        return next.flat();
      }));
  Value one = kernel.constantVector(1.0), lambda = kernel.splat(kernel.load(task.operand(3), kernel.index(0)));
  SmallVector<Value> shares;
  for (int64_t map = 0; map < 2; ++map) {
    Value share = kernel.select(kernel.less(zero, totals.sum[map]), kernel.div(one, totals.sum[map]), zero);
    shares.push_back(map == 0 ? share : kernel.mul(share, kernel.neg(lambda)));
    Value lse = kernel.add(totals.maximum[map], kernel.log(totals.sum[map]));
    kernel.storeVector(lse, task.result(1), tile.statisticsAt(map), tile.realQueries());
  }
  kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock,
              [&](Value first) { addBlock(blockAt(first, seen.end), totals, shares); });
  tile.storeTransposed(memory.sums, tile.outputRows(task.result(0), firstQuery), one);
}

int64_t panelKeys(const KernelBuilder &kernel, int64_t maps) {
  // A warp's stack is shared memory, of which a panel would leave nothing.
  if (kernel.target().isWarp)
    return 0;
  const int64_t bytesPerKey = maps * kernel.width() * int64_t{sizeof(float)};
  return mostPanelBytes / bytesPerKey / AttentionTile::keyBlock * AttentionTile::keyBlock;
}

static void writeDiffAttention(KernelTask &task, DiffAttentionOp op) {
  KernelBuilder &kernel = task.builder;
  AttentionShape shape = AttentionShape::of(op);
  kernel.stage(task.name(), 0, [&](Value index) {
    Value queries = kernel.expression(shape.queries), heads = kernel.index(shape.sizes.heads);
    Value perHead = kernel.ceilDiv(queries, kernel.index(attentionQueries));
    Value number = kernel.div(index, perHead), begin = kernel.mul(kernel.rem(index, perHead), attentionQueries);
    Value end = kernel.min(kernel.add(begin, attentionQueries), queries);
    const int64_t lanes = kernel.width(), panel = panelKeys(kernel, 2), block = AttentionTile::keyBlock;
    DiffBuffers memory;
    for (int64_t map = 0; map < 2; ++map) {
      memory.query[map] = kernel.stackArray(shape.sizes.key * lanes);
      memory.weights[map] = kernel.stackArray((panel + block) * lanes);
      memory.peaks[map] = kernel.stackArray((panel / block + 1) * lanes);
    }
    memory.sums = kernel.stackArray(shape.sizes.value * lanes);
    if (shape.dropRate > 0)
      memory.drops = kernel.stackArray(block * lanes);
    ScoreModifiers modifiers = modifiersOf(task, shape);
    kernel.loop(begin, end, lanes, [&](Value firstQuery) {
      DiffWriter(task, shape, modifiers, memory, panel)
          .write(kernel.div(number, heads), kernel.rem(number, heads), firstQuery);
    });
  });
}

FailureOr<bool> generateDiffAttention(KernelTask &task) {
  if (auto op = dyn_cast<DiffAttentionOp>(task.op))
    writeDiffAttention(task, op);
  else if (auto op = dyn_cast<DiffAttentionGradOp>(task.op))
    writeDiffAttentionGrad(task, op);
  else if (auto op = dyn_cast<DiffAttentionStepOp>(task.op))
    writeDiffAttentionStep(task, op);
  else
    return false;
  return true;
}

} // namespace bifocal
