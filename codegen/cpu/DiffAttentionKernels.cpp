// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// diff_attention: two passes over the keys for a strip of queries. The first one finds the log-sums of both maps and
// leaves their weights in a panel on the stack, those of each block relative to the maximum so far; the second one
// joins both maps to one weight for each key and adds up the values, once for both. A sum of values for each map
// (FlashAttention twice) would need half as many multiply-adds again. Keys that the panel has no room for are scored a
// second time.

#include "codegen/cpu/DiffAttention.h"

using namespace mlir;

namespace bifocal {

namespace {

/// The stack memory of a strip: for each group of queries [d][lane], [key][lane] with a place for a block behind the
/// panel, [block][lane] and [lane]; and [key][lane] for one group at a time.
struct DiffBuffers {
  std::array<Array, 2> query, weights, peaks;
  std::array<Array, 2> maximum; ///< the largest score so far
  std::array<Array, 2> total;   ///< the sum of weights so far; then what the weights of the map count
  Array sums, drops;
  std::array<FactorPlace, 2> keys; ///< rows of a block
  FactorPlace values;              ///< the same
};

/// Writes the outputs of a strip of queries.
class DiffWriter {
public:
  DiffWriter(KernelTask &task, const AttentionShape &shape);
  void write(Value sentence, Value head, Value begin);

private:
  /// The keys [first, first + count), whose weights lie from row `place` of the panel on.
  struct Block {
    Value first, count, place;
  };

  Block blockAt(Value first, Value count) { return {first, count, kernel.min(first, kernel.index(panel))}; }
  Array weightsAt(AttentionTile &tile, const Block &block, int64_t map) {
    return kernel.from(tile.own(memory.weights[map], (panel + keyBlock) * lanes), kernel.mul(block.place, lanes));
  }
  SmallVector<Array> weightsAt(QueryTeam &team, const Block &block, int64_t map) {
    SmallVector<Array> places = team.own(memory.weights[map], (panel + keyBlock) * lanes);
    for (Array &place : places)
      place = kernel.from(place, kernel.mul(block.place, lanes));
    return places;
  }
  /// Where the maximum of a block lies that its weights are relative to.
  Array peakAt(AttentionTile &tile, const Block &block, int64_t map) {
    return kernel.from(tile.own(memory.peaks[map], (panel / keyBlock + 1) * lanes),
                       kernel.mul(kernel.div(block.place, kernel.index(keyBlock)), lanes));
  }

  void startGroup(AttentionTile &tile);
  void weigh(QueryTeam &team, const HeadRows &keys, const Block &block, int64_t map, bool again);
  void finishWeights(AttentionTile &tile);
  void joinMaps(AttentionTile &tile, const Block &block);
  void addBlock(QueryTeam &team, ArrayRef<HeadRows> keys, const HeadRows &values, const Block &block);

  static constexpr int64_t keyBlock = AttentionTile::keyBlock;
  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  ScoreModifiers modifiers;
  int64_t lanes = kernel.width(), panel = panelKeys(kernel, shape, 2);
  int64_t queryPlace = elementsOf(shape.factor, shape.sizes.key) * lanes, sumsPlace = shape.sizes.value * lanes;
  DiffBuffers memory;
};

} // namespace

DiffWriter::DiffWriter(KernelTask &task, const AttentionShape &shape)
    : task(task), kernel(task.builder), shape(shape), modifiers(modifiersOf(task, shape)) {
  const int64_t groups = QueryStrip::groups(kernel, shape);
  for (int64_t map = 0; map < 2; ++map) {
    memory.query[map] = kernel.stackArray(groups * queryPlace);
    memory.keys[map] = FactorPlace::onStack(kernel, shape.factor, keyBlock, shape.sizes.key, FactorPlace::channels);
    memory.weights[map] = kernel.stackArray(groups * (panel + keyBlock) * lanes);
    memory.peaks[map] = kernel.stackArray(groups * (panel / keyBlock + 1) * lanes);
    memory.maximum[map] = kernel.stackArray(groups * lanes);
    memory.total[map] = kernel.stackArray(groups * lanes);
  }
  memory.sums = kernel.stackArray(groups * shape.sizes.value * lanes);
  memory.values = FactorPlace::onStack(kernel, shape.factor, keyBlock, shape.sizes.value, FactorPlace::rows);
  if (shape.dropRate > 0)
    memory.drops = kernel.stackArray(keyBlock * lanes);
}

void DiffWriter::startGroup(AttentionTile &tile) {
  for (int64_t map = 0; map < 2; ++map) {
    tile.loadColumns(tile.queryRows(task.operand(0), tile.first(), map), shape.factor,
                     tile.own(memory.query[map], queryPlace), tile.queryScale());
    tile.store(kernel.constantVector(AttentionTile::hiddenScore), memory.maximum[map]);
    tile.store(kernel.constantVector(0.0), memory.total[map]);
  }
  tile.fillZero(tile.own(memory.sums, sumsPlace), shape.sizes.value);
}

/// Leaves the weights of one map of a block in the panel; `again` where the largest scores are known already.
void DiffWriter::weigh(QueryTeam &team, const HeadRows &keys, const Block &block, int64_t map, bool again) {
  team.products(team.own(memory.query[map], queryPlace), keys, block.count, weightsAt(team, block, map));
  auto weighTile = [&](AttentionTile &tile) {
    const Array weights = weightsAt(tile, block, map);
    Value before = tile.load(memory.maximum[map]);
    Value maximum = finishScores(tile, block.first, block.count, weights, before);
    if (memory.drops)
      tile.drawDrops(block.first, block.count, memory.drops, map);
    Value total = kernel.constantVector(0.0);
    if (!again)
      total = kernel.mul(tile.load(memory.total[map]), kernel.expNonPositive(kernel.sub(before, maximum)));
    total = writeWeights(tile, weights, memory.drops, block.first, block.count, maximum, total);
    kernel.storeVector(maximum, peakAt(tile, block, map), kernel.index(0));
    if (again)
      return;
    tile.store(maximum, memory.maximum[map]);
    tile.store(total, memory.total[map]);
  };
  team.each(weighTile);
}

void DiffWriter::finishWeights(AttentionTile &tile) {
  Value zero = kernel.constantVector(0.0), one = kernel.constantVector(1.0);
  Value lambda = kernel.splat(kernel.load(task.operand(3), kernel.index(0)));
  for (int64_t map = 0; map < 2; ++map) {
    Value total = tile.load(memory.total[map]);
    Value lse = kernel.add(tile.load(memory.maximum[map]), kernel.log(total));
    kernel.storeVector(lse, task.result(1), tile.statisticsAt(map), tile.realQueries());
    Value share = kernel.select(kernel.less(zero, total), kernel.div(one, total), zero);
    tile.store(map == 0 ? share : kernel.mul(share, kernel.neg(lambda)), memory.total[map]);
  }
}

/// Joins both maps to one weight for each key.
void DiffWriter::joinMaps(AttentionTile &tile, const Block &block) {
  std::array<Array, 2> weights{weightsAt(tile, block, 0), weightsAt(tile, block, 1)};
  std::array<Value, 2> factors;
  for (int64_t map = 0; map < 2; ++map) {
    Value peak = kernel.loadVector(peakAt(tile, block, map), kernel.index(0));
    factors[map] = kernel.mul(kernel.expNonPositive(kernel.sub(peak, tile.load(memory.maximum[map]))),
                              tile.load(memory.total[map]));
  }
  kernel.loop(kernel.index(0), block.count, 1, [&](Value key) {
    Value at = kernel.mul(key, lanes);
    Value second = kernel.mul(kernel.loadVector(weights[1], at), factors[1]);
    kernel.storeVector(kernel.fma(kernel.loadVector(weights[0], at), factors[0], second), weights[0], at);
  });
}

void DiffWriter::addBlock(QueryTeam &team, ArrayRef<HeadRows> keys, const HeadRows &values, const Block &block) {
  auto again = [&] {
    for (int64_t map = 0; map < 2; ++map)
      weigh(team, keys[map], block, map, /*again=*/true);
  };
  if (panel == 0)
    again();
  else
    kernel.when(kernel.lessEqual(kernel.index(panel), block.first), again);
  team.each([&](AttentionTile &tile) { joinMaps(tile, block); });
  team.addWeighted(weightsAt(team, block, 0), block.count, values, team.own(memory.sums, sumsPlace));
}

void DiffWriter::write(Value sentence, Value head, Value begin) {
  QueryStrip strip(task, shape, modifiers, sentence, head, begin);
  auto keysFrom = [&](Value first, int64_t map) { return strip.whole().keyRows(task.operand(1), first, map); };
  strip.eachGroup([&](AttentionTile &tile) { startGroup(tile); });
  strip.eachBlock([&](Value first, Value count) {
    std::array<HeadRows, 2> keys;
    for (int64_t map = 0; map < 2; ++map)
      keys[map] = strip.copiedBlock(keysFrom(first, map), count, memory.keys[map]).overChannels;
    strip.eachTeam(first, [&](QueryTeam &team, Value seen) {
      for (int64_t map = 0; map < 2; ++map)
        weigh(team, keys[map], blockAt(first, seen), map, /*again=*/false);
    });
  });
  strip.eachGroup([&](AttentionTile &tile) { finishWeights(tile); });
  strip.eachBlock([&](Value first, Value count) {
    const HeadRows values =
        strip.copiedBlock(strip.whole().valueRows(task.operand(2), first), count, memory.values).overRows;
    // Keys that are scored again are read where they lie: mostly there are none.
    std::array<HeadRows, 2> keys;
    for (int64_t map = 0; map < 2; ++map)
      keys[map] = factorsOverChannels(keysFrom(first, map), shape.factor);
    strip.eachTeam(first, [&](QueryTeam &team, Value seen) { addBlock(team, keys, values, blockAt(first, seen)); });
  });
  strip.eachGroup([&](AttentionTile &tile) {
    tile.storeTransposed(tile.own(memory.sums, sumsPlace), tile.outputRows(task.result(0), tile.first()),
                         kernel.constantVector(1.0));
  });
}

int64_t panelKeys(const KernelBuilder &kernel, const AttentionShape &shape, int64_t arrays) {
  // A warp's stack is shared memory, of which a panel would leave nothing.
  if (kernel.target().isWarp)
    return 0;
  const int64_t bytesPerKey = arrays * QueryStrip::queries(kernel, shape) * int64_t{sizeof(float)};
  return mostPanelBytes / bytesPerKey / AttentionTile::keyBlock * AttentionTile::keyBlock;
}

static void writeDiffAttention(KernelTask &task, DiffAttentionOp op) {
  AttentionShape shape = AttentionShape::of(op, task.builder.target());
  auto write = [&](Value number) {
    auto [sentence, head, begin] = QueryStrip::placeOf(task, shape, number);
    DiffWriter(task, shape).write(sentence, head, begin);
  };
  task.builder.stage(task.name(), 0, write, QueryStrip::tiles(task, shape));
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
