// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// attention on tensor cores: as FlashAttention-2 (Dao, 2023, algorithm 1) does it, one pass over the keys in blocks
// with a running maximum and a running sum for every query; a warp has 32 queries of one head. A weight meets the
// values as the sum of two factors of 16 bits, as a tap of a convolution does (ConvProducts.h).
#include "codegen/cpu/AttentionTile.h"
#include "codegen/cuda/TensorCoreKernels.h"
#include "codegen/cuda/TileBuilder.h"
#include "passes/AttentionSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;
using Sums = TileBuilder::Sums;

/// Keys that are on the stack at a time.
static constexpr int64_t stackedKeys = 32;
/// Groups of 16 queries of a tile, and of eight keys of a block.
static constexpr int64_t queryGroups = attentionQueries / 16, keyGroups = stackedKeys / 8;
/// The sums of the values of longer heads do not fit the registers.
static constexpr int64_t widestHead = 128;

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
  Matrix rowsOf(const Array &tensor, Value rows);
  void loadSeen(Value firstKey);
  SmallVector<Sums> scoresOf(Value firstKey, Value firstRow);
  Value visible(Value firstKey, int64_t group, Value firstRow);
  void drop(Value firstRow, SmallVector<Sums> &weights);
  void addBlock(Value firstKey, QueryGroup &state, Value firstRow);
  void addValues(QueryGroup &state, ArrayRef<Sums> weights);
  void writeOutputs(const QueryGroup &state, Value firstRow);
  void copyRows(const Array &tensor, Value all, Value first, int64_t count, const Matrix &target);
  void writeQueries(AttentionTile &drawing, Value firstRow);
  /// Groups whose sums the registers hold at the same time, beside what tells later keys from earlier ones.
  int64_t groupsAtOnce() const { return shape.headDim + (shape.causal ? 16 : 0) <= 64 ? queryGroups : 1; }

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder tiles;
  AttentionShape shape;
  Type element;

  // The tile: its head among all of all sentences, its first query, how many it has, and the keys of its sentence.
  Value headNumber, sentence, head, firstQuery, rows, keys;
  /// On the stack. `seen` is 1 at the keys of the block that are real.
  Matrix queries, keyRows, valueRows;
  /// A row's largest score and its sum of weights, eight times each.
  Matrix peaks, totals;
  Array seen;
  /// [key][query]: above 0 where the weight is kept.
  Matrix drops;
};

} // namespace

Values QueryGroup::flat() const {
  Values values{maximum.upper, maximum.lower, total.upper, total.lower};
  for (const Sums &sums : output)
    values.append({sums.upper, sums.lower});
  return values;
}

QueryGroup QueryGroup::of(ValueRange values) {
  QueryGroup state{{values[0], values[1]}, {values[2], values[3]}, {}};
  for (size_t i = 4; i < values.size(); i += 2)
    state.output.push_back({values[i], values[i + 1]});
  return state;
}

void AttentionWriter::place(Value number) {
  Value all = kernel.expression(shape.queries), perHead = kernel.ceilDiv(all, kernel.index(attentionQueries));
  headNumber = kernel.div(number, perHead);
  sentence = kernel.div(headNumber, kernel.index(shape.heads));
  head = kernel.rem(headNumber, kernel.index(shape.heads));
  firstQuery = kernel.mul(kernel.rem(number, perHead), attentionQueries);
  rows = kernel.min(kernel.sub(all, firstQuery), kernel.index(attentionQueries));
  keys = kernel.expression(shape.keys);
}

/// The tile's head in a tensor [B, rows, C].
Matrix AttentionWriter::rowsOf(const Array &tensor, Value rows) {
  Value begin = kernel.add(kernel.mul(kernel.mul(sentence, rows), shape.channels), kernel.mul(head, shape.headDim));
  return {kernel.from(tensor, begin), kernel.index(shape.channels)};
}

void AttentionWriter::loadSeen(Value firstKey) {
  Value real = kernel.tailMask(kernel.min(kernel.sub(keys, firstKey), kernel.index(stackedKeys)), stackedKeys);
  Value one = kernel.constantVector(1.0), zero = kernel.constantVector(0.0);
  if (shape.mask) {
    Array mask = kernel.from(task.operand(shape.mask), kernel.add(kernel.mul(sentence, keys), firstKey));
    Value flags = kernel.loadVector(mask, kernel.index(0), real, stackedKeys);
    real = kernel.notEqual(flags, kernel.constantInt(flags.getType(), 0));
  }
  kernel.storeVector(kernel.select(real, one, zero), seen, kernel.index(0));
}

/// Which elements of the tile of eight keys and eight queries count: keys that are real and, of a causal op, not later
/// than the query.
Value AttentionWriter::visible(Value firstKey, int64_t group, Value firstRow) {
  Value flags = tiles.load({kernel.from(seen, kernel.index(8 * group)), kernel.index(0)}, 8, 8, 8);
  Value result = kernel.less(kernel.constant(flags.getType(), 0.0), flags);
  if (!shape.causal)
    return result;
  Value element = tiles.elements(), last = kernel.constantInt(element.getType(), 7);
  Value later = kernel.sub(kernel.bitAnd(element, last), kernel.shiftRight(element, 3));
  Value allowed = kernel.sub(kernel.add(firstQuery, firstRow), kernel.add(firstKey, 8 * group));
  return kernel.bitAnd(result, kernel.lessEqual(later, kernel.splat(kernel.convert(allowed, kernel.i32()), 64)));
}

/// Of 16 queries from row `firstRow` on: zero where a weight is dropped. What was drawn lies key by key.
void AttentionWriter::drop(Value firstRow, SmallVector<Sums> &weights) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0);
  Value kept = kernel.constant(floats, 1.0f / (1.0f - static_cast<float>(shape.dropRate)));
  for (int64_t pair = 0; pair < keyGroups; pair += 2) {
    auto drawn = tiles.loadFour(tiles.at(drops, kernel.index(8 * pair), firstRow), /*transposed=*/true);
    auto apply = [&](Value weight, Value tile) {
      Value isKept = kernel.less(zero, kernel.widen(tile, element));
      return kernel.select(isKept, kernel.mul(weight, kept), zero);
    };
    for (int64_t half = 0; half < 2; ++half) {
      Sums &tile = weights[pair + half];
      tile = {apply(tile.upper, drawn[half]), apply(tile.lower, drawn[half + 2])};
    }
  }
}

/// The products of 16 queries and the keys of the block, scaled; far below all others where a query does not see one.
/// Group by group: the scores of all queries would take registers that the draws of a drop need.
SmallVector<Sums> AttentionWriter::scoresOf(Value firstKey, Value firstRow) {
  SmallVector<Sums> scores(keyGroups, tiles.zeros());
  for (int64_t channel = 0; channel < shape.headDim; channel += 16) {
    auto a = tiles.loadFour(tiles.at(queries, firstRow, channel), /*transposed=*/false);
    for (int64_t pair = 0; pair < keyGroups; pair += 2) {
      auto b = tiles.loadFour(tiles.at(keyRows, kernel.index(8 * pair), channel), /*transposed=*/false);
      for (int64_t half = 0; half < 2; ++half)
        scores[pair + half] = tiles.multiply(a, b[half], b[half + 2], scores[pair + half]);
    }
  }
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value scale = kernel.constant(floats, shape.scale), hidden = kernel.constant(floats, AttentionTile::hiddenScore);
  auto shown = [&](Value score, int64_t keyGroup, Value row) {
    return kernel.select(visible(firstKey, keyGroup, row), kernel.mul(score, scale), hidden);
  };
  for (auto [number, tile] : llvm::enumerate(scores)) {
    const auto keyGroup = static_cast<int64_t>(number);
    tile = {shown(tile.upper, keyGroup, firstRow), shown(tile.lower, keyGroup, kernel.add(firstRow, 8))};
  }
  return scores;
}

/// Goes on with the keys of a block: scores become weights.
void AttentionWriter::addBlock(Value firstKey, QueryGroup &state, Value firstRow) {
  SmallVector<Sums> scores = scoresOf(firstKey, firstRow);
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0), bound = kernel.constant(floats, AttentionTile::hiddenScore / 2);
  auto half = [&](Value Sums::*side) {
    // From a number on: a score that is none does not count, as in the kernel on vectors.
    Value peak = state.maximum.*side;
    for (const Sums &tile : scores)
      peak = kernel.max(tile.*side, peak);
    peak = tiles.rowMaximum(peak);
    Value factor = kernel.exp(kernel.sub(state.maximum.*side, peak));
    Value total = kernel.mul(state.total.*side, factor);
    for (Sums &tile : scores) {
      Value score = tile.*side, weight = kernel.exp(kernel.sub(score, peak));
      weight = kernel.select(kernel.less(bound, score), weight, zero);
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
  addValues(state, scores);
}

void AttentionWriter::addValues(QueryGroup &state, ArrayRef<Sums> weights) {
  auto rounded = [&](Value tile) { return kernel.round(tile, element); };
  auto rest = [&](Value tile) { return rounded(tiles.rest(tile, element)); };
  for (int64_t pair = 0; pair < keyGroups; pair += 2) {
    const Sums &left = weights[pair], &right = weights[pair + 1];
    auto factor = [&](auto part) {
      return std::array<Value, 4>{part(left.upper), part(left.lower), part(right.upper), part(right.lower)};
    };
    const std::array<std::array<Value, 4>, 2> parts{factor(rounded), factor(rest)};
    for (int64_t channel = 0; channel < shape.headDim; channel += 16) {
      auto b = tiles.loadFour(tiles.at(valueRows, kernel.index(8 * pair), channel), /*transposed=*/true);
      for (int64_t half = 0; half < 2; ++half)
        for (const std::array<Value, 4> &part : parts) {
          Sums &sums = state.output[channel / 8 + half];
          sums = tiles.multiply(part, b[2 * half], b[2 * half + 1], sums);
        }
    }
  }
}

/// The outputs of 16 queries, by way of the stack, where their queries were; what `lse` is made of stays there.
void AttentionWriter::writeOutputs(const QueryGroup &state, Value firstRow) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0), one = kernel.constant(floats, 1.0);
  for (auto [side, offset] : {std::pair(&Sums::upper, 0), std::pair(&Sums::lower, 8)}) {
    Value row = kernel.add(firstRow, offset), total = tiles.rowSum(state.total.*side);
    Value factor = kernel.select(kernel.less(zero, total), kernel.div(one, total), zero);
    for (auto [column, sums] : llvm::enumerate(state.output))
      tiles.store(kernel.round(kernel.mul(sums.*side, factor), element),
                  tiles.at(queries, row, static_cast<int64_t>(8 * column)), 8, 4);
    tiles.store(state.maximum.*side, tiles.at(peaks, row), 8, 8);
    tiles.store(total, tiles.at(totals, row), 8, 8);
  }
  Matrix output = rowsOf(task.result(0), kernel.expression(shape.queries));
  tiles.writeRows(tiles.at(queries, firstRow), kernel.sub(rows, firstRow), shape.headDim,
                  tiles.at(output, kernel.add(firstQuery, firstRow)));
}

void AttentionWriter::copyRows(const Array &tensor, Value all, Value first, int64_t count, const Matrix &target) {
  tiles.copyRows(tiles.at(rowsOf(tensor, all), first), kernel.index(0), kernel.sub(all, first), count, shape.headDim,
                 shape.headDim, target);
}

/// All keys for the queries of the tile from row `firstRow` on, as many as the registers have room for.
void AttentionWriter::writeQueries(AttentionTile &drawing, Value firstRow) {
  Value hidden = kernel.constant(kernel.vectorOf(kernel.f32(), 64), AttentionTile::hiddenScore);
  QueryGroup start{{hidden, hidden}, tiles.zeros(), SmallVector<Sums>(shape.headDim / 8, tiles.zeros())};
  Values initial;
  for (int64_t group = 0; group < groupsAtOnce(); ++group)
    initial.append(start.flat());
  const size_t perGroup = initial.size() / groupsAtOnce();
  auto forGroups = [&](ValueRange values, llvm::function_ref<void(QueryGroup state, Value row)> body) {
    for (int64_t group = 0; group < groupsAtOnce(); ++group)
      body(QueryGroup::of(values.slice(group * perGroup, perGroup)), kernel.add(firstRow, 16 * group));
  };
  Value end = shape.causal ? kernel.min(keys, kernel.add(firstQuery, rows)) : keys;
  Values sums = kernel.loop(kernel.index(0), end, stackedKeys, initial, [&](Value firstKey, ValueRange carried) {
    loadSeen(firstKey);
    copyRows(task.operand(1), keys, firstKey, stackedKeys, keyRows);
    copyRows(task.operand(2), keys, firstKey, stackedKeys, valueRows);
    if (shape.dropRate > 0)
      drawing.drawDrops(firstKey, kernel.index(stackedKeys), drops.array);
    Values next;
    forGroups(carried, [&](QueryGroup state, Value row) {
      addBlock(firstKey, state, row);
      next.append(state.flat());
    });
    return next;
  });
  forGroups(sums, [&](const QueryGroup &state, Value row) { writeOutputs(state, row); });
}

void AttentionWriter::write() {
  kernel.stage(task.name(), 0, [&](Value number) {
    place(number);
    queries = tiles.stackMatrix(element, attentionQueries, shape.headDim);
    keyRows = tiles.stackMatrix(element, stackedKeys, shape.headDim);
    valueRows = tiles.stackMatrix(element, stackedKeys, shape.headDim);
    seen = kernel.stackArray(stackedKeys);
    peaks = {kernel.stackArray(8 * attentionQueries), kernel.index(8)};
    totals = {kernel.stackArray(8 * attentionQueries), kernel.index(8)};
    AttentionTile drawing(task, shape);
    if (shape.dropRate > 0) {
      drops = {kernel.stackArray(element, stackedKeys * kernel.width()), kernel.index(kernel.width())};
      drawing.start(sentence, head, firstQuery);
    }
    copyRows(task.operand(0), kernel.expression(shape.queries), firstQuery, attentionQueries, queries);
    kernel.loop(kernel.index(0), kernel.index(attentionQueries), 16 * groupsAtOnce(),
                [&](Value firstRow) { writeQueries(drawing, firstRow); });
    Value peak = tiles.load(peaks, attentionQueries, 1, 4), total = tiles.load(totals, attentionQueries, 1, 4);
    Value first = kernel.add(kernel.mul(headNumber, kernel.expression(shape.queries)), firstQuery);
    kernel.storeVector(kernel.add(peak, kernel.log(total)), task.result(1), first, kernel.tailMask(rows));
  });
}

FailureOr<bool> generateAttentionProducts(KernelTask &task) {
  auto op = dyn_cast<AttentionOp>(task.op);
  if (!op)
    return false;
  Type element = getElementTypeOrSelf(op.getQuery().getType());
  const int64_t width = AttentionShape::of(op).headDim;
  for (Value sequence : {op.getQuery(), op.getKey(), op.getValue(), op.getOutput()})
    if (getElementTypeOrSelf(sequence.getType()) != element)
      return false;
  if (!(element.isBF16() || element.isF16()) || width % 16 != 0 || width > widestHead)
    return false;
  AttentionWriter(task, op).write();
  return true;
}

} // namespace bifocal
