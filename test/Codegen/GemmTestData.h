// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_GEMMTESTDATA_H
#define BIFOCAL_TEST_CODEGEN_GEMMTESTDATA_H

#include "runtime/core/ArtifactFormat.h"
#include "runtime/cpu/Gemm.h"
#include "test/Codegen/KernelHarness.h"
#include "test/Codegen/KernelTestData.h"
#include <bit>
#include <functional>
#include <gtest/gtest.h>
#include <numeric>
#include <vector>

namespace bifocal::test {

struct Shape {
  int64_t m, n, k;
};

/// What is stored transposed.
struct Layout {
  bool a, b;
};
inline constexpr Layout layouts[] = {{false, false}, {false, true}, {true, false}, {true, true}};

inline Guarded transposed(const Guarded &matrix, int64_t rows, int64_t columns) {
  Guarded result(rows * columns);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      result[column * rows + row] = matrix[row * columns + column];
  return result;
}

struct Problem {
  Shape shape;
  bool accumulate;
  /// As they are, and transposed.
  Guarded a[2], b[2];
  Guarded c;

  Problem(Shape shape, bool accumulate, Guarded left, Guarded right)
      : shape(shape),
        accumulate(accumulate), a{left, transposed(left, shape.m, shape.k)}, b{right,
                                                                               transposed(right, shape.k, shape.n)},
        c(random(shape.m * shape.n, 3)) {}
  Problem(Shape shape, bool accumulate, float size = 1)
      : Problem(shape, accumulate, random(shape.m * shape.k, 1, size), random(shape.k * shape.n, 2, size)) {}

  GemmArguments arguments(Layout layout, Guarded &result, Guarded *workspace) {
    auto floats = [](Guarded &values) { return static_cast<float *>(static_cast<void *>(values)); };
    GemmArguments all{shape.m,
                      shape.n,
                      shape.k,
                      floats(a[layout.a]),
                      floats(b[layout.b]),
                      floats(result),
                      workspace ? floats(*workspace) : nullptr,
                      accumulate};
    all.setAdjacent(layout.a, layout.b);
    return all;
  }

  /// The contract: every element is one chain of fused multiply-adds over these steps of the inner axis.
  Guarded chains(const std::vector<int64_t> &steps) const;
  /// In ascending order.
  Guarded chains() const {
    std::vector<int64_t> steps(static_cast<size_t>(shape.k));
    std::iota(steps.begin(), steps.end(), 0);
    return chains(steps);
  }
};

inline Guarded Problem::chains(const std::vector<int64_t> &steps) const {
  Guarded sums(shape.m * shape.n, 0.0f);
  for (int64_t row = 0; row < shape.m; ++row)
    for (int64_t column = 0; column < shape.n; ++column) {
      float sum = accumulate ? c[row * shape.n + column] : 0.0f;
      for (int64_t inner : steps)
        sum = std::fma(a[0][row * shape.k + inner], b[1][column * shape.k + inner], sum);
      sums[row * shape.n + column] = sum;
    }
  return sums;
}

/// The order in which products with factors of bf16 take the steps [0, k) that `isReal`: in pairs, the second one
/// first. Blocks of 512 steps have pairs of their own.
inline std::vector<int64_t> pairedSteps(int64_t k, const std::function<bool(int64_t step)> &isReal) {
  std::vector<int64_t> steps;
  for (int64_t block = 0; block < k; block += format::gemmInnerSteps) {
    const auto first = static_cast<int64_t>(steps.size());
    for (int64_t step = block; step < std::min(k, block + format::gemmInnerSteps); ++step)
      if (isReal(step))
        steps.push_back(step);
    for (auto at = static_cast<size_t>(first); at + 1 < steps.size(); at += 2)
      std::swap(steps[at], steps[at + 1]);
  }
  return steps;
}

/// Of k roundings each is at most half an ulp of a sum that the sum of all magnitudes bounds, f32 and f64 alike; the
/// one more is for the product of those errors.
inline void checkAgainstF64(const Problem &problem, const Guarded &result) {
  const auto [m, n, k] = problem.shape;
  for (int64_t i = 0; i < m * n; ++i) {
    double expected = problem.accumulate ? problem.c[i] : 0.0, magnitude = std::abs(expected);
    for (int64_t inner = 0; inner < k; ++inner) {
      const double term = static_cast<double>(problem.a[0][i / n * k + inner]) * problem.b[1][i % n * k + inner];
      expected += term, magnitude += std::abs(term);
    }
    ASSERT_NEAR(result[i], expected, static_cast<double>(k + 1) * magnitude * 0x1p-24) << "element " << i;
  }
}

/// The bits; one NaN is as good as another.
inline bool same(float x, float y) {
  return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y) || (std::isnan(x) && std::isnan(y));
}

/// Elements [first, first + result.size()) of `expected`.
inline void checkBits(const Guarded &result, const Guarded &expected, int64_t columns, int64_t first = 0) {
  for (int64_t i = 0; i < result.size(); ++i)
    ASSERT_TRUE(same(result[i], expected[first + i]))
        << "row " << i / columns << " column " << i % columns << ": expects " << expected[first + i] << ", but got "
        << result[i];
}

inline GemmKernels stagesOf(const KernelHarness &harness, Layout layout) {
  GemmKernels stages{};
  for (size_t stage = 0; stage < stages.size(); ++stage)
    stages[stage] = harness.find(std::string(format::gemmKernel(layout.a, layout.b)) + "." + std::to_string(stage));
  return stages;
}

} // namespace bifocal::test
#endif
