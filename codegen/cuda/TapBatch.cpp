// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/TapBatch.h"

#include <limits>

using namespace mlir;

namespace bifocal {

TapBatch::TapBatch(KernelBuilder &kernel, const ConvShape &shape, const Array &rng) : kernel(kernel), shape(shape) {
  if (shape.dropRate == 0.0f)
    return;
  keys = kernel.philoxKeys(rng, shape.site);
  for (int64_t row = 0; row < rows(); ++row)
    draws.push_back(tapDraws(kernel, shape));
}

void TapBatch::read(const Array &raw, ArrayRef<Row> rows) {
  taps.clear();
  masks.clear();
  drawn.clear();
  for (const Row &row : rows) {
    Values own, lanes;
    for (int64_t vector = 0; vector < vectors(); ++vector) {
      lanes.push_back(kernel.tailMask(kernel.sub(row.count, columnOf(vector))));
      own.push_back(kernel.loadVector(kernel.from(raw, row.element), columnOf(vector), lanes.back()));
    }
    taps.push_back(std::move(own));
    masks.push_back(std::move(lanes));
  }
  for (auto [number, row] : llvm::enumerate(rows)) {
    if (shape.normalized)
      normalise(static_cast<int64_t>(number), row.bounds);
    if (shape.dropRate > 0)
      drawn.push_back(drawTaps(kernel, shape, keys, row.element, draws[number]));
  }
}

void TapBatch::normalise(int64_t row, const TapBounds &bounds) {
  Value lowest = kernel.constantVector(-std::numeric_limits<double>::infinity()), zero = kernel.constantVector(0.0);
  Value lanes = kernel.lanes(kernel.i32(), kernel.width()), peak = lowest, total = zero;
  Values seen(masks[row]);
  for (int64_t vector = 0; vector < vectors(); ++vector) {
    auto bound = [&](Value limit) {
      return kernel.splat(kernel.convert(kernel.sub(limit, columnOf(vector)), kernel.i32()));
    };
    if (bounds.low)
      seen[vector] = kernel.bitAnd(seen[vector], kernel.bitAnd(kernel.lessEqual(bound(bounds.low), lanes),
                                                               kernel.less(lanes, bound(bounds.high))));
    peak = kernel.max(kernel.select(seen[vector], taps[row][vector], lowest), peak);
  }
  peak = kernel.splat(kernel.horizontalMax(peak));
  for (int64_t vector = 0; vector < vectors(); ++vector) {
    Value power = kernel.select(seen[vector], kernel.expNonPositive(kernel.sub(taps[row][vector], peak)), zero);
    taps[row][vector] = power;
    total = kernel.add(total, power);
  }
  Value factor = kernel.splat(kernel.div(kernel.constantF32(1.0), kernel.horizontalSum(total)));
  for (int64_t vector = 0; vector < vectors(); ++vector)
    taps[row][vector] = kernel.select(masks[row][vector], kernel.mul(taps[row][vector], factor), zero);
}

Value TapBatch::drop(int64_t row, int64_t vector, Value values) {
  return shape.dropRate == 0.0f ? values : dropTaps(kernel, shape, values, drawn[row], columnOf(vector));
}

KernelBuilder::Values TapBatch::differentiate(int64_t row, llvm::function_ref<Value(int64_t vector)> gradient) {
  Values result;
  for (int64_t vector = 0; vector < vectors(); ++vector)
    result.push_back(drop(row, vector, gradient(vector)));
  if (!shape.normalized)
    return result;
  Value dot = kernel.constantVector(0.0);
  for (int64_t vector = 0; vector < vectors(); ++vector)
    dot = kernel.fma(taps[row][vector], result[vector], dot);
  dot = kernel.splat(kernel.horizontalSum(dot));
  for (int64_t vector = 0; vector < vectors(); ++vector)
    result[vector] = kernel.mul(taps[row][vector], kernel.sub(result[vector], dot));
  return result;
}

} // namespace bifocal
