// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels for hand-made artifacts, with the names and the ABI that generated ones have.
#include "runtime/core/ArtifactFormat.h"

#include <algorithm>
#include <bit>

#define BIFOCAL_TEST_KERNEL(function, symbol)                                                                          \
  extern "C" void function(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) __asm__(symbol);    \
  extern "C" void function(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end)

/// Tiles of a product of A [m, k] and B [n, k]; `buffers` and `sizes` are those of runtime/cpu/Gemm.h. `b` gives an
/// element of B.
template <typename B>
static void multiply(void *const *buffers, const int64_t *sizes, const B &b, int64_t begin, int64_t end) {
  const int64_t m = sizes[0], n = sizes[1], k = sizes[2], rows = sizes[4], columns = sizes[5];
  const int64_t strideA = sizes[7], strideC = sizes[9];
  const auto *a = static_cast<const float *>(buffers[0]);
  auto *c = static_cast<float *>(buffers[2]);
  const int64_t columnTiles = (n + columns - 1) / columns;
  for (int64_t tile = begin; tile < end; ++tile) {
    const int64_t firstRow = tile / columnTiles * rows, firstColumn = tile % columnTiles * columns;
    for (int64_t row = firstRow; row < std::min(m, firstRow + rows); ++row)
      for (int64_t column = firstColumn; column < std::min(n, firstColumn + columns); ++column) {
        float sum = sizes[3] ? c[row * strideC + column] : 0.0f;
        for (int64_t inner = 0; inner < k; ++inner)
          sum += a[row * strideA + inner] * b(column * k + inner);
        c[row * strideC + column] = sum;
      }
  }
}

static auto elementsOf(const void *floats) {
  return [values = static_cast<const float *>(floats)](int64_t i) { return values[i]; };
}

/// Its workspace holds B as it is.
BIFOCAL_TEST_KERNEL(pack, "gemm_nt.0") {
  const int64_t unit = bifocal::format::gemmColumnUnit, k = sizes[2];
  const auto *b = static_cast<const float *>(buffers[1]);
  std::copy(b + begin * unit * k, b + std::min(sizes[1], end * unit) * k,
            static_cast<float *>(buffers[3]) + begin * unit * k);
}

BIFOCAL_TEST_KERNEL(multiplyPacked, "gemm_nt.1") { multiply(buffers, sizes, elementsOf(buffers[3]), begin, end); }

BIFOCAL_TEST_KERNEL(multiplyFewRows, "gemm_nt.2") { multiply(buffers, sizes, elementsOf(buffers[1]), begin, end); }

/// The same with a B of bf16, and no use for panels.
BIFOCAL_TEST_KERNEL(packNothing, "gemm_nt_f32_bf16_f32.0") {}

BIFOCAL_TEST_KERNEL(multiplyNarrow, "gemm_nt_f32_bf16_f32.1") {
  const auto *b = static_cast<const uint16_t *>(buffers[1]);
  multiply(
      buffers, sizes, [b](int64_t i) { return std::bit_cast<float>(uint32_t{b[i]} << 16); }, begin, end);
}

BIFOCAL_TEST_KERNEL(multiplyNarrowFewRows, "gemm_nt_f32_bf16_f32.2") { multiplyNarrow(buffers, sizes, begin, end); }

/// A product that lacks its other stages.
BIFOCAL_TEST_KERNEL(packAlone, "gemm_tn.0") { pack(buffers, sizes, begin, end); }

/// buffers: c [m, n], bias [n]; sizes: m, n; three rows per tile.
BIFOCAL_TEST_KERNEL(biasRelu, "bias_relu.0") {
  auto *c = static_cast<float *>(buffers[0]);
  const auto *bias = static_cast<const float *>(buffers[1]);
  for (int64_t row = begin * 3; row < end * 3 && row < sizes[0]; ++row)
    for (int64_t column = 0; column < sizes[1]; ++column) {
      const float value = c[row * sizes[1] + column] + bias[column];
      c[row * sizes[1] + column] = value > 0 ? value : 0;
    }
}

/// buffers: from, to; four elements per tile.
BIFOCAL_TEST_KERNEL(twice, "double.0") {
  for (int64_t i = begin * 4; i < end * 4; ++i)
    static_cast<float *>(buffers[1])[i] = 2 * static_cast<const float *>(buffers[0])[i];
}

/// buffers: values, partial sums [4], total; sizes: element count.
BIFOCAL_TEST_KERNEL(partialSums, "sum.0") {
  for (int64_t tile = begin; tile < end; ++tile) {
    float sum = 0;
    for (int64_t i = tile; i < sizes[0]; i += 4)
      sum += static_cast<const float *>(buffers[0])[i];
    static_cast<float *>(buffers[1])[tile] = sum;
  }
}

BIFOCAL_TEST_KERNEL(totalSum, "sum.1") {
  const auto *partial = static_cast<const float *>(buffers[1]);
  if (begin < end)
    *static_cast<float *>(buffers[2]) = (partial[0] + partial[1]) + (partial[2] + partial[3]);
}

/// buffers: parameters, gradients; 16 elements per tile.
BIFOCAL_TEST_KERNEL(descend, "descend.0") {
  for (int64_t i = begin * 16; i < end * 16 && i < sizes[0]; ++i)
    static_cast<float *>(buffers[0])[i] -= static_cast<const float *>(buffers[1])[i];
}
