// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_PHILOX_H
#define BIFOCAL_RUNTIME_CORE_PHILOX_H

#include <array>
#include <cstdint>

namespace bifocal {

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): four 32-bit draws as a pure function
/// of a key and a counter. Every random number in Bifocal comes from it, so a draw never depends on the order of
/// execution. This is the reference that generated kernels match bit for bit.
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return counter;
}

/// The draw for one element of a tensor: `stream` is the dropout site (or parameter index), `step` the draw counter.
constexpr uint32_t philoxDraw(uint64_t seed, uint64_t element, uint32_t stream, uint32_t step) {
  const uint64_t block = element / 4;
  const std::array<uint32_t, 4> draws =
      philox4x32({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), stream, step},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return draws[element % 4];
}

/// An element is dropped iff its draw is below this: floor(rate * 2^32), for a rate in [0, 1).
constexpr uint32_t dropThreshold(double rate) { return static_cast<uint32_t>(rate * 4294967296.0); }

} // namespace bifocal
#endif
