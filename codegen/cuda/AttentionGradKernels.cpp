// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The gradients of the attention family on tensor cores. Those of keys and values are sums over queries, that of
// queries is one over keys. On a CPU one tile takes a head and adds all of them up in memory; here a tile owns 16 keys,
// or 16 or 32 queries, and computes the weights that it needs again from the log-sums: seven products instead of five
// (eight with heads so wide that keys and values take turns), but no sum is shared. FlashAttention-2 (Dao, 2023,
// algorithm 2) adds up the gradient of the queries by atomic additions instead, in no fixed order.
//
// Differential attention needs sums over all keys before any gradient of a score, and no output of a single map is
// kept: the tiles of queries, which come first, make them in a pass of their own. Relative attention has tiles of 16
// distances besides (RelativeGradKernels.cpp).
#include "codegen/cpu/DiffAttention.h"
#include "codegen/cuda/RelativeGradKernels.h"
#include "codegen/cuda/TensorCoreKernels.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
using Sums = TileBuilder::Sums;
using Rows = AttentionHead::Rows;

static constexpr int64_t tileKeys = 16, stackedKeys = AttentionHead::stackedKeys;

namespace {

/// Gradients that a tile of keys sums up.
enum class Gradient : uint8_t { key, value };

class AttentionGradWriter {
public:
  template <typename Op>
  AttentionGradWriter(KernelTask &task, Op op)
      : task(task), kernel(task.builder), tiles(task.builder), shape(AttentionShape::of(op, task.builder.target())),
        tensors(GradTensors::of(op)), element(getElementTypeOrSelf(op.getQuery().getType())),
        sentences(launchSymbols(op).operands[1][0]) {}

  void writePlain();
  void writeDifferential();

private:
  /// Whether the registers hold the sums of two groups of 16 rows.
  bool holdsTwo() const { return AttentionHead::width(shape.sizes) <= 64; }
  bool isDifferential() const { return shape.sizes.maps > 1; }
  /// Groups of 16 queries whose gradients a tile sums up at a time.
  int64_t groups() const { return holdsTwo() && !isDifferential() && !shape.relative ? 2 : 1; }
  /// Queries that are on the stack at a time.
  int64_t stackedQueries() const { return shape.relative ? 16 : 32; }
  /// Heads that share keys and values.
  int64_t shared() const { return shape.sizes.heads / shape.sizes.kvHeads; }
  AffineExpr keyTiles() const { return shape.keys.ceilDiv(tileKeys); }
  AffineExpr queryTiles() const { return shape.queries.ceilDiv(16 * groups()); }

  /// As many sums as 16 rows of a gradient have tiles of eight channels.
  size_t sumsOf(Gradient gradient) const {
    return static_cast<size_t>((gradient == Gradient::value ? shape.sizes.value : shape.sizes.maps * shape.sizes.key) /
                               8);
  }
  Values zeros(size_t count) { return TileBuilder::flat(SmallVector<Sums>(count, tiles.zeros())); }

  void start() { tile.emplace(task, tiles, shape, tensors, element, stackedQueries()); }
  void writeKeyTile(Value kvHead, Value number);
  void writeKeys(Value kvHead, Value firstKey, ArrayRef<Gradient> gradients);
  Values addHead(Value firstKey, ArrayRef<Gradient> gradients, ValueRange carried);
  void addQueries(Value firstQuery, Value row, ArrayRef<Gradient> gradients, MutableArrayRef<Sums> sums);

  void writeQueryTile(Value head, Value number);
  KeyRange keysOf(Value firstQuery);
  Values overKeys(const KeyRange &range, const Values &initial,
                  llvm::function_ref<Values(Value key, ValueRange carried)> addBlock);
  void sumDeltas(Value firstQuery, const KeyRange &range);
  void addKeys(Value firstQuery, int64_t group, Value key, ArrayRef<QueryLines> lines, MutableArrayRef<Sums> sums);
  void writeSums(Value firstQuery, int64_t group, ArrayRef<Sums> sums);

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  AttentionShape shape;
  GradTensors tensors;
  Type element;
  AffineExpr sentences;
  std::optional<AttentionGradTile> tile;
};

} // namespace

/// Adds what 16 queries on the stack give to the gradients of the tile's keys, one group of sums for each gradient.
void AttentionGradWriter::addQueries(Value firstQuery, Value row, ArrayRef<Gradient> gradients,
                                     MutableArrayRef<Sums> sums) {
  const bool withGrads = llvm::is_contained(gradients, Gradient::key);
  const std::array<QueryLines, 2> lines{tile->linesAt(row, TileKeys::inRows, withGrads),
                                        tile->linesAt(kernel.add(row, 8), TileKeys::inRows, withGrads)};
  const PairBlock block = tile->pairs(firstQuery, row, kernel.index(0), TileKeys::inRows, lines, withGrads);
  for (Gradient gradient : gradients) {
    MutableArrayRef<Sums> target = sums.take_front(sumsOf(gradient));
    sums = sums.drop_front(sumsOf(gradient));
    if (gradient == Gradient::value) {
      tiles.addProduct(block.valueWeights(0), block.valueWeights(1), tiles.at(tile->outputGrads, row), element, target);
      continue;
    }
    const size_t perMap = target.size() / shape.sizes.maps;
    for (int64_t map = 0; map < shape.sizes.maps; ++map)
      tiles.addProduct(block.scoreGrads(0, map), block.scoreGrads(1, map),
                       tiles.at(tile->queries, row, map * shape.sizes.key), element,
                       target.slice(map * perMap, perMap));
  }
}

/// What the queries of one head add to the gradients of the tile's keys.
Values AttentionGradWriter::addHead(Value firstKey, ArrayRef<Gradient> gradients, ValueRange carried) {
  const int64_t count = stackedQueries();
  KeyRange range{kernel.index(0), tile->head.queries()};
  if (shape.relative)
    range = tile->head.relative->queriesOf(firstKey, tileKeys);
  else if (shape.causal) // Earlier queries do not see keys that come later.
    range.begin = kernel.bitAnd(firstKey, kernel.index(-count));
  return kernel.loop(range.begin, range.end, count, carried, [&](Value firstQuery, ValueRange outer) {
    tile->loadQueries(firstQuery, count, llvm::is_contained(gradients, Gradient::key));
    tile->draw(firstKey, tileKeys);
    tiles.wait();
    auto addBlock = [&](Value row, ValueRange inner) {
      SmallVector<Sums> sums = TileBuilder::sumsOf(inner);
      addQueries(firstQuery, row, gradients, sums);
      return TileBuilder::flat(sums);
    };
    if (count == 16)
      return addBlock(kernel.index(0), outer);
    Value end = kernel.min(kernel.sub(range.end, firstQuery), kernel.index(count));
    return kernel.loop(kernel.index(0), end, 16, outer, addBlock);
  });
}

/// The gradients of 16 keys or values, or of both, from all heads that read them.
void AttentionGradWriter::writeKeys(Value kvHead, Value firstKey, ArrayRef<Gradient> gradients) {
  AttentionHead &head = tile->head;
  Value firstHead = kernel.mul(kvHead, shared());
  head.place(firstHead);
  tile->loadKeys(firstKey, tileKeys, llvm::is_contained(gradients, Gradient::key));
  tiles.wait();
  size_t count = 0;
  for (Gradient gradient : gradients)
    count += sumsOf(gradient);
  Values all = zeros(count);
  if (shared() == 1)
    all = addHead(firstKey, gradients, all);
  else
    all = kernel.loop(firstHead, kernel.add(firstHead, shared()), 1, all, [&](Value number, ValueRange carried) {
      head.place(number);
      return addHead(firstKey, gradients, carried);
    });
  head.place(firstHead);
  SmallVector<Sums> sums = TileBuilder::sumsOf(all);
  ArrayRef<Sums> left = sums;
  for (Gradient gradient : gradients) {
    const bool ofKeys = gradient == Gradient::key;
    head.writeRows(ofKeys ? Rows::key : Rows::value, left.take_front(sumsOf(gradient)), ofKeys ? shape.scale : 1.0,
                   tile->keys, task.result(ofKeys ? tensors.keyGrad : tensors.valueGrad), firstKey);
    left = left.drop_front(sumsOf(gradient));
  }
}

/// Tile `number` of the keys of a head.
void AttentionGradWriter::writeKeyTile(Value kvHead, Value number) {
  Value firstKey = kernel.mul(number, tileKeys);
  if (holdsTwo())
    return writeKeys(kvHead, firstKey, {Gradient::key, Gradient::value});
  writeKeys(kvHead, firstKey, {Gradient::key});
  writeKeys(kvHead, firstKey, {Gradient::value});
}

/// The keys that the queries of a tile see.
KeyRange AttentionGradWriter::keysOf(Value firstQuery) {
  ScoreModifiers bounds = boundsOf(task, shape);
  AttentionTile range(task, shape, bounds);
  auto [sentence, number] = tile->head.inSentence();
  Value end = kernel.min(tile->head.queries(), kernel.add(firstQuery, 16 * groups()));
  range.startRange(sentence, number, firstQuery, end);
  return range.visibleKeys();
}

/// Calls `addBlock` for 16 keys on the stack at a time, the first of them row `key`.
Values AttentionGradWriter::overKeys(const KeyRange &range, const Values &initial,
                                     llvm::function_ref<Values(Value key, ValueRange carried)> addBlock) {
  return kernel.loop(range.begin, range.end, stackedKeys, initial, [&](Value firstKey, ValueRange carried) {
    tile->loadKeys(firstKey, stackedKeys, /*withValues=*/true);
    tile->draw(firstKey, stackedKeys);
    tiles.wait();
    Value end = kernel.min(kernel.sub(range.end, firstKey), kernel.index(stackedKeys));
    return kernel.loop(kernel.index(0), end, 16, carried, addBlock);
  });
}

/// Of differential attention: the sums over all keys of 16 queries on the stack.
void AttentionGradWriter::sumDeltas(Value firstQuery, const KeyRange &range) {
  const std::array<QueryLines, 2> lines{tile->linesAt(kernel.index(0), TileKeys::inColumns, /*withDeltas=*/false),
                                        tile->linesAt(kernel.index(8), TileKeys::inColumns, /*withDeltas=*/false)};
  auto addBlock = [&](Value key, ValueRange carried) {
    SmallVector<Sums> shares = TileBuilder::sumsOf(carried);
    const PairBlock block = tile->pairs(firstQuery, kernel.index(0), key, TileKeys::inColumns, lines, true);
    for (auto [map, share] : llvm::enumerate(shares))
      for (const std::array<PairTile, 2> &half : block.tiles) {
        share.upper = kernel.fma(half[0].dropped[map], half[0].weightGrad, share.upper);
        share.lower = kernel.fma(half[1].dropped[map], half[1].weightGrad, share.lower);
      }
    return TileBuilder::flat(shares);
  };
  Values all = overKeys(range, zeros(2), addBlock);
  tile->keepDeltas(firstQuery, TileBuilder::sumsOf(all));
}

/// Adds what 16 keys on the stack give to the gradients of 16 queries, whose lines are those of eight and eight.
void AttentionGradWriter::addKeys(Value firstQuery, int64_t group, Value key, ArrayRef<QueryLines> lines,
                                  MutableArrayRef<Sums> sums) {
  const PairBlock block =
      tile->pairs(firstQuery, kernel.index(16 * group), key, TileKeys::inColumns, lines, /*withGrads=*/true);
  const size_t perMap = shape.sizes.key / 8;
  for (int64_t map = 0; map < shape.sizes.maps; ++map)
    tiles.addProduct(block.scoreGrads(0, map), block.scoreGrads(1, map),
                     tiles.at(tile->keys, key, map * shape.sizes.key), element, sums.slice(map * perMap, perMap));
  if (!shape.relative)
    return;
  RelativePairs &relative = *tile->head.relative;
  relative.addRows({block.scoreGrads(0, 0), block.scoreGrads(1, 0)}, sums.slice(perMap, perMap));
  for (int64_t half = 0; half < 2 && shape.relative->span; ++half)
    for (int64_t side = 0; side < 2; ++side) {
      Value query = kernel.add(firstQuery, 8 * side), own = kernel.add(key, 8 * half);
      Value &share = sums.back().side(side);
      Value steps = tile->head.steps(query, own, TileKeys::inColumns);
      share = kernel.add(share, relative.onRamp(steps, block.tiles[half][side].rampGrad));
    }
}

/// The sums of 16 queries to where they belong, by way of the rows that the queries had.
void AttentionGradWriter::writeSums(Value firstQuery, int64_t group, ArrayRef<Sums> sums) {
  const Matrix stack = tiles.at(tile->queries, kernel.index(16 * group));
  Value first = kernel.add(firstQuery, 16 * group);
  auto writeNext = [&](int64_t result) {
    tile->head.writeRows(Rows::query, sums.take_front(sumsOf(Gradient::key)), shape.scale, stack, task.result(result),
                         first);
    sums = sums.drop_front(sumsOf(Gradient::key));
  };
  writeNext(tensors.queryGrad);
  if (shape.relative)
    writeNext(tensors.positionQueryGrad);
  if (!sums.empty())
    tile->writeRowSums(sums.front(), relativeSumsOf(task, cast<RelativeAttentionGradOp>(task.op)).spans, first);
}

/// Tile `number` of the queries of a head.
void AttentionGradWriter::writeQueryTile(Value head, Value number) {
  tile->head.place(head);
  Value firstQuery = kernel.mul(number, 16 * groups());
  tile->loadQueries(firstQuery, 16 * groups(), /*withDeltas=*/!isDifferential());
  tiles.wait();
  const KeyRange range = keysOf(firstQuery);
  if (isDifferential())
    sumDeltas(firstQuery, range);
  SmallVector<QueryLines> lines;
  for (int64_t eight = 0; eight < 2 * groups(); ++eight)
    lines.push_back(tile->linesAt(kernel.index(8 * eight), TileKeys::inColumns));
  size_t perGroup = sumsOf(Gradient::key);
  if (shape.relative)
    perGroup = 2 * perGroup + (shape.relative->span ? 1 : 0);
  auto addBlock = [&](Value key, ValueRange carried) {
    SmallVector<Sums> sums = TileBuilder::sumsOf(carried);
    for (int64_t group = 0; group < groups(); ++group)
      addKeys(firstQuery, group, key, ArrayRef(lines).slice(2 * group, 2),
              MutableArrayRef(sums).slice(group * perGroup, perGroup));
    return TileBuilder::flat(sums);
  };
  Values all = overKeys(range, zeros(groups() * perGroup), addBlock);
  SmallVector<Sums> sums = TileBuilder::sumsOf(all);
  for (int64_t group = 0; group < groups(); ++group)
    writeSums(firstQuery, group, ArrayRef(sums).slice(group * perGroup, perGroup));
}

/// Calls `body` with what is left of `number` behind whole groups of `count`, and with the number of the group.
static void divided(KernelBuilder &kernel, Value number, AffineExpr count,
                    llvm::function_ref<void(Value group, Value rest)> body) {
  Value size = kernel.expression(count);
  body(kernel.div(number, size), kernel.rem(number, size));
}

void AttentionGradWriter::writeDifferential() {
  const AffineExpr heads = sentences * shape.sizes.heads, kvHeads = sentences * shape.sizes.kvHeads;
  auto queryTile = [&](Value number) {
    start();
    divided(kernel, number, queryTiles(), [&](Value head, Value own) { writeQueryTile(head, own); });
  };
  kernel.stage(task.name(), 0, queryTile, heads * queryTiles());
  // The first one is the gradient of lambda, which one warp adds up while others take the keys.
  auto keysOrLambda = [&](Value number) {
    start();
    auto keyTile = [&] {
      Value left = kernel.sub(number, kernel.index(1));
      divided(kernel, left, keyTiles(), [&](Value kvHead, Value own) { writeKeyTile(kvHead, own); });
    };
    kernel.when(
        kernel.equal(number, kernel.index(0)), [&] { writeLambdaGrad(task, shape, sentences); }, keyTile);
  };
  kernel.stage(task.name(), 1, keysOrLambda, kvHeads * keyTiles() + 1);
}

/// First the tiles of a head's keys, then those of the queries, and of the distances, of all heads that read them.
void AttentionGradWriter::writePlain() {
  const AffineExpr ofKeys = keyTiles(), ofQueries = queryTiles() * shared();
  AffineExpr perHead = ofKeys + ofQueries;
  if (shape.relative)
    perHead = perHead + distanceTiles(shape) * shared();
  auto writeOwn = [&](Value kvHead, Value number) {
    auto headOf = [&](Value own) { return kernel.add(kernel.mul(kvHead, shared()), own); };
    auto isBelow = [&](Value own, AffineExpr count) { return kernel.less(own, kernel.expression(count)); };
    auto distanceTile = [&](Value left) {
      divided(kernel, left, distanceTiles(shape),
              [&](Value head, Value own) { writeDistanceTile(task, *tile, tiles, shape, headOf(head), own); });
    };
    auto queryTile = [&](Value left) {
      divided(kernel, left, queryTiles(), [&](Value head, Value own) { writeQueryTile(headOf(head), own); });
    };
    auto otherTile = [&] {
      Value left = kernel.sub(number, kernel.expression(ofKeys));
      if (!shape.relative)
        return queryTile(left);
      kernel.when(
          isBelow(left, ofQueries), [&] { queryTile(left); },
          [&] { distanceTile(kernel.sub(left, kernel.expression(ofQueries))); });
    };
    kernel.when(
        isBelow(number, ofKeys), [&] { writeKeyTile(kvHead, number); }, otherTile);
  };
  auto anyTile = [&](Value number) {
    start();
    divided(kernel, number, perHead, writeOwn);
  };
  kernel.stage(task.name(), 0, anyTile, sentences * shape.sizes.kvHeads * perHead);
  if (auto relative = dyn_cast<RelativeAttentionGradOp>(task.op))
    writeRelativeSums(task, relative, shape);
}

FailureOr<bool> generateAttentionGradProducts(KernelTask &task) {
  auto write = [&](auto op) {
    SmallVector<Value> tensors{op.getOutputGrad(), op.getQuery(),   op.getKey(),      op.getValue(),
                               op.getQueryGrad(),  op.getKeyGrad(), op.getValueGrad()};
    if constexpr (requires { op.getOutput(); })
      tensors.push_back(op.getOutput());
    if constexpr (requires { op.getPositions(); })
      tensors.append({op.getPositionQuery(), op.getPositionQueryGrad()});
    if (!AttentionHead::fits(AttentionShape::of(op, task.builder.target()), tensors))
      return false;
    AttentionGradWriter writer(task, op);
    if (mapsOf(op) > 1)
      writer.writeDifferential();
    else
      writer.writePlain();
    return true;
  };
  return llvm::TypeSwitch<Operation *, bool>(task.op)
      .Case<AttentionGradOp, DiffAttentionGradOp, RelativeAttentionGradOp>(write)
      .Default(false);
}

} // namespace bifocal
