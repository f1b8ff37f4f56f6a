// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/RelativeModifiers.h"

#include "codegen/common/Transpose.h"
#include "codegen/cpu/AttentionStrip.h"

using namespace mlir;

namespace bifocal {

using Values = AttentionTile::Values;
using Range = AttentionTile::Range;

Value Distances::first(Value key) {
  const AttentionShape &shape = tile.form();
  Value memory = kernel.sub(kernel.expression(shape.keys), kernel.expression(shape.queries));
  return kernel.sub(kernel.add(memory, tile.first()), key);
}

Value Distances::all(Value key) {
  Value own = kernel.splat(kernel.convert(first(key), kernel.i32()));
  return kernel.add(kernel.lanes(kernel.i32(), kernel.width()), own);
}

Value seenDistances(KernelBuilder &kernel, const RelativeShape &relative) {
  Value rows = kernel.expression(relative.distances);
  return relative.window > 0 ? kernel.min(rows, kernel.index(relative.window)) : rows;
}

static Value seenDistances(AttentionTile &tile) { return seenDistances(tile.builder(), *tile.form().relative); }

/// The key `distance` steps before the tile's first query, or one before it: the first of a block.
static Value blockBefore(AttentionTile &tile, Value distance) {
  KernelBuilder &kernel = tile.builder();
  Value key = kernel.max(kernel.sub(Distances(tile).first(kernel.index(0)), distance), kernel.index(0));
  return kernel.mul(kernel.div(key, kernel.index(AttentionTile::keyBlock)), AttentionTile::keyBlock);
}

KeyRange WindowModifier::bound(AttentionTile &tile, KeyRange keys) const {
  KernelBuilder &kernel = tile.builder();
  Value nearest = kernel.index(tile.form().relative->nearest);
  Value farthest = kernel.add(kernel.sub(seenDistances(tile), kernel.index(1)), nearest);
  Value behind = kernel.sub(kernel.add(Distances(tile).first(kernel.index(0)), tile.count()), nearest);
  return {kernel.max(keys.begin, blockBefore(tile, farthest)),
          kernel.max(kernel.min(keys.end, behind), kernel.index(0))};
}

Value WindowModifier::visible(AttentionTile &tile, Value key) const {
  KernelBuilder &kernel = tile.builder();
  Value distance = Distances(tile).all(kernel.add(key, kernel.index(tile.form().relative->nearest)));
  // Those that are too near are negative, and so above all others.
  return kernel.lessUnsigned(distance, kernel.splat(kernel.convert(seenDistances(tile), kernel.i32())));
}

PositionModifier::PositionModifier(KernelTask &task, const AttentionShape &shape)
    : PositionModifier(task, shape, Array(), Array()) {}

PositionModifier::PositionModifier(KernelTask &task, const AttentionShape &shape, const Array &queryGrad,
                                   const Array &sums)
    : task(task), kernel(task.builder), shape(shape), factor(shape.relative->factor),
      perGroup(elementsOf(factor, shape.sizes.key) * kernel.width()), perGradGroup(shape.sizes.key * kernel.width()),
      queryGradTarget(queryGrad), positionSums(sums) {
  const int64_t lanes = kernel.width(), groups = QueryStrip::groups(kernel, shape), width = shape.sizes.key;
  const int64_t strip = QueryStrip::queries(kernel, shape);
  queries = kernel.stackArray(groups * perGroup);
  distances = kernel.stackArray((AttentionTile::keyBlock + lanes) * lanes);
  rowPlace = FactorPlace::onStack(kernel, factor, AttentionTile::keyBlock + strip, width,
                                  queryGrad ? FactorPlace::both : FactorPlace::channels);
  if (!queryGrad)
    return;
  queryGrads = kernel.stackArray(groups * perGradGroup);
  queryPlace = FactorPlace::onStack(kernel, factor, strip, width, FactorPlace::rows);
}

PositionRows PositionModifier::rowsOf(AttentionTile &tile, Value first, Value count) {
  Value zero = kernel.index(0), one = kernel.index(1), all = kernel.expression(shape.relative->distances);
  // The row of the last key and the first query, and the one behind that of the first key and the last query.
  Value nearest = Distances(tile).first(
      kernel.add(kernel.sub(kernel.add(first, count), one), kernel.index(shape.relative->nearest)));
  Value end = kernel.add(nearest, kernel.sub(kernel.add(count, tile.count()), one));
  Value row = kernel.min(kernel.max(nearest, zero), all);
  return {row, kernel.max(kernel.sub(kernel.min(end, all), row), zero), kernel.max(kernel.sub(row, nearest), zero)};
}

HeadRows PositionModifier::positionsFrom(AttentionTile &tile, Value first) {
  const int64_t width = shape.sizes.key, stride = shape.relative->perHead ? shape.sizes.queryChannels() : width;
  Value place = kernel.mul(first, stride);
  if (shape.relative->perHead)
    place = kernel.add(place, kernel.mul(tile.inHead(), width));
  return {kernel.from(task.operand(shape.relative->positions), place), stride, width};
}

HeadRows PositionModifier::sumsFrom(AttentionTile &tile, Value first) {
  const int64_t width = shape.sizes.key;
  Value head = kernel.add(kernel.mul(tile.inSentence(), shape.sizes.heads), tile.inHead());
  Value place = kernel.add(kernel.mul(head, kernel.expression(shape.relative->distances)), first);
  return {kernel.from(positionSums, kernel.mul(place, width)), width, width};
}

FactorRows PositionModifier::positionsOfBlock() {
  Value behind = kernel.sub(rows.first, firstPosition);
  return {rowsFrom(kernel, copiedPositions.overChannels, behind), rowsFrom(kernel, copiedPositions.overRows, behind)};
}

HeadRows PositionModifier::queriesOf(AttentionTile &tile) {
  return rowsFrom(kernel, copiedQueries, kernel.sub(tile.first(), firstQuery));
}

void PositionModifier::startStrip(AttentionTile &strip) {
  if (!queryGrads)
    return;
  firstQuery = strip.first();
  const HeadRows own = strip.queryRows(task.operand(shape.relative->positionQuery), strip.first());
  copiedQueries = copiedRows(kernel, own, strip.count(), queryPlace).overRows;
}

void PositionModifier::startKeys(AttentionTile &strip, Value first, Value count) {
  const PositionRows needed = rowsOf(strip, first, count);
  firstPosition = needed.first;
  copiedPositions = copiedRows(kernel, positionsFrom(strip, needed.first), needed.count, rowPlace);
}

void PositionModifier::startQueries(AttentionTile &tile) {
  tile.loadColumns(tile.queryRows(task.operand(shape.relative->positionQuery), tile.first()), factor,
                   tile.own(queries, perGroup), tile.queryScale());
}

void PositionModifier::startBlock(AttentionTile &tile, Value first, Value count) {
  const int64_t lanes = kernel.width();
  blockFirst = first;
  blockCount = count;
  rows = rowsOf(tile, first, count);
  const HeadRows positions = positionsOfBlock().overChannels;
  const Array target = kernel.from(distances, kernel.mul(rows.before, lanes)), own = tile.own(queries, perGroup);
  inGroups(kernel, rows.count, {}, 8, [&](Value at, int64_t group, Range) {
    Values scores = productsOverChannels(kernel, own, rowsFrom(kernel, positions, at), group);
    for (int64_t i = 0; i < group; ++i)
      kernel.storeVector(scores[i], target, kernel.mul(kernel.add(at, i), lanes));
    return Values{};
  });
  if (!kernel.target().isWarp)
    turnScores();
}

/// Lane l of [i][lane] numbers from row `first` on that lies l rows behind it.
static Value diagonal(KernelBuilder &kernel, Value first) {
  const int64_t lanes = kernel.width();
  Value steps = kernel.mul(kernel.lanes(kernel.i32(), lanes),
                           kernel.constantInt(kernel.vectorOf(kernel.i32(), lanes), lanes + 1));
  return kernel.add(steps, kernel.splat(kernel.convert(kernel.mul(first, lanes), kernel.i32())));
}

/// Diagonals of the products become rows, in their places: that of the last key is the first one. What a lane gets
/// where there is no row is read by nobody: its query does not see the key.
void PositionModifier::turnScores() {
  const int64_t lanes = kernel.width();
  kernel.loop(kernel.index(0), blockCount, lanes, [&](Value first) {
    Values products;
    for (int64_t i = 0; i < 2 * lanes - 1; ++i)
      products.push_back(kernel.loadVector(distances, kernel.mul(kernel.add(first, i), lanes)));
    for (auto [i, scores] : llvm::enumerate(diagonals(kernel, products)))
      kernel.storeVector(scores, distances, kernel.mul(kernel.add(first, static_cast<int64_t>(i)), lanes));
  });
}

Value PositionModifier::added(AttentionTile &, Value key) const {
  Value last = kernel.sub(kernel.add(blockFirst, blockCount), kernel.index(1)), first = kernel.sub(last, key);
  if (!kernel.target().isWarp)
    return kernel.loadVector(distances, kernel.mul(first, kernel.width()));
  auto lanesOf = [&](Value scalar) { return kernel.splat(kernel.convert(scalar, kernel.i32())); };
  // Where there is no row, the query does not see the key.
  Value number = kernel.add(kernel.lanes(kernel.i32(), kernel.width()), lanesOf(kernel.sub(first, rows.before)));
  return kernel.gather(distances, diagonal(kernel, first), kernel.lessUnsigned(number, lanesOf(rows.count)));
}

void PositionModifier::startHead(AttentionTile &tile) {
  HeadRows sums = sumsFrom(tile, kernel.index(0));
  Value count = kernel.mul(kernel.expression(shape.relative->distances), shape.sizes.key);
  kernel.columns(count, {}, [&](Value at, Value mask, Range) {
    kernel.storeVector(kernel.constantVector(0.0), sums.first, at, mask);
    return Values{};
  });
}

void PositionModifier::startGradients(AttentionTile &tile) {
  tile.fillZero(tile.own(queryGrads, perGradGroup), shape.sizes.key);
}

/// Gradients by distances instead of keys: lane l of distance i is that of key count - 1 - i + l, where the block has
/// one.
void PositionModifier::turnGradients(const Array &gradients) {
  const int64_t lanes = kernel.width();
  Value end = kernel.add(rows.before, rows.count);
  if (kernel.target().isWarp) {
    Value own = kernel.lanes(kernel.i32(), lanes), keys = kernel.splat(kernel.convert(blockCount, kernel.i32()));
    kernel.loop(rows.before, end, 1, [&](Value at) {
      Value first = kernel.sub(kernel.sub(blockCount, kernel.index(1)), at);
      Value key = kernel.add(own, kernel.splat(kernel.convert(first, kernel.i32())));
      Value gradient = kernel.gather(gradients, diagonal(kernel, first), kernel.lessUnsigned(key, keys));
      kernel.storeVector(gradient, distances, kernel.mul(at, lanes));
    });
    return;
  }
  // As many distances at a time as there are lanes.
  Value begin = kernel.mul(kernel.div(rows.before, kernel.index(lanes)), lanes);
  kernel.loop(begin, end, lanes, [&](Value first) {
    Value key = kernel.sub(kernel.sub(blockCount, first), kernel.index(lanes));
    Values byKey;
    for (int64_t i = 0; i < 2 * lanes - 1; ++i) {
      Value at = kernel.add(key, i);
      // A key before the first one is above all others.
      byKey.push_back(
          kernel.loadVector(gradients, kernel.mul(at, lanes), kernel.splat(kernel.lessUnsigned(at, blockCount))));
    }
    for (auto [i, gradient] : llvm::enumerate(diagonals(kernel, byKey))) {
      Value at = kernel.add(first, lanes - 1 - static_cast<int64_t>(i));
      kernel.storeVector(gradient, distances, kernel.mul(at, lanes));
    }
  });
}

void PositionModifier::addScoreGradients(AttentionTile &tile, const Array &gradients) {
  turnGradients(gradients);
  const Array byDistance = kernel.from(distances, kernel.mul(rows.before, kernel.width()));
  addWeighted(kernel, byDistance, rows.count, positionsOfBlock().overRows, tile.own(queryGrads, perGradGroup));
  addToKeys(kernel, {byDistance, tile.count()}, rows.count, queriesOf(tile), sumsFrom(tile, rows.first), shape.scale);
}

void PositionModifier::finishQueries(AttentionTile &tile) {
  tile.storeTransposed(tile.own(queryGrads, perGradGroup), tile.queryRows(queryGradTarget, tile.first()),
                       kernel.constantVector(shape.scale));
}

SpanModifier::SpanModifier(KernelTask &task, const AttentionShape &shape, const Array &sums)
    : task(task), kernel(task.builder), shape(shape), sums(sums) {
  if (sums)
    totals = kernel.stackArray(QueryStrip::groups(kernel, shape) * kernel.width());
}

Value SpanRamp::last(Value most) const {
  Value given = kernel.mul(part, kernel.constantF32(unit)), end = kernel.convert(most, kernel.f32());
  Value span = kernel.min(kernel.max(given, kernel.constantF32(0.0)), end);
  return kernel.convert(kernel.add(span, kernel.constantF32(1.0 + ramp)), kernel.i64());
}

Value SpanRamp::left(Value distance) const {
  Type type = distance.getType();
  Value own = kernel.splat(part, cast<VectorType>(type).getNumElements());
  return kernel.fma(own, kernel.constant(type, unit), kernel.sub(kernel.constant(type, 1.0), distance));
}

Value SpanRamp::factor(Value distance) const {
  Type type = distance.getType();
  Value zero = kernel.constant(type, 0.0), one = kernel.constant(type, 1.0);
  return kernel.min(kernel.max(kernel.fma(left(distance), kernel.constant(type, 1.0 / ramp), one), zero), one);
}

SpanRamp SpanModifier::rampOf(AttentionTile &tile) const {
  const RelativeShape &relative = *shape.relative;
  return {kernel, relative.spanUnit, relative.ramp, kernel.load(task.operand(relative.span), tile.inHead())};
}

Value SpanModifier::distanceOf(AttentionTile &tile, Value key) const {
  return kernel.convert(Distances(tile).all(key), kernel.vectorOf(kernel.f32()));
}

KeyRange SpanModifier::bound(AttentionTile &tile, KeyRange keys) const {
  Value most = kernel.add(seenDistances(tile), shape.relative->nearest);
  return {kernel.max(keys.begin, blockBefore(tile, rampOf(tile).last(most))), keys.end};
}

Value SpanModifier::visible(AttentionTile &tile, Value key) const {
  return kernel.lessEqual(kernel.constantVector(-shape.relative->ramp), rampOf(tile).left(distanceOf(tile, key)));
}

Value SpanModifier::factor(AttentionTile &tile, Value key) const { return rampOf(tile).factor(distanceOf(tile, key)); }

void SpanModifier::startGradients(AttentionTile &tile) { tile.store(kernel.constantVector(0.0), totals); }

void SpanModifier::addFactorGradient(AttentionTile &tile, Value key, Value gradient) {
  Value before = tile.load(totals), zero = kernel.constantVector(0.0);
  // The gradient is zero already where the query does not see the key.
  Value counts = kernel.select(kernel.lessEqual(rampOf(tile).left(distanceOf(tile, key)), zero), gradient, zero);
  tile.store(kernel.add(before, counts), totals);
}

void SpanModifier::finishQueries(AttentionTile &tile) {
  kernel.storeVector(tile.load(totals), sums, tile.statisticsAt(), tile.realQueries());
}

ScoreModifiers modifiersOf(KernelTask &task, const AttentionShape &shape) {
  ScoreModifiers modifiers;
  if (shape.causal)
    modifiers.push_back(std::make_unique<CausalModifier>());
  if (shape.mask)
    modifiers.push_back(std::make_unique<PaddingModifier>(task.operand(shape.mask)));
  if (!shape.relative)
    return modifiers;
  modifiers.push_back(std::make_unique<WindowModifier>());
  modifiers.push_back(std::make_unique<PositionModifier>(task, shape));
  if (shape.relative->span)
    modifiers.push_back(std::make_unique<SpanModifier>(task, shape));
  return modifiers;
}

ScoreModifiers boundsOf(KernelTask &task, const AttentionShape &shape) {
  ScoreModifiers modifiers;
  if (shape.causal)
    modifiers.push_back(std::make_unique<CausalModifier>());
  if (shape.relative)
    modifiers.push_back(std::make_unique<WindowModifier>());
  if (shape.relative && shape.relative->span)
    modifiers.push_back(std::make_unique<SpanModifier>(task, shape));
  return modifiers;
}

ScoreModifiers relativeGradModifiers(KernelTask &task, const AttentionShape &shape, const Array &queryGrad,
                                     const RelativeSums &sums) {
  ScoreModifiers modifiers;
  modifiers.push_back(std::make_unique<WindowModifier>());
  modifiers.push_back(std::make_unique<PositionModifier>(task, shape, queryGrad, sums.positions));
  if (shape.relative->span)
    modifiers.push_back(std::make_unique<SpanModifier>(task, shape, sums.spans));
  return modifiers;
}

} // namespace bifocal
