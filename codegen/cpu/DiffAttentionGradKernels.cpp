// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// diff_attention_grad: a tile is one head of keys and values of one sentence, with all heads of queries that read it. A
// first pass over the keys makes the weights of both maps and their common gradient again, leaves them in a panel on
// the stack and finds the sums `delta` over all keys; a second one turns them into gradients. Both maps share the
// products with values, forward and backward, so the multiply-adds are those of attention with as many channels. Keys
// that the panel has no room for are scored a second time.

#include "codegen/cpu/DiffAttention.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

namespace {

/// Operands of the op in their order.
enum Operand : int64_t { outputGradOperand, queryOperand, keyOperand, valueOperand, lambdaOperand, lseOperand };

/// The stack memory of a tile: [d][lane], [key][lane] with a place for a block behind the panel, and [lane].
struct DiffGradBuffers {
  std::array<Array, 2> query, queryGrad, weights, drops;
  Array outputGrad, weightGrads, lambda;
};

class DiffGradWriter {
public:
  DiffGradWriter(KernelTask &task, const AttentionShape &shape, ScoreModifiers &modifiers,
                 const DiffGradBuffers &memory, int64_t panelKeys)
      : task(task), kernel(task.builder), tile(task, shape, modifiers), memory(memory), panel(panelKeys) {}

  void write(Value sentence, Value head, Value firstQuery);

private:
  /// The keys [first, first + count), whose weights lie from row `place` of the panel on.
  struct Block {
    Value first, count, place;
  };

  Array operand(Operand which) { return task.operand(int64_t{which}); }
  Block blockAt(Value first, Value end);
  Array at(const Array &numbers, const Block &block) {
    return kernel.from(numbers, kernel.mul(block.place, kernel.width()));
  }
  void loadQueries();
  void draw(const Block &block);
  Values weigh(const Block &block, ValueRange deltas);
  void joinMaps(const Block &block, ValueRange deltas);
  void addBlock(const Block &block, ValueRange deltas);

  KernelTask &task;
  KernelBuilder &kernel;
  AttentionTile tile;
  const DiffGradBuffers &memory;
  int64_t panel;
  Value lambda;
  std::array<Value, 2> lse;
};

} // namespace

DiffGradWriter::Block DiffGradWriter::blockAt(Value first, Value end) {
  return {first, kernel.min(kernel.sub(end, first), kernel.index(AttentionTile::keyBlock)),
          kernel.min(first, kernel.index(panel))};
}

void DiffGradWriter::loadQueries() {
  lambda = kernel.splat(kernel.load(operand(lambdaOperand), kernel.index(0)));
  for (int64_t map = 0; map < 2; ++map) {
    HeadRows queries = tile.queryRows(operand(queryOperand), tile.first(), map);
    tile.loadTransposed(queries, memory.query[map], tile.form().scale);
    tile.fillZero(memory.queryGrad[map], tile.form().sizes.key);
    lse[map] = kernel.loadVector(operand(lseOperand), tile.statisticsAt(map), tile.realQueries());
  }
  tile.loadTransposed(tile.outputRows(operand(outputGradOperand), tile.first()), memory.outputGrad);
}

void DiffGradWriter::draw(const Block &block) {
  for (int64_t map = 0; map < 2 && memory.drops[map]; ++map)
    tile.drawDrops(block.first, block.count, memory.drops[map], map);
}

/// The weights of both maps before any drop, and the gradient of a weight of the first one after it; returns the sums
/// over keys of dropped weights times that gradient.
Values DiffGradWriter::weigh(const Block &block, ValueRange deltas) {
  draw(block);
  HeadRows values = tile.valueRows(operand(valueOperand), block.first);
  std::array<HeadRows, 2> keys{tile.keyRows(operand(keyOperand), block.first, 0),
                               tile.keyRows(operand(keyOperand), block.first, 1)};
  return tile.groups(block.count, deltas, [&](Value first, int64_t group, Range carried) {
    Values next(carried), gradients = tile.products(memory.outputGrad, tile.from(values, first), group);
    auto place = [&](int64_t i) { return kernel.mul(kernel.add(first, i), kernel.width()); };
    for (int64_t i = 0; i < group; ++i)
      kernel.storeVector(gradients[i], at(memory.weightGrads, block), place(i));
    for (int64_t map = 0; map < 2; ++map) {
      Values scores = tile.products(memory.query[map], tile.from(keys[map], first), group);
      for (int64_t i = 0; i < group; ++i) {
        Value key = kernel.add(block.first, kernel.add(first, i));
        Value weight = weightOf(tile, key, scores[i], lse[map]), dropped = weight;
        kernel.storeVector(weight, at(memory.weights[map], block), place(i));
        if (memory.drops[map])
          dropped = kernel.mul(weight, kernel.loadVector(memory.drops[map], place(i)));
        next[map] = kernel.fma(dropped, gradients[i], next[map]);
      }
    }
    return next;
  });
}

/// Weights become gradients of scores (without the factor `scale`), gradients of weights what a value counts.
void DiffGradWriter::joinMaps(const Block &block, ValueRange deltas) {
  std::array<Array, 2> weights{at(memory.weights[0], block), at(memory.weights[1], block)};
  Array weightGrads = at(memory.weightGrads, block);
  kernel.loop(kernel.index(0), block.count, 1, [&](Value key) {
    Value place = kernel.mul(key, kernel.width()), gradient = kernel.loadVector(weightGrads, place);
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
    kernel.storeVector(first, weights[0], place);
    kernel.storeVector(second, weights[1], place);
    kernel.storeVector(kernel.sub(dropped[0], kernel.mul(lambda, dropped[1])), weightGrads, place);
  });
}

void DiffGradWriter::addBlock(const Block &block, ValueRange deltas) {
  auto again = [&] { weigh(block, deltas); };
  if (panel == 0) {
    again();
  } else {
    kernel.when(kernel.lessEqual(kernel.index(panel), block.first), again, [&] { draw(block); });
  }
  joinMaps(block, deltas);
  const double scale = tile.form().scale;
  for (int64_t map = 0; map < 2; ++map) {
    Array scoreGrads = at(memory.weights[map], block);
    tile.addWeighted(scoreGrads, block.count, tile.keyRows(operand(keyOperand), block.first, map),
                     memory.queryGrad[map]);
    addToKeys(tile, scoreGrads, block.count, tile.queryRows(operand(queryOperand), tile.first(), map),
              tile.keyRows(keySumsOf(task), block.first, map), scale);
  }
  addToKeys(tile, at(memory.weightGrads, block), block.count, tile.outputRows(operand(outputGradOperand), tile.first()),
            tile.valueRows(valueSumsOf(task), block.first), 1.0);
}

void DiffGradWriter::write(Value sentence, Value head, Value firstQuery) {
  tile.start(sentence, head, firstQuery);
  loadQueries();
  KeyRange seen = tile.visibleKeys();
  Values zeros(2, kernel.constantVector(0.0));
  Values deltas = kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock, zeros,
                              [&](Value first, Range carried) { return weigh(blockAt(first, seen.end), carried); });
  Value before = kernel.loadVector(memory.lambda, kernel.index(0));
  kernel.storeVector(kernel.sub(before, deltas[1]), memory.lambda, kernel.index(0));
  kernel.loop(seen.begin, seen.end, AttentionTile::keyBlock,
              [&](Value first) { addBlock(blockAt(first, seen.end), deltas); });
  for (int64_t map = 0; map < 2; ++map)
    tile.storeTransposed(memory.queryGrad[map], tile.queryRows(task.result(0), firstQuery, map),
                         kernel.constantVector(tile.form().scale));
}

/// The tiles' shares of the gradient of lambda, added up in one order.
static void writeLambda(KernelTask &task, const Array &shares, AffineExpr count) {
  KernelBuilder &kernel = task.builder;
  Value all = kernel.expression(count);
  Values sum = kernel.columns(all, kernel.constantVector(0.0), [&](Value at, Value mask, ValueRange carried) {
    return Values{kernel.add(carried[0], kernel.loadVector(shares, at, mask))};
  });
  kernel.store(kernel.horizontalSum(sum[0]), task.result(3), kernel.index(0));
}

static DiffGradBuffers takePlaces(KernelBuilder &kernel, const AttentionShape &shape, int64_t panel) {
  const int64_t lanes = kernel.width(), block = AttentionTile::keyBlock;
  DiffGradBuffers memory;
  for (int64_t map = 0; map < 2; ++map) {
    memory.query[map] = kernel.stackArray(shape.sizes.key * lanes);
    memory.queryGrad[map] = kernel.stackArray(shape.sizes.key * lanes);
    memory.weights[map] = kernel.stackArray((panel + block) * lanes);
    if (shape.dropRate > 0)
      memory.drops[map] = kernel.stackArray(block * lanes);
  }
  memory.outputGrad = kernel.stackArray(shape.sizes.value * lanes);
  memory.weightGrads = kernel.stackArray((panel + block) * lanes);
  memory.lambda = kernel.stackArray(lanes);
  return memory;
}

void writeDiffAttentionGrad(KernelTask &task, DiffAttentionGradOp op) {
  KernelBuilder &kernel = task.builder;
  AttentionShape shape = AttentionShape::of(op);
  const HeadSizes &sizes = shape.sizes;
  const KernelSchedule schedule = scheduleKernel(op);
  const int64_t lambdaScratch = static_cast<int64_t>(schedule.scratch.size()) - 1;
  kernel.stage(task.name(), 0, [&](Value kvHead) {
    const int64_t panel = panelKeys(kernel, 3), shared = sizes.heads / sizes.kvHeads;
    const DiffGradBuffers memory = takePlaces(kernel, shape, panel);
    Value sentence = kernel.div(kvHead, kernel.index(sizes.kvHeads)), zero = kernel.index(0);
    Value firstHead = kernel.mul(kernel.rem(kvHead, kernel.index(sizes.kvHeads)), shared);
    ScoreModifiers modifiers = modifiersOf(task, shape);
    AttentionTile whole(task, shape, modifiers);
    whole.start(sentence, firstHead, zero);
    const HeadRows keySums = whole.allKeyRows(keySumsOf(task), zero);
    const HeadRows valueSums = whole.valueRows(valueSumsOf(task), zero);
    zeroKeys(whole, keySums);
    zeroKeys(whole, valueSums);
    kernel.storeVector(kernel.constantVector(0.0), memory.lambda, zero);
    kernel.loop(firstHead, kernel.add(firstHead, shared), 1, [&](Value head) {
      kernel.loop(zero, kernel.expression(shape.queries), kernel.width(), [&](Value firstQuery) {
        DiffGradWriter(task, shape, modifiers, memory, panel).write(sentence, head, firstQuery);
      });
    });
    roundKeys(whole, keySums, whole.allKeyRows(task.result(1), zero));
    roundKeys(whole, valueSums, whole.valueRows(task.result(2), zero));
    Value share = kernel.horizontalSum(kernel.loadVector(memory.lambda, zero));
    kernel.store(share, task.scratch(lambdaScratch), kvHead);
  });
  kernel.stage(task.name(), 1, [&](Value) { writeLambda(task, task.scratch(lambdaScratch), schedule.stages.front()); });
}

} // namespace bifocal
