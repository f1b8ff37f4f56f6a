// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_KERNELTESTDATA_H
#define BIFOCAL_TEST_CODEGEN_KERNELTESTDATA_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace bifocal::test {

/// Floats with a guard on both sides, which starts as NaN: a read outside shows in the results, a write in `intact`.
class Guarded {
public:
  explicit Guarded(int64_t count, float value = std::numeric_limits<float>::quiet_NaN())
      : count(count), memory(count + 2 * guard, std::numeric_limits<float>::quiet_NaN()) {
    std::fill_n(memory.begin() + guard, count, value);
  }
  float &operator[](int64_t index) { return memory[guard + index]; }
  float operator[](int64_t index) const { return memory[guard + index]; }
  operator void *() { return memory.data() + guard; }
  int64_t size() const { return count; }
  bool intact() const {
    auto isNan = [](float value) { return std::isnan(value); };
    return std::all_of(memory.begin(), memory.begin() + guard, isNan) &&
           std::all_of(memory.end() - guard, memory.end(), isNan);
  }

private:
  static constexpr int64_t guard = 64;
  int64_t count;
  std::vector<float> memory;
};

/// Uniform values in [-bound, bound).
inline Guarded random(int64_t count, unsigned seed, float bound = 1.0f) {
  Guarded values(count);
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-bound, bound);
  for (int64_t index = 0; index < count; ++index)
    values[index] = uniform(generator);
  return values;
}

/// What f32 may lose in a sum of `terms` products of size 1: half an ulp for each of log2(terms) + 6 roundings in a row
/// when the sum is taken in at least 16 lanes, twice that for safety.
inline double sumBound(int64_t terms) {
  return (std::log2(static_cast<double>(terms)) + terms / 16.0 + 6) * std::numeric_limits<float>::epsilon();
}

} // namespace bifocal::test
#endif
