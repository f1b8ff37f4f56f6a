// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products with factors of 8 bits: groups of 512 steps, each with a scale of its own.

#include "test/Codegen/GemmTestData.h"
#include "test/Codegen/KernelLevels.h"

namespace bifocal::test {
namespace {

/// A matrix of rows of `k` as integers and scales, group by group.
struct Quantized {
  int64_t k;
  std::vector<float> scales; // [rows, groups]
  std::vector<int> values;   // [rows, k]

  Quantized(const Guarded &matrix, int64_t rows, int64_t k) : k(k) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t first = 0; first < k; first += format::gemmInnerSteps)
        addGroup(matrix, row, first, std::min(k, first + format::gemmInnerSteps));
  }
  int64_t groups() const { return (k + format::gemmInnerSteps - 1) / format::gemmInnerSteps; }

private:
  void addGroup(const Guarded &matrix, int64_t row, int64_t first, int64_t end) {
    float most = 0;
    for (int64_t i = first; i < end; ++i)
      most = std::max(most, std::abs(matrix[row * k + i]));
    scales.push_back(most * (1.0f / 127.0f));
    if (scales.back() < 1e-30f)
      scales.back() = 0;
    const float inverse = scales.back() == 0 ? 0 : 1 / scales.back();
    for (int64_t i = first; i < end; ++i)
      values.push_back(static_cast<int>(std::nearbyint(std::clamp(matrix[row * k + i] * inverse, -127.0f, 127.0f))));
  }
};

/// The steps of a group of `count` steps in the order of their pairs.
std::vector<int64_t> pairOrder(int64_t count) {
  std::vector<int64_t> steps;
  for (int64_t first = 0; first < count; first += 16)
    for (int64_t i = 0; i < 8; ++i)
      for (int64_t step : {first + i, first + i + 8})
        if (step < count)
          steps.push_back(step);
  return steps;
}

/// What the contract says, bit by bit.
Guarded expectedProduct(const Problem &problem, bool weightsOnly) {
  const auto [m, n, k] = problem.shape;
  const Quantized a(problem.a[0], m, k), b(problem.b[1], n, k);
  Guarded result(m * n, 0.0f);
  for (int64_t row = 0; row < m; ++row)
    for (int64_t column = 0; column < n; ++column) {
      float &sum = result[row * n + column];
      sum = problem.accumulate ? problem.c[row * n + column] : 0.0f;
      for (int64_t group = 0; group < a.groups(); ++group) {
        const int64_t first = group * format::gemmInnerSteps, count = std::min(format::gemmInnerSteps, k - first);
        const float scaleA = a.scales[static_cast<size_t>(row * a.groups() + group)],
                    scaleB = b.scales[static_cast<size_t>(column * b.groups() + group)];
        const int *left = &a.values[static_cast<size_t>(row * k + first)],
                  *right = &b.values[static_cast<size_t>(column * k + first)];
        int integers = 0;
        float floats = 0;
        for (int64_t step : pairOrder(count)) {
          integers += left[step] * right[step];
          floats = std::fma(problem.a[0][row * k + first + step], static_cast<float>(right[step]), floats);
        }
        sum =
            weightsOnly ? std::fma(floats, scaleB, sum) : std::fma(static_cast<float>(integers), scaleA * scaleB, sum);
      }
    }
  return result;
}

/// Half a step of each factor is what rounding to integers may lose.
void checkAgainstExact(const Problem &problem, const Guarded &result, bool weightsOnly) {
  const auto [m, n, k] = problem.shape;
  const Quantized a(problem.a[0], m, k), b(problem.b[1], n, k);
  for (int64_t i = 0; i < m * n; ++i) {
    double exact = problem.accumulate ? problem.c[i] : 0.0, bound = 1e-6 * static_cast<double>(k + 1);
    for (int64_t step = 0; step < k; ++step) {
      const int64_t group = step / format::gemmInnerSteps;
      const double left = problem.a[0][i / n * k + step], right = problem.b[1][i % n * k + step],
                   lostA = weightsOnly ? 0 : a.scales[static_cast<size_t>(i / n * a.groups() + group)] / 2,
                   lostB = b.scales[static_cast<size_t>(i % n * b.groups() + group)] / 2;
      exact += left * right;
      bound += std::abs(left) * lostB + std::abs(right) * lostA + lostA * lostB;
    }
    ASSERT_NEAR(result[i], exact, bound) << "element " << i;
  }
}

class QuantizedProducts : public testing::TestWithParam<KernelLevel> {
protected:
  void SetUp() override {
    std::string error;
    harness = KernelHarness::products(GetParam().shapes, error, GetParam().instructions);
    ASSERT_TRUE(harness) << error;
  }
  GemmKernels stages(bool weightsOnly) const {
    GemmKernels stages{};
    for (size_t stage = 0; stage < stages.size(); ++stage)
      stages[stage] =
          harness->find(std::string(format::quantizedKernels[weightsOnly ? 0 : 1]) + "." + std::to_string(stage));
    return stages;
  }
  Guarded run(bool weightsOnly, Problem problem, bool packed, int threads = 2, const unsigned char *mask = nullptr) {
    Guarded workspace(format::gemmWorkspace(problem.shape.n, problem.shape.k, /*quantized=*/true));
    GemmArguments arguments = problem.arguments({false, true}, problem.c, packed ? &workspace : nullptr);
    arguments.mask = mask;
    if (packed)
      arguments.panels = GemmArguments::Panels::keep;
    gemm(threads, stages(weightsOnly), arguments, {});
    EXPECT_TRUE(workspace.intact()) << "writes outside of the workspace";
    EXPECT_TRUE(problem.c.intact()) << "writes outside of C";
    if (packed) {
      // Once more from the panels that are there now.
      Problem again = problem;
      arguments.panels = GemmArguments::Panels::kept;
      arguments.accumulate = false;
      arguments.c = static_cast<void *>(again.c);
      gemm(threads, stages(weightsOnly), arguments, {});
      if (!problem.accumulate)
        EXPECT_NO_FATAL_FAILURE(checkBits(again.c, problem.c, problem.shape.n));
    }
    return problem.c;
  }

  std::unique_ptr<KernelHarness> harness;
};

TEST_P(QuantizedProducts, RoundGroupsToTheirScales) {
  for (const bool weightsOnly : {true, false})
    for (const Shape shape : {Shape{1, 1, 1}, {1, 33, 3}, {7, 16, 31}, {70, 17, 530}, {67, 130, 1040}, {5, 33, 0}})
      for (const bool accumulate : {false, true}) {
        Problem problem(shape, accumulate);
        // Rows of other sizes have other scales.
        for (int64_t i = 0; i < problem.a[0].size(); ++i)
          problem.a[0][i] *= static_cast<float>(1 + i / shape.k % 5);
        const Guarded expected = expectedProduct(problem, weightsOnly);
        ASSERT_NO_FATAL_FAILURE(checkAgainstExact(problem, expected, weightsOnly));
        for (const bool packed : {false, true}) {
          SCOPED_TRACE(testing::Message() << shape.m << "x" << shape.n << "x" << shape.k << " weights " << weightsOnly
                                          << " packed " << packed << " accumulate " << accumulate);
          ASSERT_NO_FATAL_FAILURE(checkBits(run(weightsOnly, problem, packed), expected, shape.n));
        }
      }
}

TEST_P(QuantizedProducts, LeaveOutPadding) {
  const Shape shape{70, 35, 90};
  Problem problem(shape, false);
  std::vector<unsigned char> mask(static_cast<size_t>(shape.m));
  for (int64_t row = 0; row < shape.m; ++row)
    mask[static_cast<size_t>(row)] = row % 5 != 0 && row < 60;
  for (const bool weightsOnly : {true, false}) {
    Guarded expected = expectedProduct(problem, weightsOnly);
    for (int64_t i = 0; i < expected.size(); ++i)
      if (!mask[static_cast<size_t>(i / shape.n)])
        expected[i] = 0;
    for (const bool packed : {false, true})
      ASSERT_NO_FATAL_FAILURE(checkBits(run(weightsOnly, problem, packed, 2, mask.data()), expected, shape.n));
  }
}

TEST_P(QuantizedProducts, RowsDoNotDependOnOtherRowsOrThreads) {
  const int64_t most = 300, n = 600, k = 530;
  const Problem whole({most, n, k}, false);
  for (const bool weightsOnly : {true, false}) {
    const Guarded expected = run(weightsOnly, whole, true, 1);
    for (const int64_t m : {1, 13, 65, 299}) {
      Guarded rows(m * k);
      for (int64_t i = 0; i < rows.size(); ++i)
        rows[i] = whole.a[0][(most - m) / 2 * k + i];
      for (const bool packed : {false, true})
        ASSERT_NO_FATAL_FAILURE(checkBits(run(weightsOnly, Problem({m, n, k}, false, rows, whole.b[0]), packed, 3),
                                          expected, n, (most - m) / 2 * n));
    }
  }
}

// Nothing that cannot be divided by, and nothing that has no integer.
TEST_P(QuantizedProducts, BoundsWhatIsNoNumber) {
  const Shape shape{5, 16, 40};
  Problem problem(shape, false);
  for (int64_t i = 0; i < shape.k; ++i) {
    problem.a[0][i] = 0;
    problem.a[0][shape.k + i] = 1e-38f;
  }
  const Guarded expected = expectedProduct(problem, false);
  problem.a[0][2 * shape.k + 3] = std::numeric_limits<float>::infinity();
  // Neither the last step nor the last of its lane.
  problem.a[0][4 * shape.k + 7] = std::numeric_limits<float>::quiet_NaN();
  const Guarded result = run(false, problem, true);
  for (int64_t column = 0; column < shape.n; ++column) {
    EXPECT_EQ(result[column], 0.0f);
    EXPECT_EQ(result[shape.n + column], 0.0f);
    EXPECT_FALSE(std::isfinite(result[2 * shape.n + column]));
    EXPECT_TRUE(std::isnan(result[4 * shape.n + column]));
    EXPECT_EQ(result[3 * shape.n + column], expected[3 * shape.n + column]);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, QuantizedProducts, testing::ValuesIn(kernelLevels(/*withDotProducts=*/true)),
                         levelName);

} // namespace
} // namespace bifocal::test
