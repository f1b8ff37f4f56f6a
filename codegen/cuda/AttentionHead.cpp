// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/AttentionHead.h"

using namespace mlir;

namespace bifocal {

bool AttentionHead::fits(const AttentionShape &shape, ValueRange tensors) {
  Type element = getElementTypeOrSelf(tensors.front().getType());
  bool alike = llvm::all_of(tensors, [&](Value tensor) { return getElementTypeOrSelf(tensor.getType()) == element; });
  if (shape.relative) {
    Type ofPositions = getElementTypeOrSelf(shape.relative->positions.getType());
    alike = alike && (ofPositions == element || ofPositions.isF32());
  }
  const HeadSizes &sizes = shape.sizes;
  const int64_t parts = shape.relative ? 2 : sizes.maps;
  return alike && (element.isBF16() || element.isF16()) && sizes.key % 16 == 0 && sizes.value % 16 == 0 &&
         parts * std::max(sizes.key, sizes.value) <= widestHead;
}

AttentionHead::AttentionHead(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, Type element, Pass pass)
    : task(task), kernel(task.builder), tiles(tiles), shape(shape), element(element),
      queryCount(kernel.expression(shape.queries)), keyCount(kernel.expression(shape.keys)) {
  if (shape.relative)
    relative.emplace(task, tiles, shape, element, pass);
  else
    seen = kernel.stackArray(stackedKeys);
}

void AttentionHead::place(Value number) {
  headNumber = number;
  sentence = kernel.div(number, kernel.index(shape.sizes.heads));
  head = kernel.rem(number, kernel.index(shape.sizes.heads));
  if (relative)
    relative->place(head);
}

Matrix AttentionHead::rowsOf(Rows kind, const Array &tensor) {
  const HeadSizes &sizes = shape.sizes;
  const bool ofKeys = kind == Rows::key || kind == Rows::value;
  const int64_t width = widthOf(kind), stride = width * (ofKeys ? sizes.kvHeads : sizes.heads);
  Value own = ofKeys ? kernel.div(head, kernel.index(sizes.heads / sizes.kvHeads)) : head;
  Value begin = kernel.add(kernel.mul(kernel.mul(sentence, allOf(kind)), stride), kernel.mul(own, width));
  return {kernel.from(tensor, begin), kernel.index(stride)};
}

void AttentionHead::copyRows(Rows kind, const Array &tensor, Value first, int64_t count, const Matrix &target) {
  Value low = relative ? kernel.sub(kernel.index(0), first) : kernel.index(0);
  tiles.copyRows(tiles.at(rowsOf(kind, tensor), first), low, kernel.sub(allOf(kind), first), count, widthOf(kind),
                 widthOf(kind), target);
}

void AttentionHead::writeRows(Rows kind, ArrayRef<Sums> rows, double factor, const Matrix &stack, const Array &tensor,
                              Value first) {
  Value factors = kernel.constant(kernel.vectorOf(kernel.f32(), 64), factor);
  for (auto [number, sums] : llvm::enumerate(rows)) {
    const auto column = static_cast<int64_t>(8 * number);
    for (auto [tile, row] : {std::pair(sums.upper, 0), std::pair(sums.lower, 8)})
      tiles.store(kernel.round(kernel.mul(tile, factors), element), tiles.at(stack, kernel.index(row), column), 8, 4);
  }
  tiles.writeRows(stack, kernel.sub(allOf(kind), first), widthOf(kind), tiles.at(rowsOf(kind, tensor), first));
}

Value AttentionHead::statisticsAt(Value first, int64_t map) {
  Value own = kernel.add(kernel.mul(headNumber, shape.sizes.maps), map);
  return kernel.add(kernel.mul(own, queryCount), first);
}

void AttentionHead::loadSeen(Value firstKey) {
  seenFrom = firstKey;
  // Which keys are real follows from how far they are.
  if (relative)
    return;
  Value real = kernel.tailMask(kernel.min(kernel.sub(keyCount, firstKey), kernel.index(stackedKeys)), stackedKeys);
  Value one = kernel.constantVector(1.0), zero = kernel.constantVector(0.0);
  if (shape.mask) {
    Array mask = kernel.from(task.operand(shape.mask), kernel.add(kernel.mul(sentence, keyCount), firstKey));
    Value flags = kernel.loadVector(mask, kernel.index(0), real, stackedKeys);
    real = kernel.notEqual(flags, kernel.constantInt(flags.getType(), 0));
  }
  kernel.storeVector(kernel.select(real, one, zero), seen, kernel.index(0));
}

Value AttentionHead::steps(Value query, Value key, TileKeys keys) {
  Value row = tiles.rowNumbers(), column = tiles.columnNumbers();
  Value ahead = keys == TileKeys::inRows ? kernel.sub(column, row) : kernel.sub(row, column);
  return kernel.add(ahead, kernel.splat(kernel.convert(kernel.sub(query, keyOf(key)), kernel.i32()), 64));
}

Value AttentionHead::visible(Value query, Value key, TileKeys keys) {
  if (relative)
    return relative->visible(steps(query, key, keys));
  const Array flags = kernel.from(seen, key);
  Value isSeen = keys == TileKeys::inRows ? tiles.alongRows(flags) : tiles.alongColumns(flags);
  Value result = kernel.less(kernel.constant(isSeen.getType(), 0.0), isSeen);
  if (!shape.causal)
    return result;
  Value ahead = steps(query, key, keys);
  return kernel.bitAnd(result, kernel.lessEqual(kernel.constantInt(ahead.getType(), 0), ahead));
}

Value AttentionHead::drop(Value tile, Value factors) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0);
  Value kept = kernel.constant(floats, 1.0f / (1.0f - static_cast<float>(shape.dropRate)));
  return kernel.select(kernel.less(zero, factors), kernel.mul(tile, kept), zero);
}

} // namespace bifocal
