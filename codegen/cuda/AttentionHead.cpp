// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/AttentionHead.h"

using namespace mlir;

namespace bifocal {

bool AttentionHead::fits(const AttentionShape &shape, ValueRange tensors) {
  Type element = getElementTypeOrSelf(tensors.front().getType());
  bool alike = llvm::all_of(tensors, [&](Value tensor) { return getElementTypeOrSelf(tensor.getType()) == element; });
  const HeadSizes &sizes = shape.sizes;
  return alike && (element.isBF16() || element.isF16()) && sizes.maps == 1 && sizes.key % 16 == 0 &&
         sizes.value % 16 == 0 && std::max(sizes.key, sizes.value) <= widestHead;
}

AttentionHead::AttentionHead(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, Type element)
    : task(task), kernel(task.builder), tiles(tiles), shape(shape), element(element),
      queryCount(kernel.expression(shape.queries)), keyCount(kernel.expression(shape.keys)),
      seen(kernel.stackArray(stackedKeys)) {}

void AttentionHead::place(Value number) {
  headNumber = number;
  sentence = kernel.div(number, kernel.index(shape.sizes.heads));
  head = kernel.rem(number, kernel.index(shape.sizes.heads));
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
  tiles.copyRows(tiles.at(rowsOf(kind, tensor), first), kernel.index(0), kernel.sub(allOf(kind), first), count,
                 widthOf(kind), widthOf(kind), target);
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

void AttentionHead::loadSeen(Value firstKey) {
  seenFrom = firstKey;
  Value real = kernel.tailMask(kernel.min(kernel.sub(keyCount, firstKey), kernel.index(stackedKeys)), stackedKeys);
  Value one = kernel.constantVector(1.0), zero = kernel.constantVector(0.0);
  if (shape.mask) {
    Array mask = kernel.from(task.operand(shape.mask), kernel.add(kernel.mul(sentence, keyCount), firstKey));
    Value flags = kernel.loadVector(mask, kernel.index(0), real, stackedKeys);
    real = kernel.notEqual(flags, kernel.constantInt(flags.getType(), 0));
  }
  kernel.storeVector(kernel.select(real, one, zero), seen, kernel.index(0));
}

Value AttentionHead::visible(Value query, Value key, Keys place) {
  const Array flags = kernel.from(seen, key);
  Value isSeen = place == Keys::inRows ? tiles.alongRows(flags) : tiles.alongColumns(flags);
  Value result = kernel.less(kernel.constant(isSeen.getType(), 0.0), isSeen);
  if (!shape.causal)
    return result;
  Value number = tiles.elements(), last = kernel.constantInt(number.getType(), 7);
  Value row = kernel.shiftRight(number, 3), column = kernel.bitAnd(number, last);
  Value later = place == Keys::inRows ? kernel.sub(row, column) : kernel.sub(column, row);
  Value allowed = kernel.sub(query, kernel.add(seenFrom, key));
  return kernel.bitAnd(result, kernel.lessEqual(later, kernel.splat(kernel.convert(allowed, kernel.i32()), 64)));
}

void AttentionHead::addProduct(const Sums &left0, const Sums &left1, const Matrix &right, MutableArrayRef<Sums> sums) {
  auto rounded = [&](Value tile) { return kernel.round(tile, element); };
  auto rest = [&](Value tile) { return rounded(tiles.rest(tile, element)); };
  auto factor = [&](auto part) {
    return std::array<Value, 4>{part(left0.upper), part(left0.lower), part(left1.upper), part(left1.lower)};
  };
  const std::array<std::array<Value, 4>, 2> parts{factor(rounded), factor(rest)};
  const auto columns = static_cast<int64_t>(8 * sums.size());
  for (int64_t channel = 0; channel < columns; channel += 16) {
    auto b = tiles.loadFour(tiles.at(right, kernel.index(0), channel), /*transposed=*/true);
    for (int64_t half = 0; half < 2; ++half)
      for (const std::array<Value, 4> &part : parts) {
        Sums &target = sums[static_cast<size_t>(channel / 8 + half)];
        target = tiles.multiply(part, b[2 * half], b[2 * half + 1], target);
      }
  }
}

SmallVector<TileBuilder::Sums> AttentionHead::scores(const Matrix &left, const Matrix &right, int64_t groups,
                                                     int64_t columns) {
  SmallVector<Sums> result(groups, tiles.zeros());
  for (int64_t channel = 0; channel < columns; channel += 16) {
    auto a = tiles.loadFour(tiles.at(left, kernel.index(0), channel), /*transposed=*/false);
    for (int64_t pair = 0; pair < groups; pair += 2) {
      auto b = tiles.loadFour(tiles.at(right, kernel.index(8 * pair), channel), /*transposed=*/false);
      for (int64_t half = 0; half < 2; ++half)
        result[pair + half] = tiles.multiply(a, b[half], b[half + 2], result[pair + half]);
    }
  }
  return result;
}

Value AttentionHead::drop(Value tile, Value factors) {
  Type floats = kernel.vectorOf(kernel.f32(), 64);
  Value zero = kernel.constant(floats, 0.0);
  Value kept = kernel.constant(floats, 1.0f / (1.0f - static_cast<float>(shape.dropRate)));
  return kernel.select(kernel.less(zero, kernel.widen(factors, element)), kernel.mul(tile, kept), zero);
}

} // namespace bifocal
