// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention on tensor cores: as FlashAttention-2 (Dao, 2023, algorithm 1) does it, one pass over the keys in blocks
// with a running maximum and a running sum for every query; a warp has 32 queries of one head. A weight meets the
// values as the sum of two factors of 16 bits, as a tap of a convolution does (ConvProducts.h).
#include "codegen/cpu/AttentionStrip.h"
#include "codegen/cuda/AttentionHead.h"
#include "codegen/cuda/TensorCoreKernels.h"
#include "passes/AttentionSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
using Sums = TileBuilder::Sums;
using Rows = AttentionHead::Rows;

static constexpr int64_t stackedKeys = AttentionHead::stackedKeys;
/// Groups of 16 queries of a tile, and of eight keys of a block.
static constexpr int64_t queryGroups = warpQueries / 16, keyGroups = stackedKeys / 8;

namespace {

/// 16 queries of the tile: for every row the largest score and the sum of the weights so far (each thread that of its
/// own columns), and the sum of the values, eight channels at a time.
struct QueryGroup {
  Sums maximum, total;
  SmallVector<Sums> output;

  Values flat() const;
  static QueryGroup of(ValueRange values);
};

class AttentionWriter {
public:
  AttentionWriter(KernelTask &task, AttentionOp op)
      : task(task), kernel(task.builder), tiles(task.builder), shape(AttentionShape::of(op)),
        element(getElementTypeOrSelf(op.getQuery().getType())) {}

  void write();

private:
  void place(Value number);
  SmallVector<Sums> scoresOf(Value firstRow);
  void drop(Value firstRow, SmallVector<Sums> &weights);
  void addBlock(QueryGroup &state, Value firstRow);
  void writeOutputs(const QueryGroup &state, Value firstRow);
  void writeQueries(AttentionTile &drawing, Value firstRow);
  /// Groups whose sums the registers hold at the same time, beside what tells later keys from earlier ones.
  int64_t groupsAtOnce() const { return head->width() + (shape.causal ? 16 : 0) <= 64 ? queryGroups : 1; }

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  AttentionShape shape;
  Type element;
  std::optional<AttentionHead> head;

  /// The tile: its first query, and how many it has.
  Value firstQuery, rows;
  /// On the stack.
  Matrix queries, keyRows, valueRows;
  /// A row's largest score and its sum of weights, eight times each.
  Matrix peaks, totals;
  /// [key][query]: above 0 where the weight is kept.
  Matrix drops;
};

} // namespace

Values QueryGroup::flat() const {
  Values values = TileBuilder::flat({maximum, total});
  values.append(TileBuilder::flat(output));
  return values;
}

QueryGroup QueryGroup::of(ValueRange values) {
  return {{values[0], values[1]}, {values[2], values[3]}, TileBuilder::sumsOf(values.drop_front(4))};
}

void AttentionWriter::place(Value number) {
  Value perHead = kernel.ceilDiv(head->queries(), kernel.index(warpQueries));
  head->place(kernel.div(number, perHead));
  firstQuery = kernel.mul(kernel.rem(number, perHead), warpQueries);
  rows = kernel.min(kernel.sub(head->queries(), firstQuery), kernel.index(warpQueries));
}

/// Of 16 queries from row `firstRow` on: zero where a weight is dropped. What was drawn lies key by key.
void AttentionWriter::drop(Value firstRow, SmallVector<Sums> &weights) {
  for (int64_t pair = 0; pair < keyGroups; pair += 2) {
    auto drawn = tiles.loadFour(tiles.at(drops, kernel.index(8 * pair), firstRow), /*transposed=*/true);
    for (int64_t half = 0; half < 2; ++half) {
      Sums &tile = weights[pair + half];
      tile = {head->drop(tile.upper, drawn[half]), head->drop(tile.lower, drawn[half + 2])};
    }
  }
}

/// The products of 16 queries and the keys of the block, scaled; far below all others where a query does not see one.
/// Group by group: the scores of all queries would take registers that the draws of a drop need.
SmallVector<Sums> AttentionWriter::scoresOf(Value firstRow) {
  SmallVector<Sums> scores = head->scores(tiles.at(queries, firstRow), keyRows, keyGroups, shape.sizes.key);
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value scale = kernel.constant(floats, shape.scale), hidden = kernel.constant(floats, AttentionTile::hiddenScore);
  auto shown = [&](Value score, int64_t keyGroup, int64_t row) {
    Value query = kernel.add(kernel.add(firstQuery, firstRow), row);
    Value isSeen = head->visible(query, kernel.index(8 * keyGroup), AttentionHead::Keys::inColumns);
    return kernel.select(isSeen, kernel.mul(score, scale), hidden);
  };
  for (auto [number, tile] : llvm::enumerate(scores)) {
    const auto keyGroup = static_cast<int64_t>(number);
    tile = {shown(tile.upper, keyGroup, 0), shown(tile.lower, keyGroup, 8)};
  }
  return scores;
}

/// Goes on with the keys of a block: scores become weights.
void AttentionWriter::addBlock(QueryGroup &state, Value firstRow) {
  SmallVector<Sums> scores = scoresOf(firstRow);
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value bound = kernel.constant(floats, AttentionTile::hiddenScore / 2);
  auto half = [&](Value Sums::*side) {
    // As in the kernel on vectors: a score that is no number does not become the maximum, but the output; and where no
    // key is seen yet, weights are 0.
    Value peak = state.maximum.*side;
    for (const Sums &tile : scores)
      peak = kernel.max(tile.*side, peak);
    peak = tiles.rowMaximum(peak);
    Value shift = kernel.max(bound, peak), factor = kernel.expNonPositive(kernel.sub(state.maximum.*side, peak));
    Value total = kernel.mul(state.total.*side, factor);
    for (Sums &tile : scores) {
      Value weight = kernel.expNonPositive(kernel.sub(tile.*side, shift));
      total = kernel.add(total, weight);
      tile.*side = weight;
    }
    for (Sums &sums : state.output)
      sums.*side = kernel.mul(sums.*side, factor);
    state.maximum.*side = peak;
    state.total.*side = total;
  };
  half(&Sums::upper);
  half(&Sums::lower);
  if (shape.dropRate > 0)
    drop(firstRow, scores);
  for (int64_t pair = 0; pair < keyGroups; pair += 2)
    head->addProduct(scores[pair], scores[pair + 1], tiles.at(valueRows, kernel.index(8 * pair)), state.output);
}

/// The outputs of 16 queries, by way of the stack, where their queries were; what `lse` is made of stays there.
void AttentionWriter::writeOutputs(const QueryGroup &state, Value firstRow) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0), one = kernel.constant(floats, 1.0);
  SmallVector<Sums> outputs(state.output);
  for (auto [side, offset] : {std::pair(&Sums::upper, 0), std::pair(&Sums::lower, 8)}) {
    Value row = kernel.add(firstRow, offset), total = tiles.rowSum(state.total.*side);
    Value factor = kernel.select(kernel.less(zero, total), kernel.div(one, total), zero);
    for (Sums &sums : outputs)
      sums.*side = kernel.mul(sums.*side, factor);
    tiles.store(state.maximum.*side, tiles.at(peaks, row), 8, 8);
    tiles.store(total, tiles.at(totals, row), 8, 8);
  }
  head->writeRows(Rows::output, outputs, 1.0, tiles.at(queries, firstRow), task.result(0),
                  kernel.add(firstQuery, firstRow));
}

/// All keys for the queries of the tile from row `firstRow` on, as many as the registers have room for.
void AttentionWriter::writeQueries(AttentionTile &drawing, Value firstRow) {
  Value hidden = kernel.constant(kernel.vectorOf(kernel.f32(), 64), AttentionTile::hiddenScore);
  QueryGroup start{{hidden, hidden}, tiles.zeros(), SmallVector<Sums>(shape.sizes.value / 8, tiles.zeros())};
  Values initial;
  for (int64_t group = 0; group < groupsAtOnce(); ++group)
    initial.append(start.flat());
  const size_t perGroup = initial.size() / groupsAtOnce();
  auto forGroups = [&](ValueRange values, llvm::function_ref<void(QueryGroup state, Value row)> body) {
    for (int64_t group = 0; group < groupsAtOnce(); ++group)
      body(QueryGroup::of(values.slice(group * perGroup, perGroup)), kernel.add(firstRow, 16 * group));
  };
  Value keys = head->keys(), end = shape.causal ? kernel.min(keys, kernel.add(firstQuery, rows)) : keys;
  Values sums = kernel.loop(kernel.index(0), end, stackedKeys, initial, [&](Value firstKey, ValueRange carried) {
    head->loadSeen(firstKey);
    head->copyRows(Rows::key, task.operand(1), firstKey, stackedKeys, keyRows);
    head->copyRows(Rows::value, task.operand(2), firstKey, stackedKeys, valueRows);
    if (shape.dropRate > 0)
      drawing.drawDrops(firstKey, kernel.index(stackedKeys), drops.array);
    Values next;
    forGroups(carried, [&](QueryGroup state, Value row) {
      addBlock(state, row);
      next.append(state.flat());
    });
    return next;
  });
  forGroups(sums, [&](const QueryGroup &state, Value row) { writeOutputs(state, row); });
}

void AttentionWriter::write() {
  auto tile = [&](Value number) {
    head.emplace(task, tiles, shape, element);
    place(number);
    queries = head->stackRows(warpQueries, head->width());
    keyRows = head->stackRows(stackedKeys, shape.sizes.key);
    valueRows = head->stackRows(stackedKeys, shape.sizes.value);
    peaks = {kernel.stackArray(8 * warpQueries), kernel.index(8)};
    totals = {kernel.stackArray(8 * warpQueries), kernel.index(8)};
    ScoreModifiers none;
    AttentionTile drawing(task, shape, none);
    if (shape.dropRate > 0) {
      drops = {kernel.stackArray(element, stackedKeys * kernel.width()), kernel.index(kernel.width())};
      drawing.start(head->inSentence().first, head->inSentence().second, firstQuery);
    }
    head->copyRows(Rows::query, task.operand(0), firstQuery, warpQueries, queries);
    kernel.loop(kernel.index(0), kernel.index(warpQueries), 16 * groupsAtOnce(),
                [&](Value firstRow) { writeQueries(drawing, firstRow); });
    Value peak = tiles.load(peaks, warpQueries, 1, 4), total = tiles.load(totals, warpQueries, 1, 4);
    Value first = kernel.add(kernel.mul(head->number(), head->queries()), firstQuery);
    kernel.storeVector(kernel.add(peak, kernel.log(total)), task.result(1), first, kernel.tailMask(rows));
  };
  kernel.stage(task.name(), 0, tile, QueryStrip::tiles(task, shape));
}

FailureOr<bool> generateAttentionProducts(KernelTask &task) {
  auto op = dyn_cast<AttentionOp>(task.op);
  if (!op || !AttentionHead::fits(AttentionShape::of(op), {op.getQuery(), op.getKey(), op.getValue(), op.getOutput()}))
    return false;
  AttentionWriter(task, op).write();
  return true;
}

} // namespace bifocal
