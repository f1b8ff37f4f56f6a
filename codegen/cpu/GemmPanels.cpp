// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmPanels.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// A panel may be narrower than a vector. Its steps are written in ascending order, so what a store writes too much the
// next one puts right. A whole line of the cache: neighbouring panels then start in neighbouring lines.
int64_t panelSlack() { return 16; }

void packNeighbours(KernelBuilder &kernel, Value source, Value stride, Value left, Value count, Value panel,
                    int64_t width) {
  const int64_t lanes = kernel.width();
  Value exist = kernel.min(left, kernel.index(width));
  Values masks;
  for (int64_t first = 0; first < width; first += lanes)
    masks.push_back(kernel.tailMask(kernel.sub(exist, kernel.index(first))));
  kernel.loop(kernel.index(0), count, 1, [&](Value step) {
    Value from = kernel.address(source, kernel.mul(step, stride));
    Value to = kernel.address(panel, kernel.mul(step, width));
    for (auto [i, mask] : llvm::enumerate(masks)) {
      Value at = kernel.index(static_cast<int64_t>(i) * lanes);
      kernel.storeVector(kernel.loadVector(from, at, mask), to, at);
    }
  });
}

/// Lane j of result i is lane i of vectors[j]. Expects as many vectors as a vector has lanes.
static Values transposed(KernelBuilder &kernel, Values vectors) {
  const int64_t lanes = kernel.width();
  // The round for `half` exchanges bit `half` of a vector's number with bit `half` of a lane's number.
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      low.push_back(lane & half ? lanes + lane - half : lane);
      high.push_back(lane & half ? lanes + lane : lane + half);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & half)
        continue;
      Value first = vectors[i], second = vectors[i + half];
      vectors[i] = kernel.shuffle(first, second, low);
      vectors[i + half] = kernel.shuffle(first, second, high);
    }
  }
  return vectors;
}

void packTransposed(KernelBuilder &kernel, Value source, Value stride, Value left, Value count, Value panel,
                    int64_t width) {
  const int64_t lanes = kernel.width();
  Value last = kernel.sub(left, kernel.index(1)), whole = kernel.bitAnd(count, kernel.index(-lanes));
  for (int64_t first = 0; first < width; first += lanes) {
    Values rows;
    for (int64_t i = 0; i < lanes; ++i) {
      Value row = kernel.min(kernel.index(first + std::min(i, width - first - 1)), last);
      rows.push_back(kernel.address(source, kernel.mul(row, stride)));
    }
    Value target = kernel.address(panel, kernel.index(first));
    auto block = [&](Value step, Value mask) {
      Values vectors;
      for (Value row : rows)
        vectors.push_back(kernel.loadVector(row, step, mask));
      Value place = kernel.address(target, kernel.mul(step, width));
      for (auto [i, vector] : llvm::enumerate(transposed(kernel, vectors)))
        kernel.storeVector(vector, place, kernel.index(static_cast<int64_t>(i) * width));
    };
    kernel.loop(kernel.index(0), whole, lanes, [&](Value step) { block(step, nullptr); });
    kernel.when(kernel.less(whole, count), [&] { block(whole, kernel.tailMask(kernel.sub(count, whole))); });
  }
}

} // namespace bifocal
