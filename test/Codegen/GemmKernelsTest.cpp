// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix products: the generated kernels as the runtime calls them.

#include "bench/AllocationCounter.h"
#include "test/Codegen/GemmTestData.h"
#include "test/Codegen/KernelLevels.h"
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace bifocal::test {
namespace {

class GemmKernelsTest : public testing::TestWithParam<KernelLevel> {
protected:
  /// The four kernels are compiled once per level.
  static GemmKernels kernels(Layout layout) {
    static std::map<std::string, std::unique_ptr<KernelHarness>> harnesses;
    std::unique_ptr<KernelHarness> &harness = harnesses[GetParam().shapes];
    std::string error;
    if (!harness)
      harness = KernelHarness::products(GetParam().shapes, error, GetParam().instructions);
    EXPECT_TRUE(harness) << error;
    return harness ? stagesOf(*harness, layout) : GemmKernels{};
  }

  /// What stands in C afterwards. Checks that nothing else was written.
  static Guarded run(Problem &problem, Layout layout, int threads, bool packed, const GemmEpilogue &epilogue = {}) {
    Guarded result = problem.c, workspace(format::gemmWorkspace(problem.shape.n, problem.shape.k));
    gemm(threads, kernels(layout), problem.arguments(layout, result, packed ? &workspace : nullptr), epilogue);
    EXPECT_TRUE(result.intact()) << "writes outside of C";
    EXPECT_TRUE(workspace.intact()) << "writes outside of the workspace";
    return result;
  }

  /// The same with panels that a first call makes and a second one finds, although B is gone by then.
  static Guarded runKept(Problem &problem, Layout layout, int threads) {
    Guarded result = problem.c, workspace(format::gemmWorkspace(problem.shape.n, problem.shape.k));
    GemmArguments arguments = problem.arguments(layout, result, &workspace);
    arguments.panels = GemmArguments::Panels::keep;
    gemm(threads, kernels(layout), arguments);
    const Guarded first = result;
    result = problem.c;
    arguments.panels = GemmArguments::Panels::kept;
    arguments.b = nullptr;
    gemm(threads, kernels(layout), arguments);
    EXPECT_NO_FATAL_FAILURE(checkBits(result, first, problem.shape.n));
    EXPECT_TRUE(result.intact() && workspace.intact());
    return result;
  }

  /// Any layout and number of threads up to `most`, with a workspace and without.
  static void checkAllWays(Problem &problem, const Guarded &expected, int most = 3) {
    for (const Layout layout : layouts)
      for (const bool packed : {false, true})
        for (int threads = 1; threads <= most; ++threads) {
          SCOPED_TRACE(std::string(format::gemmKernel(layout.a, layout.b)) + (packed ? ", workspace, " : ", ") +
                       std::to_string(threads) + " threads");
          ASSERT_NO_FATAL_FAILURE(checkBits(run(problem, layout, threads, packed), expected, problem.shape.n));
          if (packed)
            ASSERT_NO_FATAL_FAILURE(checkBits(runKept(problem, layout, threads), expected, problem.shape.n));
        }
  }

  static void checkShape(Shape shape, int most = 3) {
    for (const bool accumulate : {false, true}) {
      SCOPED_TRACE(testing::Message() << shape.m << "x" << shape.n << "x" << shape.k << (accumulate ? " added" : ""));
      Problem problem(shape, accumulate);
      const Guarded expected = problem.chains();
      ASSERT_NO_FATAL_FAILURE(checkAgainstF64(problem, expected));
      ASSERT_NO_FATAL_FAILURE(checkAllWays(problem, expected, most));
    }
  }
};

// Panels are 16 or 32 columns wide, masks cut their vectors. That is a matter of one thread.
TEST_P(GemmKernelsTest, EveryNumberOfColumns) {
  for (int64_t n = 1; n <= 70; ++n)
    for (const auto &[m, k] : {std::pair<int64_t, int64_t>{1, 17}, {13, 16}, {65, 5}})
      ASSERT_NO_FATAL_FAILURE(checkShape({m, n, k}, 1));
}

// The innermost tiles have 6 or 12 rows, those of a thread 144 to 192; up to 64 rows are not worth packing B.
TEST_P(GemmKernelsTest, RowsAroundEveryEdge) {
  for (const int64_t m : {1, 2, 5, 6, 7, 11, 12, 13, 23, 24, 25, 63, 64, 65, 143, 144, 145, 191, 192, 193})
    for (const int64_t n : {1, 33, 64})
      ASSERT_NO_FATAL_FAILURE(checkShape({m, n, 18}));
}

// The inner axis is packed 512 steps at a time, transposed 8 or 16 at a time and multiplied 4 at a time.
TEST_P(GemmKernelsTest, InnerAxesAroundEveryEdge) {
  for (const int64_t k : {0, 1, 3, 4, 5, 15, 16, 17, 31, 33, 511, 512, 513, 1023, 1024, 1030})
    for (const int64_t m : {1, 7, 66})
      for (const int64_t n : {5, 33})
        ASSERT_NO_FATAL_FAILURE(checkShape({m, n, k}));
}

// Rows of a view are further apart: the same bits, and nothing is written between them.
TEST_P(GemmKernelsTest, RowsFurtherApart) {
  auto spread = [](Guarded matrix, int64_t rows, int64_t columns, int64_t stride) {
    Guarded wide(rows * stride, 7.0f);
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(&matrix[row * columns], columns, &wide[row * stride]);
    return wide;
  };
  for (const Shape shape : {Shape{1, 5, 17}, {13, 33, 20}, {67, 70, 5}, {150, 40, 530}})
    for (const Layout layout : layouts)
      for (const bool accumulate : {false, true})
        for (const bool packed : {false, true}) {
          const auto [m, n, k] = shape;
          SCOPED_TRACE(testing::Message()
                       << format::gemmKernel(layout.a, layout.b) << ' ' << m << 'x' << n << 'x' << k);
          Problem problem(shape, accumulate);
          const Guarded expected = run(problem, layout, 1, packed);
          GemmArguments arguments = problem.arguments(layout, problem.c, nullptr);
          arguments.strideA += 3, arguments.strideB += 8, arguments.strideC += 5;
          Guarded a = spread(problem.a[layout.a], layout.a ? k : m, layout.a ? m : k, arguments.strideA);
          Guarded b = spread(problem.b[layout.b], layout.b ? n : k, layout.b ? k : n, arguments.strideB);
          Guarded c = spread(problem.c, m, n, arguments.strideC), workspace(format::gemmWorkspace(n, k));
          auto floats = [](Guarded &values) { return static_cast<float *>(static_cast<void *>(values)); };
          arguments.a = floats(a), arguments.b = floats(b), arguments.c = floats(c);
          arguments.workspace = packed ? floats(workspace) : nullptr;
          gemm(2, kernels(layout), arguments);
          EXPECT_TRUE(c.intact() && workspace.intact());
          for (int64_t row = 0; row < m; ++row)
            for (int64_t column = 0; column < arguments.strideC; ++column)
              ASSERT_EQ(c[row * arguments.strideC + column], column < n ? expected[row * n + column] : 7.0f)
                  << row << ' ' << column;
        }
}

// Several tiles in both directions, in one, and more rows than tiles have together.
TEST_P(GemmKernelsTest, ManyTiles) {
  for (const Shape shape : {Shape{400, 300, 20}, {1200, 24, 16}, {40, 1500, 16}, {577, 600, 9}, {289, 130, 515}})
    ASSERT_NO_FATAL_FAILURE(checkShape(shape));
}

TEST_P(GemmKernelsTest, NothingHappensToNoRowsOrNoColumns) {
  for (const Shape shape : {Shape{0, 5, 3}, {5, 0, 3}, {0, 0, 0}}) {
    Problem problem(shape, false);
    EXPECT_EQ(run(problem, layouts[0], 2, true).size(), 0);
  }
}

// Products below the smallest normal number are not flushed.
TEST_P(GemmKernelsTest, SmallNumbersKeepTheirBits) {
  Problem problem({67, 35, 40}, false, 1e-20f);
  ASSERT_NO_FATAL_FAILURE(checkAllWays(problem, problem.chains()));
}

// What is packed in place of rows and columns that do not exist meets infinities too, and must not show.
TEST_P(GemmKernelsTest, InfinitiesStayInTheirRowAndColumn) {
  for (const Shape shape : {Shape{1, 1, 3}, {13, 37, 21}, {71, 37, 21}}) {
    const auto [m, n, k] = shape;
    Guarded a = random(m * k, 1), b = random(k * n, 2);
    for (int64_t inner = 0; inner < k; ++inner) {
      a[(m - 1) * k + inner] = std::numeric_limits<float>::infinity();
      b[inner * n + n - 1] = inner % 2 ? -std::numeric_limits<float>::infinity() : 0.0f;
    }
    Problem problem(shape, false, a, b);
    ASSERT_NO_FATAL_FAILURE(checkAllWays(problem, problem.chains()));
  }
}

/// Which of `rows` are real: all, none, sentences with padding behind them, and no pattern at all.
std::vector<std::vector<unsigned char>> maskPatterns(int64_t rows) {
  std::vector<std::vector<unsigned char>> patterns(4, std::vector<unsigned char>(static_cast<size_t>(rows), 1));
  for (int64_t row = 0; row < rows; ++row) {
    const auto at = static_cast<size_t>(row);
    patterns[1][at] = 0;
    patterns[2][at] = row % 61 < 61 - 3 * (row / 61);
    patterns[3][at] = (row * 2654435761u >> 7) % 3 != 0;
  }
  return patterns;
}

// What stands in them must not matter, so it is NaN. Where A is transposed they are steps, of B too.
TEST_P(GemmKernelsTest, RowsThatTheMaskLeavesOutCountAsZeros) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Shape shape : {Shape{1, 1, 1}, {7, 33, 20}, {70, 40, 33}, {200, 37, 530}, {530, 70, 200}, {37, 5, 1100}})
    for (const Layout layout : layouts) {
      if (layout.a && layout.b)
        continue;
      const auto [m, n, k] = shape;
      const int64_t rows = layout.a ? k : m;
      for (const std::vector<unsigned char> &mask : maskPatterns(rows))
        for (const bool accumulate : {false, true}) {
          Guarded a[2] = {random(m * k, 1), random(m * k, 1)}, b[2] = {random(k * n, 2), random(k * n, 2)};
          for (int64_t row = 0; row < rows; ++row) {
            if (mask[static_cast<size_t>(row)])
              continue;
            for (int64_t i = 0; i < m * k; ++i)
              if ((layout.a ? i % k : i / k) == row)
                a[0][i] = nan, a[1][i] = 0;
            for (int64_t i = 0; layout.a && i < n; ++i)
              b[0][row * n + i] = nan, b[1][row * n + i] = 0;
          }
          Problem problem(shape, accumulate, a[0], b[0]), zeros(shape, accumulate, a[1], b[1]);
          const Guarded expected = zeros.chains();
          for (const bool packed : {false, true})
            for (const int threads : {1, 3}) {
              SCOPED_TRACE(testing::Message()
                           << format::gemmKernel(layout.a, layout.b) << " " << m << "x" << n << "x" << k
                           << (accumulate ? " added, " : ", ") << (packed ? "workspace, " : "") << threads);
              Guarded result = problem.c, workspace(format::gemmWorkspace(n, k));
              GemmArguments arguments = problem.arguments(layout, result, packed ? &workspace : nullptr);
              arguments.mask = mask.data();
              gemm(threads, kernels(layout), arguments);
              EXPECT_TRUE(result.intact() && workspace.intact());
              ASSERT_NO_FATAL_FAILURE(checkBits(result, expected, n));
            }
        }
    }
}

// Not even in the last bit, from one row on: what a batch is put together from must not matter.
TEST_P(GemmKernelsTest, RowsDoNotDependOnOtherRows) {
  const int64_t most = 1100, n = 300, k = 530;
  for (const bool transB : {false, true}) {
    Problem whole({most, n, k}, false);
    const Guarded expected = run(whole, {false, transB}, 2, true);
    for (const int64_t m : {1, 2, 5, 12, 13, 16, 63, 64, 65, 144, 145, 257, 525, 1099}) {
      const int64_t first = (most - m) / 2;
      SCOPED_TRACE(testing::Message() << m << " rows, transB " << transB);
      Guarded rows(m * k);
      for (int64_t i = 0; i < rows.size(); ++i)
        rows[i] = whole.a[0][first * k + i];
      Problem part({m, n, k}, false, rows, whole.b[0]);
      ASSERT_NO_FATAL_FAILURE(checkBits(run(part, {false, transB}, 2, true), expected, n, first * n));
      ASSERT_NO_FATAL_FAILURE(checkBits(run(part, {false, transB}, 2, false), expected, n, first * n));
    }
  }
}

/// Negates rows and counts them.
struct Negation {
  float *c;
  Shape shape;
  int64_t granularity;
  std::vector<int> seen = std::vector<int>(static_cast<size_t>(shape.m));

  GemmEpilogue epilogue() {
    return {granularity, [](void *self, int64_t begin, int64_t end) { static_cast<Negation *>(self)->run(begin, end); },
            this};
  }
  void run(int64_t begin, int64_t end) {
    EXPECT_EQ(begin % granularity, 0);
    EXPECT_TRUE(end % granularity == 0 || end == shape.m);
    for (int64_t i = begin * shape.n; i < end * shape.n; ++i)
      c[i] = -c[i];
    for (int64_t row = begin; row < end; ++row)
      ++seen[static_cast<size_t>(row)];
  }
};

TEST_P(GemmKernelsTest, TheEpilogueSeesEveryRowOnceAfterItIsComplete) {
  for (const int64_t m : {1, 7, 64, 65, 250, 300, 1031, 1300})
    for (const int64_t n : {8, 100, 600})
      for (const int64_t granularity : {1, 3, 64, 96, 100, 200, 5000})
        for (const bool packed : {false, true}) {
          SCOPED_TRACE(testing::Message() << m << "x" << n << " by " << granularity << (packed ? ", workspace" : ""));
          Problem problem({m, n, 20}, false);
          Guarded expected = run(problem, {false, true}, 1, packed), result = problem.c;
          for (int64_t i = 0; i < expected.size(); ++i)
            expected[i] = -expected[i];
          Guarded workspace(format::gemmWorkspace(n, 20));
          const GemmArguments arguments = problem.arguments({false, true}, result, packed ? &workspace : nullptr);
          Negation negation{static_cast<float *>(arguments.c), problem.shape, granularity};
          gemm(2, kernels({false, true}), arguments, negation.epilogue());
          EXPECT_EQ(negation.seen, std::vector<int>(static_cast<size_t>(m), 1));
          ASSERT_NO_FATAL_FAILURE(checkBits(result, expected, n));
        }
}

TEST_P(GemmKernelsTest, AllocatesNothing) {
  if (!allocationsAreCounted())
    GTEST_SKIP() << "a sanitizer owns malloc";
  Problem problem({600, 300, 64}, false);
  Guarded result = problem.c, workspace(format::gemmWorkspace(300, 64));
  for (const Layout layout : layouts)
    for (Guarded *packed : {static_cast<Guarded *>(nullptr), &workspace}) {
      const GemmKernels stages = kernels(layout);
      const GemmArguments arguments = problem.arguments(layout, result, packed);
      gemm(2, stages, arguments);
      const int64_t before = allocationCount();
      gemm(2, stages, arguments);
      EXPECT_EQ(allocationCount(), before);
    }
}

/// A copy that ends where the process has no memory: a read behind it ends the program.
class Fenced {
public:
  explicit Fenced(const Guarded &values) : bytes(static_cast<size_t>(values.size()) * sizeof(float)) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t room = (bytes + page - 1) / page * page;
    mapped = room + page;
    memory = static_cast<char *>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(mprotect(memory + room, page, PROT_NONE), 0);
    first = reinterpret_cast<float *>(memory + room - bytes);
    for (int64_t i = 0; i < values.size(); ++i)
      first[i] = values[i];
  }
  Fenced(const Fenced &) = delete;
  Fenced &operator=(const Fenced &) = delete;
  ~Fenced() { munmap(memory, mapped); }

  float *data() { return first; }

private:
  size_t bytes, mapped = 0;
  char *memory = nullptr;
  float *first = nullptr;
};

TEST_P(GemmKernelsTest, TouchesNothingBehindItsMatrices) {
  for (const Shape shape : {Shape{1, 1, 1}, {13, 37, 21}, {71, 37, 21}, {200, 3, 517}})
    for (const Layout layout : layouts)
      for (const bool packed : {false, true}) {
        Problem problem(shape, true);
        Fenced a(problem.a[layout.a]), b(problem.b[layout.b]), c(problem.c);
        Fenced workspace(Guarded(format::gemmWorkspace(shape.n, shape.k)));
        GemmArguments arguments = problem.arguments(layout, problem.c, nullptr);
        arguments.a = a.data(), arguments.b = b.data(), arguments.c = c.data();
        arguments.workspace = packed ? workspace.data() : nullptr;
        gemm(2, kernels(layout), arguments);
        const Guarded expected = problem.chains();
        for (int64_t i = 0; i < expected.size(); ++i)
          ASSERT_TRUE(same(c.data()[i], expected[i])) << shape.m << "x" << shape.n << "x" << shape.k << " at " << i;
      }
}

INSTANTIATE_TEST_SUITE_P(Levels, GemmKernelsTest, testing::ValuesIn(kernelLevels()), levelName);

} // namespace
} // namespace bifocal::test
