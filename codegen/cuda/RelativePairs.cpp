// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/RelativePairs.h"

using namespace mlir;

namespace bifocal {

static constexpr int64_t blockQueries = 16;

RelativePairs::RelativePairs(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, Type element, Pass pass)
    : task(task), kernel(task.builder), tiles(tiles), shape(shape), element(element),
      blockKeys(pass == Pass::forward ? 32 : 16),
      kept(tiles.stackMatrix(kernel.f32(), blockQueries, blockQueries + blockKeys)) {
  const bool isSplit = task.operand(shape.relative->positions).element != element;
  for (int64_t factor = 0; factor < (isSplit ? 2 : 1); ++factor)
    rows.push_back(tiles.stackMatrix(element, blockQueries + blockKeys, shape.sizes.key));
  if (pass == Pass::backward)
    grads = tiles.stackMatrix(kernel.f32(), blockQueries, blockKeys);
}

void RelativePairs::place(Value number) {
  head = number;
  if (shape.relative->span)
    span = kernel.load(task.operand(shape.relative->span), head);
}

SpanRamp RelativePairs::ramp() const { return {kernel, shape.relative->spanUnit, shape.relative->ramp, span}; }

Value RelativePairs::distances(Value steps) {
  return kernel.add(steps, kernel.splat(kernel.convert(memory(), kernel.i32()), 64));
}

Value RelativePairs::visible(Value steps) {
  Value distance = distances(steps), seen = seenDistances(kernel, *shape.relative);
  Value row = kernel.sub(distance, kernel.constantInt(distance.getType(), shape.relative->nearest));
  // Those that are too near are negative, and so above all others.
  Value result = kernel.lessUnsigned(row, kernel.splat(kernel.convert(seen, kernel.i32()), 64));
  if (!span)
    return result;
  Value left = ramp().left(kernel.convert(distance, kernel.vectorOf(kernel.f32(), 64)));
  return kernel.bitAnd(result, kernel.lessEqual(kernel.constant(left.getType(), -shape.relative->ramp), left));
}

Value RelativePairs::factor(Value steps) {
  return span ? ramp().factor(kernel.convert(distances(steps), kernel.vectorOf(kernel.f32(), 64))) : Value();
}

Value RelativePairs::onRamp(Value steps, Value gradients) {
  Value left = ramp().left(kernel.convert(distances(steps), kernel.vectorOf(kernel.f32(), 64)));
  Value zero = kernel.constant(left.getType(), 0.0);
  return kernel.select(kernel.lessEqual(left, zero), gradients, zero);
}

Value RelativePairs::farthest() {
  Value seen = seenDistances(kernel, *shape.relative);
  Value end = kernel.add(seen, shape.relative->nearest), last = kernel.sub(end, kernel.index(1));
  return span ? kernel.min(last, ramp().last(end)) : last;
}

/// The queries [first, end) of those that there are.
static KeyRange among(KernelBuilder &kernel, const AttentionShape &shape, Value first, Value end) {
  Value begin = kernel.bitAnd(kernel.max(first, kernel.index(0)), kernel.index(-blockQueries));
  return {begin, kernel.min(end, kernel.expression(shape.queries))};
}

KeyRange RelativePairs::queriesOf(Value firstKey, int64_t count) {
  Value first = kernel.sub(firstKey, memory());
  return among(kernel, shape, kernel.add(first, shape.relative->nearest),
               kernel.add(kernel.add(first, count), farthest()));
}

KeyRange RelativePairs::queriesAt(Value row) {
  Value nearest = kernel.add(row, shape.relative->nearest);
  Value end = kernel.select(kernel.lessEqual(nearest, farthest()), kernel.expression(shape.queries), kernel.index(0));
  return among(kernel, shape, kernel.sub(nearest, memory()), end);
}

void RelativePairs::loadRows(Value row, int64_t count) {
  const bool perHead = shape.relative->perHead;
  const int64_t width = shape.sizes.key;
  Value stride = kernel.index(perHead ? shape.sizes.queryChannels() : width);
  Value begin = perHead ? kernel.mul(head, width) : kernel.index(0);
  const Matrix all{kernel.from(task.operand(shape.relative->positions), begin), stride}, source = tiles.at(all, row);
  Value low = kernel.sub(kernel.index(0), row), high = kernel.sub(kernel.expression(shape.relative->distances), row);
  if (rows.size() == 1)
    tiles.copyRows(source, low, high, count, width, width, rows[0]);
  else
    tiles.splitRows(source, low, high, count, width, rows[0], rows[1]);
}

void RelativePairs::loadBlock(Value steps) {
  Value nearest = kernel.index(shape.relative->nearest + blockKeys - 1);
  loadRows(kernel.sub(kernel.add(steps, memory()), nearest), blockQueries + blockKeys);
}

void RelativePairs::startBlock(const Matrix &queries) {
  SmallVector<Sums> products((blockQueries + blockKeys) / 8, tiles.zeros());
  for (const Matrix &factor : rows)
    tiles.addProducts(queries, factor, shape.sizes.key, products);
  keep(products);
}

SmallVector<TileBuilder::Sums> RelativePairs::rowsTimes(const Matrix &queries) {
  SmallVector<Sums> products(blockQueries / 8, tiles.zeros());
  for (const Matrix &factor : rows)
    tiles.addProducts(factor, queries, shape.sizes.key, products);
  return products;
}

void RelativePairs::keep(ArrayRef<Sums> products) {
  for (auto [number, sums] : llvm::enumerate(products))
    for (int64_t side = 0; side < 2; ++side)
      tiles.store(sums.side(side), tiles.at(kept, kernel.index(8 * side), static_cast<int64_t>(8 * number)), 8, 8);
}

Value RelativePairs::diagonal(int64_t query, int64_t key, TileKeys keys) {
  Value ofQuery = tiles.rowNumbers(), ofKey = tiles.columnNumbers();
  if (keys == TileKeys::inRows)
    std::swap(ofQuery, ofKey);
  const int64_t step = TileBuilder::stackStride(kernel.f32(), blockQueries + blockKeys) + 1;
  Type type = ofQuery.getType();
  Value place = kernel.sub(kernel.mul(ofQuery, kernel.constantInt(type, step)), ofKey);
  return kernel.gather(kept.array, kernel.add(place, kernel.constantInt(type, query * step - key + blockKeys - 1)));
}

void RelativePairs::addRows(ArrayRef<Sums> scoreGrads, MutableArrayRef<Sums> sums) {
  for (auto [number, tile] : llvm::enumerate(scoreGrads))
    for (int64_t side = 0; side < 2; ++side)
      tiles.store(tile.side(side), tiles.at(grads, kernel.index(8 * side), static_cast<int64_t>(8 * number)), 8, 8);
  Value ofQuery = tiles.rowNumbers(), ofRow = tiles.columnNumbers();
  Type type = ofQuery.getType();
  const int64_t step = TileBuilder::stackStride(kernel.f32(), blockKeys) + 1;
  // Query i and row c meet at key i + blockKeys - 1 - c, if the block has it.
  auto tileAt = [&](int64_t query, int64_t row) {
    const int64_t ahead = blockKeys - 1 - row;
    Value key = kernel.add(kernel.sub(ofQuery, ofRow), kernel.constantInt(type, query + ahead));
    Value place = kernel.sub(kernel.mul(ofQuery, kernel.constantInt(type, step)), ofRow);
    place = kernel.add(place, kernel.constantInt(type, query * step + ahead));
    return kernel.gather(grads.array, place, kernel.lessUnsigned(key, kernel.constantInt(type, blockKeys)));
  };
  auto sumsAt = [&](int64_t row) { return Sums{tileAt(0, row), tileAt(8, row)}; };
  for (int64_t row = 0; row < blockQueries + blockKeys; row += 16) {
    const Sums left = sumsAt(row), right = sumsAt(row + 8);
    for (const Matrix &factor : rows)
      tiles.addProduct(left, right, tiles.at(factor, kernel.index(row)), element, sums);
  }
}

} // namespace bifocal
