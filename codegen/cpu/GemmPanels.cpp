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

void packNeighbours(KernelBuilder &kernel, const Neighbours &neighbours, Value count, const Panels &panels) {
  const auto &[source, factor, steps, stride, left] = neighbours;
  const int64_t lanes = kernel.width(), vectors = llvm::divideCeil(panels.width, lanes);
  auto write = [&](ValueRange masks) {
    kernel.loop(kernel.index(0), count, 1, [&](Value step) {
      Array from = kernel.from(source, kernel.mul(steps ? kernel.load(steps, step) : step, stride));
      for (int64_t p = 0; p < panels.count; ++p) {
        Array panel = p == 0 ? panels.first : kernel.from(panels.first, kernel.mul(panels.stride, p));
        Array to = kernel.from(panel, kernel.mul(step, panels.width));
        for (int64_t v = 0; v < vectors; ++v) {
          Value mask = masks.empty() ? Value() : masks[p * vectors + v];
          Value column = kernel.index(p * panels.width + v * lanes);
          kernel.storeVector(loadFactors(kernel, from, factor, column, mask), to, kernel.index(v * lanes));
        }
      }
    });
  };
  kernel.when(
      // The last vector may reach beyond the last panel.
      kernel.lessEqual(kernel.index((panels.count - 1) * panels.width + vectors * lanes), left), [&] { write({}); },
      [&] {
        Values masks;
        for (int64_t p = 0; p < panels.count; ++p)
          for (int64_t v = 0; v < vectors; ++v)
            masks.push_back(kernel.tailMask(kernel.sub(left, kernel.index(p * panels.width + v * lanes))));
        write(masks);
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
