// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels for hand-made artifacts, with the names and the ABI that generated ones have.
#include <cstdint>

#define BIFOCAL_TEST_KERNEL(function, symbol)                                                                          \
  extern "C" void function(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end) __asm__(symbol);    \
  extern "C" void function(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end)

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
