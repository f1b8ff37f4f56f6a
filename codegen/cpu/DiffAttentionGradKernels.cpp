// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// diff_attention_grad: a tile is one head of keys and values of one sentence, with all heads of queries that read it.
// For a strip of queries, a first pass over the keys makes the weights of both maps and their common gradient again,
// leaves them in a panel on the stack and finds the sums `delta` over all keys; a second one turns them into gradients.
// Both maps share the products with values, forward and backward, so the multiply-adds are those of attention with as
// many channels. Keys that the panel has no room for are scored a second time.

#include "codegen/cpu/DiffAttention.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

namespace {

/// Operands of the op in their order.
enum Operand : int64_t { outputGradOperand, queryOperand, keyOperand, valueOperand, lambdaOperand, lseOperand };

/// The stack memory of a strip: for each group of queries [d][lane], [key][lane] with a place for a block behind the
/// panel, and [lane]; [key][lane] for one group at a time; and a number for each lane.
struct DiffGradBuffers {
  std::array<Array, 2> query, queryGrad, weights;
  std::array<Array, 2> slopes; ///< as the weights, where scores are capped: how much a gradient counts for its score
  std::array<Array, 2> lse, delta; ///< [lane]
  Array outputGrad, weightGrads;
  std::array<Array, 2> drops;               ///< of one group
  std::array<FactorPlace, 2> keys, queries; ///< rows of a block, and of the strip
  FactorPlace values, outputGrads;          ///< the same
};

class DiffGradWriter {
public:
  /// `deltas` is where the sums over keys of all queries go.
  DiffGradWriter(KernelTask &task, const AttentionShape &shape, const Array &deltas);
  /// All queries that read one head of keys and values.
  void write(Value kvHead);

private:
  /// The keys [first, first + count), whose weights lie from row `place` of the panel on.
  struct Block {
    Value first, count, place;
  };

  bool hasSlopes() const { return shape.softCap.most > 0; }
  Array operand(Operand which) { return task.operand(int64_t{which}); }
  Block blockAt(Value first, Value count) { return {first, count, kernel.min(first, kernel.index(panel))}; }
  /// Where the numbers of a block lie in one of the panels.
  Array at(AttentionTile &tile, const Array &numbers, const Block &block) {
    return kernel.from(tile.own(numbers, panelPlace), kernel.mul(block.place, lanes));
  }
  Array queryGrad(AttentionTile &tile, int64_t map) { return tile.own(memory.queryGrad[map], queryGradPlace); }

  /// The same places of all groups of a strip: a group's are `panelPlace` numbers behind those before.
  Array atAll(const Array &numbers, Value place) { return kernel.from(numbers, kernel.mul(place, lanes)); }
  SmallVector<Array> at(QueryTeam &team, const Array &numbers, const Block &block) {
    SmallVector<Array> places = team.own(numbers, panelPlace);
    for (Array &place : places)
      place = kernel.from(place, kernel.mul(block.place, lanes));
    return places;
  }

  /// Keys of both maps, and values.
  struct BlockRows {
    std::array<FactorRows, 2> keys;
    HeadRows values;
  };

  void startGroup(AttentionTile &tile);
  void draw(AttentionTile &tile, const Block &block);
  void weighProducts(QueryTeam &team, const BlockRows &rows, const Block &block);
  void weigh(AttentionTile &tile, const Block &block);
  void joinMaps(AttentionTile &tile, const Block &block);
  void addTeam(QueryTeam &team, const BlockRows &rows, const Block &block);
  void addBlock(QueryStrip &strip, Value first, Value count);
  BlockRows rowsOf(QueryStrip &strip, Value first, Value count);
  void finishGroup(AttentionTile &tile);
  void writeStrip(Value sentence, Value head, Value begin);

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  ScoreModifiers modifiers;
  int64_t lanes = kernel.width(), panel = panelKeys(kernel, shape, hasSlopes() ? 5 : 3);
  int64_t keyWidth = shape.sizes.key, queryGradPlace = keyWidth * lanes;
  int64_t queryPlace = elementsOf(shape.factor, keyWidth) * lanes,
          outputPlace = elementsOf(shape.factor, shape.sizes.value) * lanes;
  // Not a power of two apart: the sums for a key take its weights from all groups.
  int64_t panelPlace = (panel + AttentionTile::keyBlock + (kernel.target().isWarp ? 0 : 2)) * lanes;
  DiffGradBuffers memory;
  std::array<HeadRows, 2> queries; ///< rows of the strip
  HeadRows outputGrads;            ///< the same
  Array deltas;
  Value lambda;
};

} // namespace

DiffGradWriter::DiffGradWriter(KernelTask &task, const AttentionShape &shape, const Array &deltas)
    : task(task), kernel(task.builder), shape(shape), modifiers(modifiersOf(task, shape)), deltas(deltas) {
  const int64_t groups = QueryStrip::groups(kernel, shape), block = AttentionTile::keyBlock;
  for (int64_t map = 0; map < 2; ++map) {
    memory.query[map] = kernel.stackArray(groups * queryPlace);
    memory.queryGrad[map] = kernel.stackArray(groups * queryGradPlace);
    memory.weights[map] = kernel.stackArray(groups * panelPlace);
    if (hasSlopes())
      memory.slopes[map] = kernel.stackArray(groups * panelPlace);
    memory.lse[map] = kernel.stackArray(groups * lanes);
    memory.delta[map] = kernel.stackArray(groups * lanes);
    if (shape.dropRate > 0)
      memory.drops[map] = kernel.stackArray(block * lanes);
  }
  memory.outputGrad = kernel.stackArray(groups * outputPlace);
  memory.weightGrads = kernel.stackArray(groups * panelPlace);
  const int64_t queryCount = QueryStrip::queries(kernel, shape), valueWidth = shape.sizes.value;
  for (int64_t map = 0; map < 2; ++map) {
    memory.keys[map] = FactorPlace::onStack(kernel, shape.factor, block, keyWidth, FactorPlace::both);
    memory.queries[map] = FactorPlace::onStack(kernel, shape.factor, queryCount, keyWidth, FactorPlace::rows);
  }
  memory.values = FactorPlace::onStack(kernel, shape.factor, block, valueWidth, FactorPlace::channels);
  memory.outputGrads = FactorPlace::onStack(kernel, shape.factor, queryCount, valueWidth, FactorPlace::rows);
}

void DiffGradWriter::startGroup(AttentionTile &tile) {
  for (int64_t map = 0; map < 2; ++map) {
    tile.loadColumns(tile.queryRows(operand(queryOperand), tile.first(), map), shape.factor,
                     tile.own(memory.query[map], queryPlace), tile.queryScale());
    tile.fillZero(queryGrad(tile, map), keyWidth);
    tile.store(kernel.loadVector(operand(lseOperand), tile.statisticsAt(map), tile.realQueries()), memory.lse[map]);
    tile.store(kernel.constantVector(0.0), memory.delta[map]);
  }
  tile.loadColumns(tile.outputRows(operand(outputGradOperand), tile.first()), shape.factor,
                   tile.own(memory.outputGrad, outputPlace));
}

void DiffGradWriter::draw(AttentionTile &tile, const Block &block) {
  for (int64_t map = 0; map < 2 && memory.drops[map]; ++map)
    tile.drawDrops(block.first, block.count, memory.drops[map], map);
}

/// The products of the queries of both maps with their keys, and of the gradients of outputs with values.
void DiffGradWriter::weighProducts(QueryTeam &team, const BlockRows &rows, const Block &block) {
  for (int64_t map = 0; map < 2; ++map)
    team.products(team.own(memory.query[map], queryPlace), rows.keys[map].overChannels, block.count,
                  at(team, memory.weights[map], block));
  team.products(team.own(memory.outputGrad, outputPlace), rows.values, block.count,
                at(team, memory.weightGrads, block));
}

/// Turns the products into the weights of both maps before any drop, and adds to the sums over keys of dropped weights
/// times the gradient of a weight of the first map after it.
void DiffGradWriter::weigh(AttentionTile &tile, const Block &block) {
  draw(tile, block);
  std::array<Value, 2> lse{tile.load(memory.lse[0]), tile.load(memory.lse[1])};
  Values deltas{tile.load(memory.delta[0]), tile.load(memory.delta[1])};
  deltas = inGroups(kernel, block.count, deltas, 4, [&](Value first, int64_t group, Range carried) {
    Values next(carried);
    for (int64_t i = 0; i < group; ++i) {
      Value at = kernel.add(first, i), place = kernel.mul(at, lanes);
      Value gradient = kernel.loadVector(this->at(tile, memory.weightGrads, block), place);
      for (int64_t map = 0; map < 2; ++map) {
        const Array weights = this->at(tile, memory.weights[map], block);
        Value key = kernel.add(block.first, at), score = tile.scoreOf(kernel.loadVector(weights, place), key);
        Value weight = weightOf(tile, key, score, lse[map]);
        kernel.storeVector(weight, weights, place);
        if (hasSlopes())
          kernel.storeVector(shape.softCap.slope(kernel, score), this->at(tile, memory.slopes[map], block), place);
        if (memory.drops[map])
          weight = kernel.mul(weight, kernel.loadVector(memory.drops[map], place));
        next[map] = kernel.fma(weight, gradient, next[map]);
      }
    }
    return next;
  });
  for (int64_t map = 0; map < 2; ++map)
    tile.store(deltas[map], memory.delta[map]);
}

/// Weights become gradients of scores (without the factor `scale`), gradients of weights what a value counts.
void DiffGradWriter::joinMaps(AttentionTile &tile, const Block &block) {
  std::array<Array, 2> weights{at(tile, memory.weights[0], block), at(tile, memory.weights[1], block)};
  std::array<Value, 2> deltas{tile.load(memory.delta[0]), tile.load(memory.delta[1])};
  Array weightGrads = at(tile, memory.weightGrads, block);
  kernel.loop(kernel.index(0), block.count, 1, [&](Value key) {
    Value place = kernel.mul(key, lanes), gradient = kernel.loadVector(weightGrads, place);
    std::array<Value, 2> weight, dropped, own;
    for (int64_t map = 0; map < 2; ++map) {
      weight[map] = dropped[map] = kernel.loadVector(weights[map], place);
      own[map] = gradient;
      if (memory.drops[map]) {
        Value factor = kernel.loadVector(memory.drops[map], place);
        dropped[map] = kernel.mul(weight[map], factor);
        own[map] = kernel.mul(gradient, factor);
      }
    }
    Value first = kernel.mul(weight[0], kernel.sub(own[0], deltas[0]));
    Value second = kernel.mul(kernel.mul(lambda, weight[1]), kernel.sub(deltas[1], own[1]));
    std::array<Value, 2> scoreGrads{first, second};
    for (int64_t map = 0; map < 2; ++map) {
      if (hasSlopes())
        scoreGrads[map] = kernel.mul(scoreGrads[map], kernel.loadVector(at(tile, memory.slopes[map], block), place));
      kernel.storeVector(scoreGrads[map], weights[map], place);
    }
    kernel.storeVector(kernel.sub(dropped[0], kernel.mul(lambda, dropped[1])), weightGrads, place);
  });
}

void DiffGradWriter::addTeam(QueryTeam &team, const BlockRows &rows, const Block &block) {
  auto again = [&] {
    weighProducts(team, rows, block);
    auto weighAgain = [&](AttentionTile &tile) {
      // The sums are known.
      std::array<Value, 2> deltas{tile.load(memory.delta[0]), tile.load(memory.delta[1])};
      weigh(tile, block);
      for (int64_t map = 0; map < 2; ++map)
        tile.store(deltas[map], memory.delta[map]);
    };
    team.each(weighAgain);
  };
  if (panel == 0)
    again();
  else
    kernel.when(kernel.lessEqual(kernel.index(panel), block.first), again);
  auto join = [&](AttentionTile &tile) {
    // Without a panel they are drawn already.
    if (panel > 0)
      draw(tile, block);
    joinMaps(tile, block);
  };
  team.each(join);
  for (int64_t map = 0; map < 2; ++map)
    team.addWeighted(at(team, memory.weights[map], block), block.count, rows.keys[map].overRows,
                     team.own(memory.queryGrad[map], queryGradPlace));
}

DiffGradWriter::BlockRows DiffGradWriter::rowsOf(QueryStrip &strip, Value first, Value count) {
  BlockRows rows;
  AttentionTile &whole = strip.whole();
  for (int64_t map = 0; map < 2; ++map)
    rows.keys[map] = strip.copiedBlock(whole.keyRows(operand(keyOperand), first, map), count, memory.keys[map]);
  rows.values = strip.copiedBlock(whole.valueRows(operand(valueOperand), first), count, memory.values).overChannels;
  return rows;
}

/// A block of keys and values, and what the queries of the strip say to them.
void DiffGradWriter::addBlock(QueryStrip &strip, Value first, Value count) {
  AttentionTile &whole = strip.whole();
  const BlockRows rows = rowsOf(strip, first, count);
  auto hide = [&](QueryTeam &team, Value seen) {
    for (const Array &numbers : {memory.weights[0], memory.weights[1], memory.weightGrads})
      team.fillZero(at(team, numbers, blockAt(first, count)), seen, count);
  };
  strip.eachTeam(
      first,
      [&](QueryTeam &team, Value seen) {
        addTeam(team, rows, blockAt(first, seen));
        hide(team, seen);
      },
      [&](QueryTeam &team) { hide(team, kernel.index(0)); });
  Value place = blockAt(first, count).place;
  for (int64_t map = 0; map < 2; ++map)
    addToKeys(kernel, {atAll(memory.weights[map], place), whole.count(), panelPlace}, count, queries[map],
              whole.keyRows(keySumsOf(task), first, map), shape.scale);
  addToKeys(kernel, {atAll(memory.weightGrads, place), whole.count(), panelPlace}, count, outputGrads,
            whole.valueRows(valueSumsOf(task), first), 1.0);
}

void DiffGradWriter::finishGroup(AttentionTile &tile) {
  for (int64_t map = 0; map < 2; ++map) {
    tile.storeTransposed(queryGrad(tile, map), tile.queryRows(task.result(0), tile.first(), map),
                         kernel.constantVector(shape.scale));
    kernel.storeVector(tile.load(memory.delta[map]), deltas, tile.statisticsAt(map), tile.realQueries());
  }
}

void DiffGradWriter::writeStrip(Value sentence, Value head, Value begin) {
  QueryStrip strip(task, shape, modifiers, sentence, head, begin);
  strip.eachGroup([&](AttentionTile &tile) { startGroup(tile); });
  AttentionTile &whole = strip.whole();
  for (int64_t map = 0; map < 2; ++map)
    queries[map] =
        copiedRows(kernel, whole.queryRows(operand(queryOperand), begin, map), whole.count(), memory.queries[map])
            .overRows;
  outputGrads =
      copiedRows(kernel, whole.outputRows(operand(outputGradOperand), begin), whole.count(), memory.outputGrads)
          .overRows;
  strip.eachBlock([&](Value first, Value count) {
    const BlockRows rows = rowsOf(strip, first, count);
    strip.eachTeam(first, [&](QueryTeam &team, Value seen) {
      const Block block = blockAt(first, seen);
      weighProducts(team, rows, block);
      team.each([&](AttentionTile &tile) { weigh(tile, block); });
    });
  });
  strip.eachBlock([&](Value first, Value count) { addBlock(strip, first, count); });
  strip.eachGroup([&](AttentionTile &tile) { finishGroup(tile); });
}

void DiffGradWriter::write(Value kvHead) {
  const HeadSizes &sizes = shape.sizes;
  const int64_t shared = sizes.heads / sizes.kvHeads;
  Value sentence = kernel.div(kvHead, kernel.index(sizes.kvHeads)), zero = kernel.index(0);
  Value firstHead = kernel.mul(kernel.rem(kvHead, kernel.index(sizes.kvHeads)), shared);
  AttentionTile whole(task, shape, modifiers);
  whole.start(sentence, firstHead, zero);
  const HeadRows keySums = whole.allKeyRows(keySumsOf(task), zero);
  const HeadRows valueSums = whole.valueRows(valueSumsOf(task), zero);
  zeroKeys(whole, keySums);
  zeroKeys(whole, valueSums);
  lambda = kernel.splat(kernel.load(operand(lambdaOperand), zero));
  kernel.loop(firstHead, kernel.add(firstHead, shared), 1, [&](Value head) {
    kernel.loop(zero, kernel.expression(shape.queries), QueryStrip::queries(kernel, shape),
                [&](Value begin) { writeStrip(sentence, head, begin); });
  });
  roundKeys(whole, keySums, whole.allKeyRows(task.result(1), zero));
  roundKeys(whole, valueSums, whole.valueRows(task.result(2), zero));
}

void writeLambdaGrad(KernelTask &task, const AttentionShape &shape, AffineExpr sentences) {
  KernelBuilder &kernel = task.builder;
  const Array deltas = deltasOf(task);
  Value steps = kernel.expression(shape.queries), heads = kernel.expression(sentences * shape.sizes.heads);
  Values total = kernel.loop(kernel.index(0), heads, 1, kernel.constantVector(0.0), [&](Value head, Range carried) {
    const Array second = kernel.from(deltas, kernel.mul(kernel.add(kernel.mul(head, 2), 1), steps));
    return Values{kernel.sub(carried[0], sumOf(kernel, second, steps))};
  });
  kernel.store(kernel.horizontalSum(total[0]), task.result(3), kernel.index(0));
}

Array deltasOf(KernelTask &task) {
  return task.scratch(static_cast<int64_t>(scheduleKernel(task.op).scratch.size()) - 1);
}

void writeDiffAttentionGrad(KernelTask &task, DiffAttentionGradOp op) {
  AttentionShape shape = AttentionShape::of(op, task.builder.target());
  const AffineExpr sentences = launchSymbols(op).operands[queryOperand][0];
  task.builder.stage(task.name(), 0, [&](Value kvHead) { DiffGradWriter(task, shape, deltasOf(task)).write(kvHead); });
  task.builder.stage(task.name(), 1, [&](Value) { writeLambdaGrad(task, shape, sentences); });
}

} // namespace bifocal
