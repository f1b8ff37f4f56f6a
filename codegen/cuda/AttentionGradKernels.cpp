// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention_grad on tensor cores. The gradients of keys and values are sums over queries, that of queries is one over
// keys. On a CPU one tile takes a head and adds all of them up in memory; here a tile owns 16 keys or 32 queries, and
// computes the weights that it needs again from the log-sums: seven products instead of five (eight with heads so wide
// that keys and values take turns), but no sum is shared. FlashAttention-2 (Dao, 2023, algorithm 2) adds up the
// gradient of the queries by atomic additions instead, in no fixed order.
#include "codegen/cuda/AttentionHead.h"
#include "codegen/cuda/TensorCoreKernels.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
using Sums = TileBuilder::Sums;
using Keys = AttentionHead::Keys;
using Rows = AttentionHead::Rows;

static constexpr int64_t tileKeys = 16, tileQueries = AttentionHead::drawnQueries,
                         stackedKeys = AttentionHead::stackedKeys;

namespace {

/// Operands of the op, and its results, in their order.
enum Operand : int64_t { outputGradOperand, queryOperand, keyOperand, valueOperand, outputOperand, lseOperand };
enum Gradient : int64_t { queryGrad, keyGrad, valueGrad };

/// What the elements of a tile need to know of their queries: log-sums, and <output_grad, output>.
struct QueryLines {
  Value lse, delta;
};

/// A tile of weights that dropout has left, and one of the gradients of their scores, without the scale.
struct Weighed {
  Value weight, scoreGrad;
};

class AttentionGradWriter {
public:
  AttentionGradWriter(KernelTask &task, AttentionGradOp op)
      : task(task), kernel(task.builder), tiles(task.builder), shape(AttentionShape::of(op)),
        element(getElementTypeOrSelf(op.getQuery().getType())), sentences(launchSymbols(op).operands[queryOperand][0]) {
  }

  void write();

private:
  void takePlaces();
  void loadQueries(AttentionTile &drawing, Value firstQuery, bool withDelta);
  void writeDelta(int64_t row);
  QueryLines linesAt(Value row, Keys place);
  Weighed weigh(Value product, Value weightGrad, const QueryLines &lines, Value visible, Value drawn);

  void writeKeys(AttentionTile &drawing, Value kvHead, Value firstKey, ArrayRef<Gradient> gradients);
  Values addHead(AttentionTile &drawing, Value firstKey, ArrayRef<Gradient> gradients, ValueRange carried);
  void addQueries(Value firstQuery, Value row, ArrayRef<Gradient> gradients, MutableArrayRef<Sums> sums);
  void writeQueries(AttentionTile &drawing, Value firstQuery, Value firstRow, int64_t groups);
  void addKeys(Value firstQuery, Value row, Value key, ArrayRef<QueryLines> lines, MutableArrayRef<Sums> sums);

  /// As many sums as a group of 16 rows of a gradient has tiles of eight channels.
  size_t perGroup(Gradient gradient) const {
    return static_cast<size_t>((gradient == valueGrad ? shape.sizes.value : shape.sizes.key) / 8);
  }
  /// Whether the registers hold the sums of two groups.
  bool holdsTwo() const { return head->width() <= 64; }
  /// Heads that share keys and values.
  int64_t shared() const { return shape.sizes.heads / shape.sizes.kvHeads; }
  Values zeros(ArrayRef<Gradient> gradients);

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  AttentionShape shape;
  Type element;
  AffineExpr sentences;
  std::optional<AttentionHead> head;

  // On the stack: rows of the head, lines of its queries, and [key][query] above 0 where a weight is kept.
  Matrix queries, outputGrads, keys, values;
  Array lse, delta;
  /// Eight times delta.
  Matrix deltas;
  Matrix drops;
};

} // namespace

Values AttentionGradWriter::zeros(ArrayRef<Gradient> gradients) {
  size_t count = 0;
  for (Gradient gradient : gradients)
    count += perGroup(gradient);
  return TileBuilder::flat(SmallVector<Sums>(count, tiles.zeros()));
}

void AttentionGradWriter::takePlaces() {
  head.emplace(task, tiles, shape, element);
  queries = head->stackRows(tileQueries, head->width());
  outputGrads = head->stackRows(tileQueries, shape.sizes.value);
  keys = head->stackRows(stackedKeys, head->width());
  values = head->stackRows(stackedKeys, shape.sizes.value);
  lse = kernel.stackArray(tileQueries);
  delta = kernel.stackArray(tileQueries);
  deltas = {kernel.stackArray(8 * tileQueries), kernel.index(8)};
  if (shape.dropRate > 0)
    drops = {kernel.stackArray(element, stackedKeys * kernel.width()), kernel.index(kernel.width())};
}

/// delta of eight queries, whose outputs are where the queries will be.
void AttentionGradWriter::writeDelta(int64_t row) {
  auto tileOf = [&](const Matrix &matrix, int64_t channel) {
    return kernel.widen(tiles.load(tiles.at(matrix, kernel.index(row), channel), 8, 8, 4), element);
  };
  Value sum = kernel.constant(kernel.vectorOf(kernel.f32(), 64), 0.0);
  for (int64_t channel = 0; channel < shape.sizes.value; channel += 8)
    sum = kernel.fma(tileOf(outputGrads, channel), tileOf(queries, channel), sum);
  tiles.store(tiles.rowSum(sum), tiles.at(deltas, kernel.index(row)), 8, 8);
}

/// Everything about the queries from `firstQuery` on, delta only where scores get gradients. Those that the sentence
/// does not have are zeros.
void AttentionGradWriter::loadQueries(AttentionTile &drawing, Value firstQuery, bool withDelta) {
  Value all = head->queries(), left = kernel.min(kernel.sub(all, firstQuery), kernel.index(tileQueries));
  head->copyRows(Rows::output, task.operand(outputGradOperand), firstQuery, tileQueries, outputGrads);
  if (withDelta) {
    head->copyRows(Rows::output, task.operand(outputOperand), firstQuery, tileQueries, queries);
    for (int64_t row = 0; row < tileQueries; row += 8)
      writeDelta(row);
    kernel.storeVector(tiles.load(deltas, tileQueries, 1, 4), delta, kernel.index(0));
  }
  head->copyRows(Rows::query, task.operand(queryOperand), firstQuery, tileQueries, queries);
  Value place = kernel.add(kernel.mul(head->number(), all), firstQuery);
  kernel.storeVector(kernel.loadVector(task.operand(lseOperand), place, kernel.tailMask(left)), lse, kernel.index(0));
  if (shape.dropRate > 0)
    drawing.start(head->inSentence().first, head->inSentence().second, firstQuery);
}

QueryLines AttentionGradWriter::linesAt(Value row, Keys place) {
  auto along = [&](const Array &numbers) {
    const Array eight = kernel.from(numbers, row);
    return place == Keys::inRows ? tiles.alongColumns(eight) : tiles.alongRows(eight);
  };
  return {along(lse), along(delta)};
}

/// `drawn` may be null, and `weightGrad` where the gradients of scores are not asked for.
Weighed AttentionGradWriter::weigh(Value product, Value weightGrad, const QueryLines &lines, Value visible,
                                   Value drawn) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value score = kernel.mul(product, kernel.constant(floats, shape.scale));
  Value weight = kernel.select(visible, kernel.exp(kernel.sub(score, lines.lse)), kernel.constant(floats, 0.0));
  auto kept = [&](Value tile) { return drawn ? head->drop(tile, drawn) : tile; };
  if (!weightGrad)
    return {kept(weight), {}};
  return {kept(weight), kernel.mul(weight, kernel.sub(kept(weightGrad), lines.delta))};
}

/// Adds what 16 queries on the stack give to the gradients of the tile's keys, one group of sums for each gradient.
void AttentionGradWriter::addQueries(Value firstQuery, Value row, ArrayRef<Gradient> gradients,
                                     MutableArrayRef<Sums> sums) {
  const Matrix queryRows = tiles.at(queries, row), gradRows = tiles.at(outputGrads, row);
  SmallVector<Sums> products = head->scores(keys, queryRows, 2, shape.sizes.key), weightGrads(2);
  if (llvm::is_contained(gradients, keyGrad))
    weightGrads = head->scores(values, gradRows, 2, shape.sizes.value);
  std::array<Value, 4> drawn;
  if (shape.dropRate > 0)
    drawn = tiles.loadFour(tiles.at(drops, kernel.index(0), row), /*transposed=*/false);
  std::array<Sums, 2> weights, scoreGrads;
  for (int64_t half = 0; half < 2; ++half) {
    const QueryLines lines = linesAt(kernel.add(row, 8 * half), Keys::inRows);
    auto side = [&](Value Sums::*which, int64_t group) {
      Value visible =
          head->visible(kernel.add(firstQuery, kernel.add(row, 8 * half)), kernel.index(8 * group), Keys::inRows);
      const Weighed tile =
          weigh(products[half].*which, weightGrads[half].*which, lines, visible, drawn[group + 2 * half]);
      weights[half].*which = tile.weight;
      scoreGrads[half].*which = tile.scoreGrad;
    };
    side(&Sums::upper, 0);
    side(&Sums::lower, 1);
  }
  for (Gradient gradient : gradients) {
    MutableArrayRef<Sums> target = sums.take_front(perGroup(gradient));
    sums = sums.drop_front(perGroup(gradient));
    if (gradient == valueGrad)
      head->addProduct(weights[0], weights[1], gradRows, target);
    else
      head->addProduct(scoreGrads[0], scoreGrads[1], queryRows, target);
  }
}

/// What the queries of one head add to the gradients of the tile's keys.
Values AttentionGradWriter::addHead(AttentionTile &drawing, Value firstKey, ArrayRef<Gradient> gradients,
                                    ValueRange carried) {
  // Earlier queries do not see keys that come later.
  Value begin = shape.causal ? kernel.bitAnd(firstKey, kernel.index(-tileQueries)) : kernel.index(0);
  return kernel.loop(begin, head->queries(), tileQueries, carried, [&](Value firstQuery, ValueRange outer) {
    loadQueries(drawing, firstQuery, llvm::is_contained(gradients, keyGrad));
    if (shape.dropRate > 0)
      drawing.drawDrops(firstKey, kernel.index(tileKeys), drops.array);
    return kernel.loop(kernel.index(0), kernel.index(tileQueries), 16, outer, [&](Value row, ValueRange inner) {
      SmallVector<Sums> sums = TileBuilder::sumsOf(inner);
      addQueries(firstQuery, row, gradients, sums);
      return TileBuilder::flat(sums);
    });
  });
}

/// The gradients of 16 keys or values, or of both, from all heads that read them.
void AttentionGradWriter::writeKeys(AttentionTile &drawing, Value kvHead, Value firstKey,
                                    ArrayRef<Gradient> gradients) {
  Value firstHead = kernel.mul(kvHead, shared());
  head->place(firstHead);
  head->loadSeen(firstKey);
  head->copyRows(Rows::key, task.operand(keyOperand), firstKey, tileKeys, keys);
  if (llvm::is_contained(gradients, keyGrad))
    head->copyRows(Rows::value, task.operand(valueOperand), firstKey, tileKeys, values);
  Values all = zeros(gradients);
  if (shared() == 1)
    all = addHead(drawing, firstKey, gradients, all);
  else
    all = kernel.loop(firstHead, kernel.add(firstHead, shared()), 1, all, [&](Value number, ValueRange carried) {
      head->place(number);
      return addHead(drawing, firstKey, gradients, carried);
    });
  head->place(firstHead);
  SmallVector<Sums> sums = TileBuilder::sumsOf(all);
  ArrayRef<Sums> left = sums;
  for (Gradient gradient : gradients) {
    head->writeRows(gradient == keyGrad ? Rows::key : Rows::value, left.take_front(perGroup(gradient)),
                    gradient == keyGrad ? shape.scale : 1.0, keys, task.result(gradient), firstKey);
    left = left.drop_front(perGroup(gradient));
  }
}

/// Adds what 16 keys on the stack give to the gradients of 16 queries, whose lines are those of eight and eight.
void AttentionGradWriter::addKeys(Value firstQuery, Value row, Value key, ArrayRef<QueryLines> lines,
                                  MutableArrayRef<Sums> sums) {
  const Matrix keyRows = tiles.at(keys, key);
  SmallVector<Sums> products = head->scores(tiles.at(queries, row), keyRows, 2, shape.sizes.key);
  SmallVector<Sums> weightGrads = head->scores(tiles.at(outputGrads, row), tiles.at(values, key), 2, shape.sizes.value);
  std::array<Value, 4> drawn;
  if (shape.dropRate > 0)
    drawn = tiles.loadFour(tiles.at(drops, key, row), /*transposed=*/true);
  std::array<Sums, 2> scoreGrads;
  for (int64_t half = 0; half < 2; ++half) {
    auto side = [&](Value Sums::*which, int64_t eight) {
      Value query = kernel.add(firstQuery, kernel.add(row, 8 * eight));
      Value visible = head->visible(query, kernel.add(key, 8 * half), Keys::inColumns);
      const Weighed tile =
          weigh(products[half].*which, weightGrads[half].*which, lines[eight], visible, drawn[half + 2 * eight]);
      scoreGrads[half].*which = tile.scoreGrad;
    };
    side(&Sums::upper, 0);
    side(&Sums::lower, 1);
  }
  head->addProduct(scoreGrads[0], scoreGrads[1], keyRows, sums);
}

/// The gradients of `groups` times 16 of the queries on the stack, from row `firstRow` on.
void AttentionGradWriter::writeQueries(AttentionTile &drawing, Value firstQuery, Value firstRow, int64_t groups) {
  auto rowOf = [&](int64_t group) { return kernel.add(firstRow, 16 * group); };
  SmallVector<QueryLines> lines;
  for (int64_t eight = 0; eight < 2 * groups; ++eight)
    lines.push_back(linesAt(kernel.add(firstRow, 8 * eight), Keys::inColumns));
  Value end = head->keys();
  if (shape.causal)
    end = kernel.min(end, kernel.add(firstQuery, rowOf(groups)));
  const Values start = zeros(SmallVector<Gradient>(groups, queryGrad));
  const size_t perRows = perGroup(queryGrad);
  Values all = kernel.loop(kernel.index(0), end, stackedKeys, start, [&](Value firstKey, ValueRange carried) {
    head->loadSeen(firstKey);
    head->copyRows(Rows::key, task.operand(keyOperand), firstKey, stackedKeys, keys);
    head->copyRows(Rows::value, task.operand(valueOperand), firstKey, stackedKeys, values);
    if (shape.dropRate > 0)
      drawing.drawDrops(firstKey, kernel.index(stackedKeys), drops.array);
    return kernel.loop(kernel.index(0), kernel.index(stackedKeys), 16, carried, [&](Value key, ValueRange inner) {
      SmallVector<Sums> sums = TileBuilder::sumsOf(inner);
      for (int64_t group = 0; group < groups; ++group)
        addKeys(firstQuery, rowOf(group), key, ArrayRef(lines).slice(2 * group, 2),
                MutableArrayRef(sums).slice(group * perRows, perRows));
      return TileBuilder::flat(sums);
    });
  });
  SmallVector<Sums> sums = TileBuilder::sumsOf(all);
  for (int64_t group = 0; group < groups; ++group)
    head->writeRows(Rows::query, ArrayRef(sums).slice(group * perRows, perRows), shape.scale,
                    tiles.at(queries, rowOf(group)), task.result(queryGrad), kernel.add(firstQuery, rowOf(group)));
}

void AttentionGradWriter::write() {
  AffineExpr ofKeys = shape.keys.ceilDiv(tileKeys), ofQueries = shape.queries.ceilDiv(tileQueries);
  auto tile = [&](Value number) {
    takePlaces();
    ScoreModifiers none;
    AttentionTile drawing(task, shape, none);
    // First the tiles of a head's keys, then those of the queries of all heads that read them.
    Value keyTiles = kernel.expression(ofKeys), queryTiles = kernel.expression(ofQueries);
    Value perHead = kernel.add(keyTiles, kernel.mul(queryTiles, shared()));
    Value kvHead = kernel.div(number, perHead), inHead = kernel.rem(number, perHead);
    kernel.when(
        kernel.less(inHead, keyTiles),
        [&] {
          Value firstKey = kernel.mul(inHead, tileKeys);
          if (holdsTwo())
            return writeKeys(drawing, kvHead, firstKey, {keyGrad, valueGrad});
          writeKeys(drawing, kvHead, firstKey, {keyGrad});
          writeKeys(drawing, kvHead, firstKey, {valueGrad});
        },
        [&] {
          Value own = kernel.sub(inHead, keyTiles);
          head->place(kernel.add(kernel.mul(kvHead, shared()), kernel.div(own, queryTiles)));
          Value firstQuery = kernel.mul(kernel.rem(own, queryTiles), tileQueries);
          loadQueries(drawing, firstQuery, /*withDelta=*/true);
          const int64_t groups = holdsTwo() ? 2 : 1;
          kernel.loop(kernel.index(0), kernel.index(tileQueries), 16 * groups,
                      [&](Value row) { writeQueries(drawing, firstQuery, row, groups); });
        });
  };
  kernel.stage(task.name(), 0, tile, sentences * shape.sizes.kvHeads * (ofKeys + ofQueries * shared()));
}

FailureOr<bool> generateAttentionGradProducts(KernelTask &task) {
  auto op = dyn_cast<AttentionGradOp>(task.op);
  if (!op)
    return false;
  SmallVector<Value> tensors{op.getOutputGrad(), op.getQuery(), op.getKey(), op.getValue(), op.getOutput()};
  llvm::append_range(tensors, ValueRange{op.getQueryGrad(), op.getKeyGrad(), op.getValueGrad()});
  if (!AttentionHead::fits(AttentionShape::of(op), tensors))
    return false;
  AttentionGradWriter(task, op).write();
  return true;
}

} // namespace bifocal
