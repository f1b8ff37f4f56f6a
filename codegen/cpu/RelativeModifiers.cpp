// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/RelativeModifiers.h"

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
    : task(task), kernel(task.builder), shape(shape), perGroup(shape.sizes.key * kernel.width()),
      queries(kernel.stackArray(QueryStrip::groups(kernel, shape) * perGroup)),
      distances(kernel.stackArray((AttentionTile::keyBlock + kernel.width()) * kernel.width())) {}

PositionModifier::PositionModifier(KernelTask &task, const AttentionShape &shape, const Array &queryGrad,
                                   const Array &sums)
    : PositionModifier(task, shape) {
  queryGrads = kernel.stackArray(QueryStrip::groups(kernel, shape) * perGroup);
  queryGradTarget = queryGrad;
  positionSums = sums;
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

void PositionModifier::startQueries(AttentionTile &tile) {
  tile.loadTransposed(tile.queryRows(task.operand(shape.relative->positionQuery), tile.first()),
                      tile.own(queries, perGroup), shape.scale);
}

void PositionModifier::startBlock(AttentionTile &tile, Value first, Value count) {
  const int64_t lanes = kernel.width();
  Value zero = kernel.index(0), one = kernel.index(1), all = kernel.expression(shape.relative->distances);
  // The row of the last key and the first query, and the one behind that of the first key and the last query.
  Value nearestRow = Distances(tile).first(
      kernel.add(kernel.sub(kernel.add(first, count), one), kernel.index(shape.relative->nearest)));
  Value end = kernel.add(kernel.add(nearestRow, count), lanes - 1);
  blockFirst = first;
  blockCount = count;
  row = kernel.min(kernel.max(nearestRow, zero), all);
  rows = kernel.max(kernel.sub(kernel.min(end, all), row), zero);
  before = kernel.sub(row, nearestRow);
  const HeadRows positions = positionsFrom(tile, row);
  const Array target = kernel.from(distances, kernel.mul(before, lanes)), own = tile.own(queries, perGroup);
  tile.groups(rows, {}, 8, [&](Value at, int64_t group, Range) {
    Values products = tile.products(own, tile.from(positions, at), group);
    for (int64_t i = 0; i < group; ++i)
      kernel.storeVector(products[i], target, kernel.mul(kernel.add(at, i), lanes));
    return Values{};
  });
}

/// Lane l of [i][lane] numbers from row `first` on that lies l rows behind it.
static Value diagonal(KernelBuilder &kernel, Value first) {
  const int64_t lanes = kernel.width();
  Value steps = kernel.mul(kernel.lanes(kernel.i32(), lanes),
                           kernel.constantInt(kernel.vectorOf(kernel.i32(), lanes), lanes + 1));
  return kernel.add(steps, kernel.splat(kernel.convert(kernel.mul(first, lanes), kernel.i32())));
}

Value PositionModifier::added(AttentionTile &, Value key) const {
  Value last = kernel.sub(kernel.add(blockFirst, blockCount), kernel.index(1)), first = kernel.sub(last, key);
  auto lanesOf = [&](Value scalar) { return kernel.splat(kernel.convert(scalar, kernel.i32())); };
  // Where there is no row, the query does not see the key.
  Value number = kernel.add(kernel.lanes(kernel.i32(), kernel.width()), lanesOf(kernel.sub(first, before)));
  return kernel.gather(distances, diagonal(kernel, first), kernel.lessUnsigned(number, lanesOf(rows)));
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
  tile.fillZero(tile.own(queryGrads, perGroup), shape.sizes.key);
}

void PositionModifier::addScoreGradients(AttentionTile &tile, const Array &gradients) {
  const int64_t lanes = kernel.width();
  // By distances: lane l of distance i is that of key count - 1 - i + l, where the block has one.
  Value last = kernel.sub(blockCount, kernel.index(1));
  Value own = kernel.lanes(kernel.i32(), lanes), keys = kernel.splat(kernel.convert(blockCount, kernel.i32()));
  kernel.loop(before, kernel.add(before, rows), 1, [&](Value at) {
    Value first = kernel.sub(last, at);
    Value key = kernel.add(own, kernel.splat(kernel.convert(first, kernel.i32())));
    Value gradient = kernel.gather(gradients, diagonal(kernel, first), kernel.lessUnsigned(key, keys));
    kernel.storeVector(gradient, distances, kernel.mul(at, lanes));
  });
  const Array byDistance = kernel.from(distances, kernel.mul(before, lanes));
  tile.addWeighted(byDistance, rows, positionsFrom(tile, row), tile.own(queryGrads, perGroup));
  addToKeys(tile, byDistance, rows, tile.queryRows(task.operand(shape.relative->positionQuery), tile.first()),
            sumsFrom(tile, row), shape.scale);
}

void PositionModifier::finishQueries(AttentionTile &tile) {
  tile.storeTransposed(tile.own(queryGrads, perGroup), tile.queryRows(queryGradTarget, tile.first()),
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
