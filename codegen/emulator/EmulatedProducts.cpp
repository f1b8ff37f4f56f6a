// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/EmulatedProducts.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/bit.h"

#include <cstring>
#include <vector>

namespace bifocal::emulator {

static float widened(const std::byte *memory, ElementType type) {
  if (type == ElementType::f32) {
    float value;
    std::memcpy(&value, memory, sizeof value);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, memory, sizeof bits);
  if (type == ElementType::bf16)
    return llvm::bit_cast<float>(uint32_t{bits} << 16);
  bool lossy;
  llvm::APFloat value(llvm::APFloat::IEEEhalf(), llvm::APInt(16, bits));
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &lossy);
  return value.convertToFloat();
}

static void narrow(float value, std::byte *memory, ElementType type) {
  if (type == ElementType::f32) {
    std::memcpy(memory, &value, sizeof value);
    return;
  }
  bool lossy;
  llvm::APFloat rounded(value);
  rounded.convert(type == ElementType::bf16 ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf(),
                  llvm::APFloat::rmNearestTiesToEven, &lossy);
  const auto bits = static_cast<uint16_t>(rounded.bitcastToAPInt().getZExtValue());
  std::memcpy(memory, &bits, sizeof bits);
}

/// A matrix as [rows, columns] in f32, whatever it is stored as; stored rows are `stride` elements apart.
static std::vector<float> unpacked(const std::byte *memory, int64_t rows, int64_t columns, bool transposed,
                                   int64_t stride, ElementType type) {
  std::vector<float> matrix(static_cast<size_t>(rows * columns));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t place = transposed ? column * stride + row : row * stride + column;
      matrix[static_cast<size_t>(row * columns + column)] =
          widened(memory + place * static_cast<int64_t>(byteSize(type)), type);
    }
  return matrix;
}

/// sums[j] += factor * row[j], each rounded once.
[[gnu::target("avx2,fma"), gnu::optimize("O3")]] static void addScaled(float factor, const float *__restrict row,
                                                                       float *__restrict sums, int64_t count) {
  for (int64_t j = 0; j < count; ++j)
    sums[j] = __builtin_fmaf(factor, row[j], sums[j]);
}

void multiply(const cuda::Product &product) {
  const auto &[m, n, k] = std::tie(product.m, product.n, product.k);
  const std::vector<float> a = unpacked(product.a, m, k, product.transA, product.strideA, product.factor);
  const std::vector<float> b = unpacked(product.b, k, n, product.transB, product.strideB, product.factor);
  const auto elementBytes = static_cast<int64_t>(byteSize(product.result));
  std::vector<float> sums(static_cast<size_t>(n));
  for (int64_t i = 0; i < m; ++i) {
    std::byte *row = product.c + i * product.strideC * elementBytes;
    for (int64_t j = 0; j < n; ++j)
      sums[static_cast<size_t>(j)] = product.accumulate ? widened(row + j * elementBytes, product.result) : 0.0f;
    for (int64_t p = 0; p < k; ++p)
      addScaled(a[static_cast<size_t>(i * k + p)], b.data() + p * n, sums.data(), n);
    for (int64_t j = 0; j < n; ++j)
      narrow(sums[static_cast<size_t>(j)], row + j * elementBytes, product.result);
  }
}

} // namespace bifocal::emulator
