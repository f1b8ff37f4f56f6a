// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention, diff_attention and relative_attention on tensor cores: as FlashAttention-2 (Dao, 2023, algorithm 1) does
// it, one pass over the keys in blocks with a running maximum and a running sum for every query; a warp has 16 or 32
// queries of one head, and those of both maps of a differential one, whose values it reads once. A weight meets the
// values as the sum of two factors of 16 bits, as a tap of a convolution does (ConvProducts.h).
#include "codegen/cuda/AttentionHead.h"
#include "codegen/cuda/TensorCoreKernels.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
using Sums = TileBuilder::Sums;
using Rows = AttentionHead::Rows;

static constexpr int64_t stackedKeys = AttentionHead::stackedKeys;
/// Groups of eight keys of a block.
static constexpr int64_t keyGroups = stackedKeys / 8;

namespace {

/// One map of 16 queries of the tile: for every row the largest score and the sum of the weights so far (each thread
/// that of its own columns), and the sum of the values, eight channels at a time.
struct QueryGroup {
  Sums maximum, total;
  SmallVector<Sums> output;

  Values flat() const;
  static QueryGroup of(ValueRange values);
};

class AttentionWriter {
public:
  template <typename Op>
  AttentionWriter(KernelTask &task, Op op)
      : task(task), kernel(task.builder), tiles(task.builder), shape(AttentionShape::of(op, task.builder.target())),
        element(getElementTypeOrSelf(op.getQuery().getType())), sentences(launchSymbols(op).operands[0][0]) {
    if constexpr (requires { op.getLambda(); })
      lambda = op.getLambda();
    const bool isLean = shape.sizes.maps == 1 && !shape.relative;
    const int64_t width = AttentionHead::width(shape.sizes) + (shape.causal ? 16 : 0);
    groups = isLean && width <= 64 ? 2 : 1;
  }

  void write();

private:
  void writeTile(Value number);
  void takePlaces();
  Values addKeys(AttentionTile &drawing, Value firstKey, ValueRange carried);
  SmallVector<Sums> scoresOf(int64_t group, int64_t map);
  void addBlock(QueryGroup &state, int64_t group, int64_t map);
  void weigh(QueryGroup &state, int64_t group, int64_t map, SmallVector<Sums> &scores);
  void drop(int64_t group, int64_t map, SmallVector<Sums> &weights);
  void writeOutputs(ArrayRef<QueryGroup> maps, int64_t group);
  void writeLogSums();

  int64_t queriesOfTile() const { return 16 * groups; }
  Value queryOf(int64_t group, int64_t side) { return kernel.add(firstQuery, 16 * group + side); }

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  AttentionShape shape;
  Type element;
  AffineExpr sentences;
  Value lambda; ///< operand of a differential op
  /// Groups of 16 queries of a tile: as many as the registers hold the sums of, beside what tells later keys from
  /// earlier ones.
  int64_t groups;
  std::optional<AttentionHead> head;

  /// The tile: its first query, and how many it has.
  Value firstQuery, rows;
  /// On the stack.
  Matrix queries, positionQueries, keyRows, valueRows;
  /// Of each map a row's largest score and its sum of weights, eight times each.
  std::array<Matrix, 2> peaks, totals;
  /// Of each map [key][query]: above 0 where the weight is kept.
  std::array<Matrix, 2> drops;
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

/// Of 16 queries: zero where a weight is dropped. What was drawn lies key by key.
void AttentionWriter::drop(int64_t group, int64_t map, SmallVector<Sums> &weights) {
  for (int64_t pair = 0; pair < keyGroups; pair += 2) {
    auto drawn = tiles.loadFour(tiles.at(drops[map], kernel.index(8 * pair), 16 * group), /*transposed=*/true);
    for (int64_t half = 0; half < 2; ++half) {
      Sums &tile = weights[pair + half];
      tile = {head->drop(tile.upper, kernel.widen(drawn[half], element)),
              head->drop(tile.lower, kernel.widen(drawn[half + 2], element))};
    }
  }
}

/// The products of 16 queries and the keys of the block, scaled; far below all others where a query does not see one.
/// Group by group: the scores of all queries would take registers that the draws of a drop need.
SmallVector<Sums> AttentionWriter::scoresOf(int64_t group, int64_t map) {
  const int64_t width = shape.sizes.key;
  SmallVector<Sums> scores = tiles.products(tiles.at(queries, kernel.index(16 * group), map * width),
                                            tiles.at(keyRows, kernel.index(0), map * width), keyGroups, width);
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value scale = kernel.constant(floats, shape.scale), hidden = kernel.constant(floats, AttentionTile::hiddenScore);
  auto shown = [&](Value score, int64_t key, int64_t side) {
    if (head->relative)
      score = kernel.add(score, head->relative->diagonal(side, key, TileKeys::inColumns));
    Value isSeen = head->visible(queryOf(group, side), kernel.index(key), TileKeys::inColumns);
    return kernel.select(isSeen, shape.softCap.of(kernel, kernel.mul(score, scale)), hidden);
  };
  for (auto [number, tile] : llvm::enumerate(scores)) {
    const auto key = static_cast<int64_t>(8 * number);
    tile = {shown(tile.upper, key, 0), shown(tile.lower, key, 8)};
  }
  return scores;
}

/// Scores become weights, relative to the largest one so far, to which the sums go over.
void AttentionWriter::weigh(QueryGroup &state, int64_t group, int64_t map, SmallVector<Sums> &scores) {
  Value bound = kernel.constant(kernel.vectorOf(kernel.f32(), 64), AttentionTile::hiddenScore / 2);
  for (auto [side, row] : {std::pair(&Sums::upper, 0), std::pair(&Sums::lower, 8)}) {
    // As in the kernel on vectors: a score that is no number does not become the maximum, but the output; and where no
    // key is seen yet, weights are 0.
    Value peak = state.maximum.*side;
    for (const Sums &tile : scores)
      peak = kernel.max(tile.*side, peak);
    peak = tiles.rowMaximum(peak);
    Value shift = kernel.max(bound, peak), factor = kernel.expNonPositive(kernel.sub(state.maximum.*side, peak));
    Value total = kernel.mul(state.total.*side, factor);
    for (auto [number, tile] : llvm::enumerate(scores)) {
      Value weight = kernel.expNonPositive(kernel.sub(tile.*side, shift));
      Value key = kernel.index(static_cast<int64_t>(8 * number));
      if (head->relative)
        if (Value ramp = head->relative->factor(head->steps(queryOf(group, row), key, TileKeys::inColumns)))
          weight = kernel.mul(weight, ramp);
      total = kernel.add(total, weight);
      tile.*side = weight;
    }
    for (Sums &sums : state.output)
      sums.*side = kernel.mul(sums.*side, factor);
    state.maximum.*side = peak;
    state.total.*side = total;
  }
  if (shape.dropRate > 0)
    drop(group, map, scores);
}

/// Goes on with the keys of a block.
void AttentionWriter::addBlock(QueryGroup &state, int64_t group, int64_t map) {
  SmallVector<Sums> weights = scoresOf(group, map);
  weigh(state, group, map, weights);
  for (int64_t pair = 0; pair < keyGroups; pair += 2)
    tiles.addProduct(weights[pair], weights[pair + 1], tiles.at(valueRows, kernel.index(8 * pair)), element,
                     state.output);
}

/// A block of keys and values for all groups and maps.
Values AttentionWriter::addKeys(AttentionTile &drawing, Value firstKey, ValueRange carried) {
  head->copyRows(Rows::key, task.operand(shape.key), firstKey, stackedKeys, keyRows);
  head->copyRows(Rows::value, task.operand(shape.value), firstKey, stackedKeys, valueRows);
  if (head->relative)
    head->relative->loadBlock(kernel.sub(firstQuery, firstKey));
  head->loadSeen(firstKey);
  const int64_t maps = shape.sizes.maps;
  for (int64_t map = 0; map < maps && shape.dropRate > 0; ++map)
    drawing.drawDrops(firstKey, kernel.index(stackedKeys), drops[map].array, map);
  tiles.wait();
  if (head->relative)
    head->relative->startBlock(positionQueries);
  const size_t perState = carried.size() / (groups * maps);
  Values next;
  for (int64_t number = 0; number < groups * maps; ++number) {
    QueryGroup state = QueryGroup::of(carried.slice(number * perState, perState));
    addBlock(state, number / maps, number % maps);
    next.append(state.flat());
  }
  return next;
}

/// The outputs of 16 queries, by way of the stack, where their queries were; what `lse` is made of stays there.
void AttentionWriter::writeOutputs(ArrayRef<QueryGroup> maps, int64_t group) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0), one = kernel.constant(floats, 1.0);
  SmallVector<Sums> outputs(maps.front().output.size(), tiles.zeros());
  for (auto [map, state] : llvm::enumerate(maps))
    for (auto [side, offset] : {std::pair(&Sums::upper, 0), std::pair(&Sums::lower, 8)}) {
      Value row = kernel.index(16 * group + offset), total = tiles.rowSum(state.total.*side);
      Value factor = kernel.select(kernel.less(zero, total), kernel.div(one, total), zero);
      if (map > 0)
        factor = kernel.mul(factor, kernel.neg(kernel.splat(kernel.load(task.operand(lambda), kernel.index(0)), 64)));
      for (auto [sums, own] : llvm::zip(outputs, state.output))
        sums.*side = map > 0 ? kernel.fma(own.*side, factor, sums.*side) : kernel.mul(own.*side, factor);
      tiles.store(state.maximum.*side, tiles.at(peaks[map], row), 8, 8);
      tiles.store(total, tiles.at(totals[map], row), 8, 8);
    }
  head->writeRows(Rows::output, outputs, 1.0, tiles.at(queries, kernel.index(16 * group)), task.result(0),
                  queryOf(group, 0));
}

void AttentionWriter::writeLogSums() {
  for (int64_t map = 0; map < shape.sizes.maps; ++map) {
    auto numbers = [&](const Matrix &eightTimes) {
      return tiles.load(eightTimes, kernel.width(), 1, 4,
                        {kernel.index(0), kernel.index(queriesOfTile()), kernel.index(1)});
    };
    Value peak = numbers(peaks[map]), total = numbers(totals[map]);
    kernel.storeVector(kernel.add(peak, kernel.log(total)), task.result(1), head->statisticsAt(firstQuery, map),
                       kernel.tailMask(rows));
  }
}

void AttentionWriter::takePlaces() {
  head.emplace(task, tiles, shape, element, Pass::forward);
  queries = head->stackRows(queriesOfTile(), head->width());
  if (shape.relative)
    positionQueries = head->stackRows(queriesOfTile(), shape.sizes.key);
  keyRows = head->stackRows(stackedKeys, head->widthOf(Rows::key));
  valueRows = head->stackRows(stackedKeys, shape.sizes.value);
  for (int64_t map = 0; map < shape.sizes.maps; ++map) {
    peaks[map] = {kernel.stackArray(8 * kernel.width()), kernel.index(8)};
    totals[map] = {kernel.stackArray(8 * kernel.width()), kernel.index(8)};
    if (shape.dropRate > 0)
      drops[map] = {kernel.stackArray(element, stackedKeys * kernel.width()), kernel.index(kernel.width())};
  }
}

void AttentionWriter::writeTile(Value number) {
  takePlaces();
  Value perHead = kernel.ceilDiv(head->queries(), kernel.index(queriesOfTile()));
  head->place(kernel.div(number, perHead));
  firstQuery = kernel.mul(kernel.rem(number, perHead), queriesOfTile());
  rows = kernel.min(kernel.sub(head->queries(), firstQuery), kernel.index(queriesOfTile()));
  ScoreModifiers bounds = boundsOf(task, shape);
  AttentionTile tile(task, shape, bounds);
  tile.startRange(head->inSentence().first, head->inSentence().second, firstQuery, kernel.add(firstQuery, rows));
  head->copyRows(Rows::query, task.operand(shape.query), firstQuery, queriesOfTile(), queries);
  if (shape.relative)
    head->copyRows(Rows::query, task.operand(shape.relative->positionQuery), firstQuery, queriesOfTile(),
                   positionQueries);
  tiles.wait();

  const int64_t maps = shape.sizes.maps;
  Value hidden = kernel.constant(kernel.vectorOf(kernel.f32(), 64), AttentionTile::hiddenScore);
  const QueryGroup start{{hidden, hidden}, tiles.zeros(), SmallVector<Sums>(shape.sizes.value / 8, tiles.zeros())};
  Values initial;
  for (int64_t state = 0; state < groups * maps; ++state)
    initial.append(start.flat());
  const KeyRange keys = tile.visibleKeys();
  Values sums = kernel.loop(keys.begin, keys.end, stackedKeys, initial,
                            [&](Value firstKey, ValueRange carried) { return addKeys(tile, firstKey, carried); });
  const size_t perState = start.flat().size();
  for (int64_t group = 0; group < groups; ++group) {
    SmallVector<QueryGroup> states;
    for (int64_t map = 0; map < maps; ++map)
      states.push_back(QueryGroup::of(ValueRange(sums).slice((group * maps + map) * perState, perState)));
    writeOutputs(states, group);
  }
  writeLogSums();
}

void AttentionWriter::write() {
  kernel.stage(
      task.name(), 0, [&](Value number) { writeTile(number); },
      sentences * shape.sizes.heads * shape.queries.ceilDiv(queriesOfTile()));
}

FailureOr<bool> generateAttentionProducts(KernelTask &task) {
  auto write = [&](auto op) {
    SmallVector<Value> tensors{op.getQuery(), op.getKey(), op.getValue(), op.getOutput()};
    if constexpr (requires { op.getPositions(); })
      tensors.push_back(op.getPositionQuery());
    if (!AttentionHead::fits(AttentionShape::of(op, task.builder.target()), tensors))
      return false;
    AttentionWriter(task, op).write();
    return true;
  };
  return llvm::TypeSwitch<Operation *, bool>(task.op)
      .Case<AttentionOp, DiffAttentionOp, RelativeAttentionOp>(write)
      .Default(false);
}

} // namespace bifocal
