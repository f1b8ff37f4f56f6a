// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmPanels.h"

#include "codegen/common/Transpose.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// A panel may be narrower than a vector. Its steps are written in ascending order, so what a store writes too much the
// next one puts right. A whole line of the cache: neighbouring panels then start in neighbouring lines.
int64_t panelSlack() { return 16; }

/// A vector of factors. What memory holds in the narrow type already needs no rounding.
static Value loadFactors(KernelBuilder &kernel, const Array &source, Type factor, Value at, Value mask) {
  Value vector = kernel.loadVector(source, at, mask);
  return source.element == factor ? vector : kernel.rounded(vector, factor);
}

void packNeighbours(KernelBuilder &kernel, const Array &source, Type factor, const Array &steps, Value stride,
                    Value left, Value count, const Array &panel, int64_t width) {
  const int64_t lanes = kernel.width();
  Value exist = kernel.min(left, kernel.index(width));
  Values masks;
  for (int64_t first = 0; first < width; first += lanes)
    masks.push_back(kernel.tailMask(kernel.sub(exist, kernel.index(first))));
  kernel.loop(kernel.index(0), count, 1, [&](Value step) {
    Array from = kernel.from(source, kernel.mul(steps ? kernel.load(steps, step) : step, stride));
    Array to = kernel.from(panel, kernel.mul(step, width));
    for (auto [i, mask] : llvm::enumerate(masks)) {
      Value at = kernel.index(static_cast<int64_t>(i) * lanes);
      kernel.storeVector(loadFactors(kernel, from, factor, at, mask), to, at);
    }
  });
}

void packTransposed(KernelBuilder &kernel, ArrayRef<Array> rows, Type factor, Value count, const Array &panel) {
  const int64_t lanes = kernel.width(), width = static_cast<int64_t>(rows.size());
  Value whole = kernel.bitAnd(count, kernel.index(-lanes));
  for (int64_t first = 0; first < width; first += lanes) {
    Array target = kernel.from(panel, kernel.index(first));
    auto block = [&](Value step, Value mask) {
      Values vectors;
      for (int64_t i = first; i < first + lanes; ++i)
        vectors.push_back(loadFactors(kernel, rows[std::min(i, width - 1)], factor, step, mask));
      Array place = kernel.from(target, kernel.mul(step, width));
      for (auto [i, vector] : llvm::enumerate(transposeLanes(kernel, vectors)))
        kernel.storeVector(vector, place, kernel.index(static_cast<int64_t>(i) * width));
    };
    kernel.loop(kernel.index(0), whole, lanes, [&](Value step) { block(step, nullptr); });
    kernel.when(kernel.less(whole, count), [&] { block(whole, kernel.tailMask(kernel.sub(count, whole))); });
  }
}

} // namespace bifocal
