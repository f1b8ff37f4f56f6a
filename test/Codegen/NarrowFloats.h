// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_NARROWFLOATS_H
#define BIFOCAL_TEST_CODEGEN_NARROWFLOATS_H

#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace bifocal::test {

/// The bits of the bf16 next to `value`; of two that are equally near, the even one. Found by comparing distances,
/// which is not how the kernels do it.
inline uint16_t nearestBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  if (std::isinf(value))
    return static_cast<uint16_t>(bits >> 16);
  const uint32_t low = bits >> 16, high = low + 1; // by magnitude
  // Beyond the largest finite bf16 the next step of the grid counts, which stands for infinity.
  auto magnitude = [](uint32_t half) {
    return (half & 0x7FFF) == 0x7F80 ? 0x1p128 : std::abs(double{std::bit_cast<float>(half << 16)});
  };
  const double below = std::abs(double{value}) - magnitude(low), above = magnitude(high) - std::abs(double{value});
  const bool up = above < below || (above == below && (low & 1) != 0);
  return static_cast<uint16_t>(up ? high : low);
}

/// The same for an element type by name, bf16 or f16.
inline uint16_t nearest(float value, std::string_view element) {
  return element == "bf16" ? nearestBf16(value) : std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

inline float widened(uint16_t bits, std::string_view element) {
  return element == "bf16" ? std::bit_cast<float>(uint32_t{bits} << 16)
                           : static_cast<float>(std::bit_cast<_Float16>(bits));
}

} // namespace bifocal::test
#endif
