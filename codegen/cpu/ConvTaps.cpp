// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/ConvTiles.h"
#include "runtime/core/Philox.h"

#include <limits>

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

Array tapDraws(KernelBuilder &kernel, const ConvShape &shape) {
  return kernel.stackArray(kernel.i32(), llvm::alignTo(shape.kernelSize + 3, kernel.philoxElements()) + kernel.width());
}

Array drawTaps(KernelBuilder &kernel, const ConvShape &shape, const KernelBuilder::PhiloxKeys &keys, Value element,
               const Array &draws) {
  Value block = kernel.shiftRight(element, 2);
  const int64_t perCall = kernel.philoxElements();
  for (int64_t first = 0; first < shape.kernelSize + 3; first += perCall)
    kernel.storeVector(kernel.philoxDraws(keys, kernel.add(block, first / 4)), draws, kernel.index(first));
  return kernel.from(draws, kernel.bitAnd(element, kernel.index(3)));
}

Value dropTaps(KernelBuilder &kernel, const ConvShape &shape, Value taps, const Array &drawn, Value column) {
  Value draw = kernel.loadVector(drawn, column);
  Value threshold = kernel.constantInt(draw.getType(), static_cast<int32_t>(dropThreshold(shape.dropRate)));
  Value kept = kernel.mul(taps, kernel.constantVector(1.0f / (1.0f - shape.dropRate)));
  return kernel.select(kernel.lessUnsigned(draw, threshold), kernel.constantVector(0.0), kept);
}

TapRows::TapRows(KernelBuilder &kernel, const ConvShape &shape, const Array &rng) : kernel(kernel), shape(shape) {
  if (shape.dropRate == 0.0f)
    return;
  keys = kernel.philoxKeys(rng, shape.site);
  draws = tapDraws(kernel, shape);
}

int64_t TapRows::unrolled() const {
  return std::clamp<int64_t>(static_cast<int64_t>(llvm::divideCeil(shape.kernelSize, kernel.width())), 1, 4);
}

TapBounds tapBoundsAt(KernelBuilder &kernel, const ConvShape &shape, Value step, Value steps) {
  Value zero = kernel.index(0), count = kernel.index(shape.kernelSize);
  if (shape.normalized && shape.renormalized)
    return {kernel.max(kernel.sub(kernel.index(shape.leftPadding), step), zero),
            kernel.min(kernel.sub(kernel.add(steps, shape.leftPadding), step), count)};
  if (shape.normalized && shape.compat)
    return {kernel.max(kernel.sub(count, steps), zero), count};
  return {};
}

Value TapRows::visible(Value column, Value mask, TapBounds bounds) {
  if (!bounds.low)
    return mask;
  auto bound = [&](Value limit) { return kernel.splat(kernel.convert(kernel.sub(limit, column), kernel.i32())); };
  Value lanes = kernel.lanes(kernel.i32(), kernel.width());
  return kernel.bitAnd(kernel.lessEqual(bound(bounds.low), lanes), kernel.less(lanes, bound(bounds.high)));
}

Value TapRows::exponentials(const Array &raw, const Array &output, TapBounds bounds) {
  Value lowest = kernel.constantVector(-std::numeric_limits<double>::infinity()), zero = kernel.constantVector(0.0);
  auto fold = [&](const Values &parts, bool maximum) {
    Value all = parts[0];
    for (Value part : ArrayRef<Value>(parts).drop_front())
      all = maximum ? kernel.max(all, part) : kernel.add(all, part);
    return maximum ? kernel.horizontalMax(all) : kernel.horizontalSum(all);
  };
  Value peak = fold(kernel.columns(shape.kernelSize, unrolled(), SmallVector<Value>(unrolled(), lowest),
                                   [&](Value at, Value mask, ValueRange group) {
                                     Value seen = visible(at, mask, bounds), x = kernel.loadVector(raw, at, seen);
                                     return Values{kernel.max(seen ? kernel.select(seen, x, lowest) : x, group[0])};
                                   }),
                    true);
  Value peaks = kernel.splat(peak);
  Value total = fold(kernel.columns(shape.kernelSize, unrolled(), SmallVector<Value>(unrolled(), zero),
                                    [&](Value at, Value mask, ValueRange group) {
                                      Value seen = visible(at, mask, bounds);
                                      Value e =
                                          kernel.expNonPositive(kernel.sub(kernel.loadVector(raw, at, seen), peaks));
                                      if (seen)
                                        e = kernel.select(seen, e, zero);
                                      kernel.storeVector(e, output, at, mask);
                                      return Values{kernel.add(group[0], e)};
                                    }),
                     false);
  return kernel.splat(kernel.div(kernel.constantF32(1.0), total));
}

Array TapRows::drawRow(Value element) {
  if (!draws)
    return {};
  return drawTaps(kernel, shape, keys, element, draws);
}

Value TapRows::drop(Value taps, const Array &drawn, Value column) {
  return drawn ? dropTaps(kernel, shape, taps, drawn, column) : taps;
}

void TapRows::use(const Array &raw, Value element, const Array &output, TapBounds bounds) {
  Value factor = shape.normalized ? exponentials(raw, output, bounds) : Value();
  Array drawn = drawRow(element);
  kernel.columns(shape.kernelSize, unrolled(), [&](Value at, Value mask, int64_t) {
    Value taps = factor ? kernel.mul(kernel.loadVector(output, at, mask), factor) : kernel.loadVector(raw, at, mask);
    kernel.storeVector(drop(taps, drawn, at), output, at, mask);
  });
}

void TapRows::differentiate(const Array &raw, Value element, const Array &gradient, const Array &result,
                            const Array &used, TapBounds bounds) {
  Array drawn = drawRow(element);
  if (!shape.normalized) {
    kernel.columns(shape.kernelSize, unrolled(), [&](Value at, Value mask, int64_t) {
      kernel.storeVector(drop(kernel.loadVector(raw, at, mask), drawn, at), used, at, mask);
      kernel.storeVector(drop(kernel.loadVector(gradient, at, mask), drawn, at), result, at, mask);
    });
    return;
  }
  Value factor = exponentials(raw, used, bounds);
  // Beyond the tail both factors of the product are 0.
  Values dots = kernel.columns(
      shape.kernelSize, unrolled(), SmallVector<Value>(unrolled(), kernel.constantVector(0.0)),
      [&](Value at, Value mask, ValueRange group) {
        Value taps = kernel.mul(kernel.loadVector(used, at, mask), factor);
        return Values{kernel.fma(taps, drop(kernel.loadVector(gradient, at, mask), drawn, at), group[0])};
      });
  Value dot = dots[0];
  for (Value part : ArrayRef<Value>(dots).drop_front())
    dot = kernel.add(dot, part);
  dot = kernel.splat(kernel.horizontalSum(dot));
  kernel.columns(shape.kernelSize, unrolled(), [&](Value at, Value mask, int64_t) {
    Value taps = kernel.mul(kernel.loadVector(used, at, mask), factor);
    Value change = kernel.sub(drop(kernel.loadVector(gradient, at, mask), drawn, at), dot);
    kernel.storeVector(kernel.mul(taps, change), result, at, mask);
    kernel.storeVector(drop(taps, drawn, at), used, at, mask);
  });
}

} // namespace bifocal
