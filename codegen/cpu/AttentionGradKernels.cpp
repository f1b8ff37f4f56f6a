// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_grad and relative_attention_grad: a tile is one head of keys and values of one sentence, with all heads of
// queries that read it, strip by strip. The weights are computed again from the log-sums, block by block.

#include "codegen/cpu/AttentionStrip.h"
#include "codegen/cpu/RelativeModifiers.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

namespace {

/// The stack memory of a strip.
struct GradBuffers {
  Array query, outputGrad, queryGrad; ///< of each group, [d][lane]; queryGrad holds the outputs first
  Array lse, delta;                   ///< of each group, [lane]
  Array weights, scoreGrads;          ///< of each group, [key][lane]
  Array drops;                        ///< of one group, [key][lane]
  FactorPlace keys, values;           ///< rows of a block
  FactorPlace queries, outputGrads;   ///< rows of the strip
};

/// The arrays of the launch, beside those of the shape.
struct GradArrays {
  Array outputGrad, output, lse, queryGrad, keyGrad, valueGrad;
  Array keySums, valueSums;
};

class GradWriter {
public:
  GradWriter(KernelTask &task, const AttentionShape &shape, const GradArrays &arrays, ScoreModifiers modifiers);
  /// All queries that read one head of keys and values.
  void write(Value kvHead);

private:
  void startGroup(AttentionTile &tile);
  void writeWeights(AttentionTile &tile, Value first, Value count);
  void addBlock(QueryStrip &strip, Value first, Value count);
  void addBlock(QueryTeam &team, const FactorRows &keys, const HeadRows &values, Value first, Value count);
  void finishGroup(AttentionTile &tile);
  void writeStrip(Value sentence, Value head, Value begin);

  Array outputGrad(AttentionTile &tile) { return tile.own(memory.outputGrad, outputPlace); }
  Array queryGrad(AttentionTile &tile) { return tile.own(memory.queryGrad, queryGradPlace); }

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  const GradArrays &arrays;
  ScoreModifiers modifiers;
  GradBuffers memory;
  HeadRows queries, outputGrads; ///< rows of the strip
  int64_t lanes = kernel.width();
  int64_t queryPlace = elementsOf(shape.factor, shape.sizes.key) * lanes,
          outputPlace = elementsOf(shape.factor, shape.sizes.value) * lanes;
  int64_t queryGradPlace = std::max(shape.sizes.key * lanes, outputPlace);
  // Not a power of two apart: the sums for a key take its weights from all groups.
  int64_t blockPlace = AttentionTile::keyBlock * lanes + (kernel.target().isWarp ? 0 : 2 * lanes);
};

} // namespace

GradWriter::GradWriter(KernelTask &task, const AttentionShape &shape, const GradArrays &arrays,
                       ScoreModifiers modifiers)
    : task(task), kernel(task.builder), shape(shape), arrays(arrays), modifiers(std::move(modifiers)) {
  const int64_t groups = QueryStrip::groups(kernel, shape);
  memory.query = kernel.stackArray(groups * queryPlace);
  memory.outputGrad = kernel.stackArray(groups * outputPlace);
  memory.queryGrad = kernel.stackArray(groups * queryGradPlace);
  memory.lse = kernel.stackArray(groups * lanes);
  memory.delta = kernel.stackArray(groups * lanes);
  memory.weights = kernel.stackArray(groups * blockPlace);
  memory.scoreGrads = kernel.stackArray(groups * blockPlace);
  if (shape.dropRate > 0)
    memory.drops = kernel.stackArray(AttentionTile::keyBlock * lanes);
  const int64_t block = AttentionTile::keyBlock, queryCount = QueryStrip::queries(kernel, shape);
  memory.keys = FactorPlace::onStack(kernel, shape.factor, block, shape.sizes.key, FactorPlace::both);
  memory.values = FactorPlace::onStack(kernel, shape.factor, block, shape.sizes.value, FactorPlace::channels);
  memory.queries = FactorPlace::onStack(kernel, shape.factor, queryCount, shape.sizes.key, FactorPlace::rows);
  memory.outputGrads = FactorPlace::onStack(kernel, shape.factor, queryCount, shape.sizes.value, FactorPlace::rows);
}

void GradWriter::startGroup(AttentionTile &tile) {
  tile.loadColumns(tile.queryRows(task.operand(shape.query), tile.first()), shape.factor,
                   tile.own(memory.query, queryPlace), tile.queryScale());
  tile.loadColumns(tile.outputRows(arrays.outputGrad, tile.first()), shape.factor, outputGrad(tile));
  tile.loadColumns(tile.outputRows(arrays.output, tile.first()), shape.factor, queryGrad(tile));
  tile.store(kernel.loadVector(arrays.lse, tile.statisticsAt(), tile.realQueries()), memory.lse);
  // delta = <output_grad, output> of every query.
  Value delta = productOfColumns(kernel, shape.factor, outputGrad(tile), queryGrad(tile), outputPlace / lanes);
  tile.store(delta, memory.delta);
  tile.fillZero(queryGrad(tile), shape.sizes.key);
  tile.startQueries();
  for (const auto &modifier : modifiers)
    modifier->startGradients(tile);
}

/// The dropped weights of a block of keys and the gradients of their scores (without the factor `scale`), from the
/// products with keys and with values in their places.
void GradWriter::writeWeights(AttentionTile &tile, Value first, Value count) {
  const Array weights = tile.own(memory.weights, blockPlace), scoreGrads = tile.own(memory.scoreGrads, blockPlace);
  Value lse = tile.load(memory.lse), delta = tile.load(memory.delta);
  tile.startBlock(first, count);
  inGroups(kernel, count, {}, 4, [&](Value at, int64_t group, Range) {
    for (int64_t i = 0; i < group; ++i) {
      Value key = kernel.add(first, kernel.add(at, i)), place = kernel.mul(kernel.add(at, i), lanes);
      Value score = tile.scoreOf(kernel.loadVector(weights, place), key);
      Value weight = weightOf(tile, key, score, lse), gradient = kernel.loadVector(scoreGrads, place), whole = weight;
      if (Value factor = tile.factor(key))
        weight = kernel.mul(weight, factor);
      Value dropped = weight;
      if (memory.drops) {
        Value factor = kernel.loadVector(memory.drops, place);
        dropped = kernel.mul(weight, factor);
        gradient = kernel.mul(gradient, factor);
      }
      gradient = kernel.sub(gradient, delta);
      kernel.storeVector(dropped, weights, place);
      kernel.storeVector(shape.softCap.gradient(kernel, score, kernel.mul(weight, gradient)), scoreGrads, place);
      for (const auto &modifier : modifiers)
        modifier->addFactorGradient(tile, key, kernel.mul(whole, gradient));
    }
    return Values{};
  });
}

/// What the keys and values of a block say to the queries of a team.
void GradWriter::addBlock(QueryTeam &team, const FactorRows &keys, const HeadRows &values, Value first, Value count) {
  const SmallVector<Array> scoreGrads = team.own(memory.scoreGrads, blockPlace);
  team.products(team.own(memory.query, queryPlace), keys.overChannels, count, team.own(memory.weights, blockPlace));
  team.products(team.own(memory.outputGrad, outputPlace), values, count, scoreGrads);
  auto differentiate = [&](AttentionTile &tile) {
    if (memory.drops)
      tile.drawDrops(first, count, memory.drops);
    writeWeights(tile, first, count);
    for (const auto &modifier : modifiers)
      modifier->addScoreGradients(tile, tile.own(memory.scoreGrads, blockPlace));
  };
  team.each(differentiate);
  team.addWeighted(scoreGrads, count, keys.overRows, team.own(memory.queryGrad, queryGradPlace));
}

/// A block of keys and values, and what the queries of the strip say to them.
void GradWriter::addBlock(QueryStrip &strip, Value first, Value count) {
  AttentionTile &whole = strip.whole();
  const FactorRows keys = strip.copiedBlock(whole.keyRows(task.operand(shape.key), first), count, memory.keys);
  const HeadRows values =
      strip.copiedBlock(whole.valueRows(task.operand(shape.value), first), count, memory.values).overChannels;
  auto hide = [&](QueryTeam &team, Value seen) {
    for (const Array &numbers : {memory.weights, memory.scoreGrads})
      team.fillZero(team.own(numbers, blockPlace), seen, count);
  };
  strip.eachTeam(
      first,
      [&](QueryTeam &team, Value seen) {
        addBlock(team, keys, values, first, seen);
        hide(team, seen);
      },
      [&](QueryTeam &team) { hide(team, kernel.index(0)); });
  addToKeys(kernel, {memory.scoreGrads, whole.count(), blockPlace}, count, queries,
            whole.keyRows(arrays.keySums, first), shape.scale);
  addToKeys(kernel, {memory.weights, whole.count(), blockPlace}, count, outputGrads,
            whole.valueRows(arrays.valueSums, first), 1.0);
}

void GradWriter::finishGroup(AttentionTile &tile) {
  tile.storeTransposed(queryGrad(tile), tile.queryRows(arrays.queryGrad, tile.first()),
                       kernel.constantVector(shape.scale));
  for (const auto &modifier : modifiers)
    modifier->finishQueries(tile);
}

void GradWriter::writeStrip(Value sentence, Value head, Value begin) {
  QueryStrip strip(task, shape, modifiers, sentence, head, begin);
  strip.eachGroup([&](AttentionTile &tile) { startGroup(tile); });
  AttentionTile &whole = strip.whole();
  queries =
      copiedRows(kernel, whole.queryRows(task.operand(shape.query), begin), whole.count(), memory.queries).overRows;
  outputGrads =
      copiedRows(kernel, whole.outputRows(arrays.outputGrad, begin), whole.count(), memory.outputGrads).overRows;
  strip.eachBlock([&](Value first, Value count) { addBlock(strip, first, count); });
  strip.eachGroup([&](AttentionTile &tile) { finishGroup(tile); });
}

void GradWriter::write(Value kvHead) {
  const HeadSizes &sizes = shape.sizes;
  const int64_t shared = sizes.heads / sizes.kvHeads;
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
    kernel.loop(zero, kernel.expression(shape.queries), QueryStrip::queries(kernel, shape),
                [&](Value begin) { writeStrip(sentence, head, begin); });
  });
  roundKeys(whole, keySums, whole.keyRows(arrays.keyGrad, zero));
  roundKeys(whole, valueSums, whole.valueRows(arrays.valueGrad, zero));
}

void writeAttentionGrad(KernelTask &task, AttentionGradOp op) {
  const AttentionShape shape = AttentionShape::of(op, task.builder.target());
  task.builder.stage(task.name(), 0, [&](Value kvHead) {
    const GradArrays arrays{task.operand(op.getOutputGrad()),
                            task.operand(op.getOutput()),
                            task.operand(op.getLse()),
                            task.result(0),
                            task.result(1),
                            task.result(2),
                            keySumsOf(task),
                            valueSumsOf(task)};
    GradWriter(task, shape, arrays, modifiersOf(task, shape)).write(kvHead);
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

/// The gradient of the span of `head`: the shares of all its queries, added up in one order.
static void writeSpanGrad(KernelTask &task, const AttentionShape &shape, AffineExpr sentences, Value head) {
  KernelBuilder &kernel = task.builder;
  const Array shares = relativeSumsOf(task, cast<RelativeAttentionGradOp>(task.op)).spans;
  Value zero = kernel.index(0), heads = kernel.index(shape.sizes.heads), steps = kernel.expression(shape.queries);
  Values total = kernel.loop(zero, kernel.expression(sentences), 1, kernel.constantVector(0.0),
                             [&](Value sentence, Range carried) {
                               Value number = kernel.add(kernel.mul(sentence, heads), head);
                               const Array own = kernel.from(shares, kernel.mul(number, steps));
                               return Values{kernel.add(carried[0], sumOf(kernel, own, steps))};
                             });
  Value slope = kernel.constantF32(shape.relative->spanUnit / shape.relative->ramp);
  kernel.store(kernel.mul(kernel.horizontalSum(total[0]), slope), task.result(5), head);
}

RelativeSums relativeSumsOf(KernelTask &task, RelativeAttentionGradOp op) {
  const auto scratch = static_cast<int64_t>(scheduleKernel(op).scratch.size());
  if (op.getSpan())
    return {task.scratch(scratch - 2), task.scratch(scratch - 1)};
  return {task.scratch(scratch - 1), {}};
}

void writeRelativeSums(KernelTask &task, RelativeAttentionGradOp op, const AttentionShape &shape) {
  KernelBuilder &kernel = task.builder;
  const AffineExpr sentences = launchSymbols(op).operands[1][0];
  kernel.stage(task.name(), 1,
               [&](Value row) { writePositionsGrad(task, shape, sentences, relativeSumsOf(task, op).positions, row); });
  if (!op.getSpan())
    return;
  const AffineExpr heads = getAffineConstantExpr(shape.sizes.heads, op.getContext());
  auto writeHead = [&](Value head) { writeSpanGrad(task, shape, sentences, head); };
  auto writeAll = [&](Value) { kernel.loop(kernel.index(0), kernel.expression(heads), 1, writeHead); };
  // One tile for all heads, but a warp for each.
  if (kernel.target().isWarp)
    kernel.stage(task.name(), 2, writeHead, heads);
  else
    kernel.stage(task.name(), 2, writeAll);
}

void writeAttentionGrad(KernelTask &task, RelativeAttentionGradOp op) {
  const AttentionShape shape = AttentionShape::of(op, task.builder.target());
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
    GradWriter(task, shape, arrays, relativeGradModifiers(task, shape, task.result(1), relativeSumsOf(task, op)))
        .write(kvHead);
  });
  writeRelativeSums(task, op, shape);
}

} // namespace bifocal
