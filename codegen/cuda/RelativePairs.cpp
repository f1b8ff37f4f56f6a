// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/RelativePairs.h"

using namespace mlir;

namespace bifocal {

static constexpr int64_t blockQueries = 16;

RelativePairs::RelativePairs(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, Type element,
                             int64_t blockKeys)
    : task(task), kernel(task.builder), tiles(tiles), shape(shape), element(element), blockKeys(blockKeys),
      rows(tiles.stackMatrix(element, blockQueries + blockKeys, shape.sizes.key)),
      kept(tiles.stackMatrix(kernel.f32(), blockQueries, blockQueries + blockKeys)) {}

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
  Value last = kernel.sub(kernel.add(seen, shape.relative->nearest), kernel.index(1));
  return span ? kernel.min(last, ramp().last(seen)) : last;
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

const Matrix &RelativePairs::loadRows(Value row, int64_t count) {
  const bool perHead = shape.relative->perHead;
  const int64_t width = shape.sizes.key;
  Value stride = kernel.index(perHead ? shape.sizes.queryChannels() : width);
  Value begin = perHead ? kernel.mul(head, width) : kernel.index(0);
  const Matrix all{kernel.from(task.operand(shape.relative->positions), begin), stride}, source = tiles.at(all, row);
  Value low = kernel.sub(kernel.index(0), row), high = kernel.sub(kernel.expression(shape.relative->distances), row);
  if (all.array.element == element)
    tiles.copyRows(source, low, high, count, width, width, rows);
  else
    tiles.roundRows(source, low, high, count, width, rows);
  return rows;
}

void RelativePairs::loadBlock(Value steps) {
  Value nearest = kernel.index(shape.relative->nearest + blockKeys - 1);
  loadRows(kernel.sub(kernel.add(steps, memory()), nearest), blockQueries + blockKeys);
}

void RelativePairs::startBlock(const Matrix &queries) {
  keep(tiles.products(queries, rows, (blockQueries + blockKeys) / 8, shape.sizes.key));
}

void RelativePairs::keep(ArrayRef<Sums> products) {
  for (auto [number, sums] : llvm::enumerate(products))
    for (auto [tile, row] : {std::pair(sums.upper, 0), std::pair(sums.lower, 8)})
      tiles.store(tile, tiles.at(kept, kernel.index(row), static_cast<int64_t>(8 * number)), 8, 8);
}

std::pair<Value, Value> RelativePairs::numbers(TileKeys keys) {
  Value number = tiles.elements();
  Value row = kernel.shiftRight(number, 3), column = kernel.bitAnd(number, kernel.constantInt(number.getType(), 7));
  return keys == TileKeys::inRows ? std::pair(column, row) : std::pair(row, column);
}

/// The stride of a matrix on the stack.
static int64_t strideOf(const Matrix &matrix) {
  APInt stride;
  [[maybe_unused]] const bool isConstant = matchPattern(matrix.stride, m_ConstantInt(&stride));
  assert(isConstant && "matrices on the stack have constant strides");
  return stride.getSExtValue();
}

Value RelativePairs::diagonal(int64_t query, int64_t key, TileKeys keys) {
  auto [ofQuery, ofKey] = numbers(keys);
  const int64_t step = strideOf(kept) + 1;
  Type type = ofQuery.getType();
  Value place = kernel.sub(kernel.mul(ofQuery, kernel.constantInt(type, step)), ofKey);
  return kernel.gather(kept.array, kernel.add(place, kernel.constantInt(type, query * step - key + blockKeys - 1)));
}

void RelativePairs::addRows(ArrayRef<Sums> scoreGrads, MutableArrayRef<Sums> sums) {
  // A place that a forward pass does without.
  if (!grads.array)
    grads = tiles.stackMatrix(kernel.f32(), blockQueries, blockKeys);
  for (auto [number, tile] : llvm::enumerate(scoreGrads))
    for (auto [side, row] : {std::pair(tile.upper, 0), std::pair(tile.lower, 8)})
      tiles.store(side, tiles.at(grads, kernel.index(row), static_cast<int64_t>(8 * number)), 8, 8);
  auto [ofQuery, ofRow] = numbers(TileKeys::inColumns);
  Type type = ofQuery.getType();
  const int64_t step = strideOf(grads) + 1;
  // Query i and row c meet at key i + blockKeys - 1 - c, if the block has it.
  auto tileAt = [&](int64_t query, int64_t row) {
    Value ahead = kernel.constantInt(type, query + blockKeys - 1 - row);
    Value key = kernel.add(kernel.sub(ofQuery, ofRow), ahead);
    Value place = kernel.sub(kernel.mul(ofQuery, kernel.constantInt(type, step)), ofRow);
    place = kernel.add(place, kernel.constantInt(type, query * step + blockKeys - 1 - row));
    return kernel.gather(grads.array, place, kernel.lessUnsigned(key, kernel.constantInt(type, blockKeys)));
  };
  auto sumsAt = [&](int64_t row) { return Sums{tileAt(0, row), tileAt(8, row)}; };
  for (int64_t row = 0; row < blockQueries + blockKeys; row += 16)
    tiles.addProduct(sumsAt(row), sumsAt(row + 8), tiles.at(rows, kernel.index(row)), element, sums);
}

} // namespace bifocal
