// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/Gemm.h"

#include "bench/AllocationCounter.h"
#include "runtime/core/Philox.h"
#include "runtime/cpu/ParallelFor.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <omp.h>

using namespace bifocal;

namespace {

std::vector<float> random(int64_t count, uint32_t stream) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(static_cast<int32_t>(philoxDraw(1, i, stream, 0))) * 0x1p-31f;
  return values;
}

struct Problem {
  int64_t m, n, k;
  bool transA, transB, accumulate;
  std::vector<float> a = random(m * k, 1), b = random(k * n, 2), c = random(m * n, 3);

  float at(int64_t row, int64_t inner) const {
    return a[static_cast<size_t>(transA ? inner * m + row : row * k + inner)];
  }
  float bt(int64_t inner, int64_t column) const {
    return b[static_cast<size_t>(transB ? column * k + inner : inner * n + column)];
  }
  std::vector<float> run(int threads, const GemmEpilogue &epilogue = {}) const {
    std::vector<float> result = c;
    const Status status =
        gemm(threads, {m, n, k, a.data(), b.data(), result.data(), transA, transB, accumulate}, epilogue);
    EXPECT_TRUE(status.ok()) << status.message();
    return result;
  }
};

/// Checks a sample of elements against f64.
void check(const Problem &p, const std::vector<float> &result) {
  const int64_t stride = std::max<int64_t>(1, p.m * p.n / 997);
  for (int64_t i = 0; i < p.m * p.n; i += stride) {
    const int64_t row = i / p.n, column = i % p.n;
    double expected = p.accumulate ? p.c[static_cast<size_t>(i)] : 0.0, magnitude = std::abs(expected);
    for (int64_t inner = 0; inner < p.k; ++inner) {
      const double term = static_cast<double>(p.at(row, inner)) * p.bt(inner, column);
      expected += term, magnitude += std::abs(term);
    }
    // Any order of summation over k + 1 terms: at most k + 1 roundings of at most the sum of magnitudes.
    ASSERT_NEAR(result[static_cast<size_t>(i)], expected, static_cast<double>(p.k + 1) * magnitude * 0x1p-24)
        << p.m << "x" << p.n << "x" << p.k << " at " << row << ", " << column;
  }
}

TEST(ParallelFor, coversEveryTileOnceAndLeavesNoThreadsToLibraries) {
  omp_set_num_threads(2);
  for (const int threads : {1, 2, 5})
    for (const int64_t tiles : {0, 1, 2, 4, 37}) {
      std::vector<int> seen(static_cast<size_t>(tiles)), inside(static_cast<size_t>(tiles));
      parallelFor(threads, tiles, [&](int thread, int64_t begin, int64_t end) {
        EXPECT_LT(thread, threads);
        for (int64_t tile = begin; tile < end; ++tile)
          ++seen[static_cast<size_t>(tile)], inside[static_cast<size_t>(tile)] = omp_get_max_threads();
      });
      EXPECT_EQ(seen, std::vector<int>(seen.size(), 1)) << threads << " threads, " << tiles << " tiles";
      EXPECT_EQ(inside, std::vector<int>(inside.size(), 1)) << threads << " threads, " << tiles << " tiles";
      EXPECT_EQ(omp_get_max_threads(), 2) << "the caller's setting";
    }
}

TEST(Gemm, equalsTheProductInF64) {
  const int64_t shapes[][3] = {{1, 1, 1},      {1, 5, 3},      {5, 1, 7},      {3, 513, 65},  {15, 64, 33},
                               {16, 64, 33},   {17, 129, 1},   {255, 100, 31}, {257, 40, 80}, {271, 33, 96},
                               {1030, 24, 48}, {40, 1500, 16}, {1100, 1100, 9}};
  for (const auto &[m, n, k] : shapes)
    for (const bool transA : {false, true})
      for (const bool transB : {false, true})
        for (const bool accumulate : {false, true}) {
          const Problem problem{m, n, k, transA, transB, accumulate};
          const std::vector<float> one = problem.run(1), two = problem.run(2), three = problem.run(3);
          check(problem, one);
          ASSERT_EQ(std::memcmp(one.data(), two.data(), one.size() * 4), 0) << "two threads give other bits than one";
          ASSERT_EQ(std::memcmp(one.data(), three.data(), one.size() * 4), 0)
              << "three threads give other bits than one";
        }
}

TEST(Gemm, anEmptySumIsZeroOrWhatWasThere) {
  EXPECT_EQ((Problem{3, 4, 0, false, false, false}.run(2)), std::vector<float>(12, 0.0f));
  const Problem keep{3, 4, 0, false, false, true};
  EXPECT_EQ(keep.run(2), keep.c);
}

TEST(Gemm, rowsDoNotDependOnTheNumberOfRowsFromSixteenOn) {
  const int64_t n = 512, k = 1024, most = 1200;
  for (const bool transB : {false, true}) {
    const Problem whole{most, n, k, false, transB, false};
    const std::vector<float> expected = whole.run(2);
    for (const int64_t m : {16, 17, 100, 160, 255, 256, 257, 300, 512, 525, 777, 1024, 1025, 1199}) {
      std::vector<float> part(static_cast<size_t>(m * n));
      ASSERT_TRUE(gemm(2, {m, n, k, whole.a.data(), whole.b.data(), part.data(), false, transB, false}).ok());
      ASSERT_EQ(std::memcmp(part.data(), expected.data(), part.size() * 4), 0) << m << " rows, transB " << transB;
    }
    // Chunks of 256 rows leave a tail of four.
    std::vector<float> part(static_cast<size_t>(260 * n));
    const GemmEpilogue nothing{256, [](void *, int64_t, int64_t) {}, nullptr};
    ASSERT_TRUE(gemm(2, {260, n, k, whole.a.data(), whole.b.data(), part.data(), false, transB, false}, nothing).ok());
    ASSERT_EQ(std::memcmp(part.data(), expected.data(), part.size() * 4), 0) << "a short tail, transB " << transB;
  }
}

TEST(Gemm, epilogueSeesEveryRowOnceAfterItIsComplete) {
  for (const int64_t m : {1, 7, 16, 250, 300, 1031})
    for (const int64_t n : {8, 600})
      for (const int64_t granularity : {1, 3, 64}) {
        const Problem problem{m, n, 32, false, true, false};
        const std::vector<float> plain = problem.run(1);
        std::vector<float> result(plain.size(), NAN);
        struct Context {
          float *c;
          int64_t n, m, granularity;
          std::vector<int> seen;
        } context{result.data(), n, m, granularity, std::vector<int>(static_cast<size_t>(m))};
        const auto negate = [](void *opaque, int64_t begin, int64_t end) {
          auto &[c, columns, rows, unit, seen] = *static_cast<Context *>(opaque);
          EXPECT_EQ(begin % unit, 0);
          EXPECT_TRUE(end % unit == 0 || end == rows);
          for (int64_t row = begin; row < end; ++row) {
            ++seen[static_cast<size_t>(row)];
            for (int64_t column = 0; column < columns; ++column)
              c[row * columns + column] = -c[row * columns + column];
          }
        };
        ASSERT_TRUE(gemm(2, {m, n, 32, problem.a.data(), problem.b.data(), result.data(), false, true, false},
                         {granularity, negate, &context})
                        .ok());
        EXPECT_EQ(context.seen, std::vector<int>(static_cast<size_t>(m), 1)) << m << " rows by " << granularity;
        for (size_t i = 0; i < plain.size(); ++i)
          ASSERT_EQ(result[i], -plain[i]) << m << "x" << n << " by " << granularity << " at " << i;
      }
}

TEST(Gemm, allocatesNothingItself) {
  if (!allocationsAreCounted())
    GTEST_SKIP() << "a sanitizer owns malloc";
  const Problem problem{600, 300, 64, false, true, false};
  std::vector<float> result(problem.c.size());
  const GemmArguments arguments{600, 300, 64, problem.a.data(), problem.b.data(), result.data(), false, true, false};
  ASSERT_TRUE(gemm(2, arguments).ok());
  const int64_t before = allocationCount().ours;
  ASSERT_TRUE(gemm(2, arguments).ok());
  EXPECT_EQ(allocationCount().ours, before);
}

} // namespace
