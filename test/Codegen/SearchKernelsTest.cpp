// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// top_k beside a sort of the whole row: equal elements, infinities and NaN among them.

#include "test/Codegen/KernelLevels.h"
#include "test/Codegen/KernelTestData.h"
#include <limits>
#include <numeric>
#include <random>

namespace bifocal::test {
namespace {

class SearchKernels : public testing::TestWithParam<std::string> {
protected:
  static constexpr float infinity = std::numeric_limits<float>::infinity();

  void check(int64_t width, int64_t k, const std::vector<float> &x) {
    SCOPED_TRACE(testing::Message() << k << " of " << width);
    const int64_t rows = static_cast<int64_t>(x.size()) / width;
    const std::string from = "tensor<?x" + std::to_string(width) + "xf32>", columns = std::to_string(k);
    const std::string values = "tensor<?x" + columns + "xf32>", indices = "tensor<?x" + columns + "xi32>";
    std::string error;
    auto kernel = KernelHarness::create(kernelSource("%x: " + from,
                                                     "%v, %i = bifocal.top_k %x {k = " + columns + " : i64} : (" +
                                                         from + ") -> (" + values + ", " + indices + ")",
                                                     "%v, %i : " + values + ", " + indices),
                                        GetParam(), error);
    ASSERT_TRUE(kernel) << error;
    std::vector<float> input(x), found(rows * k, 7);
    std::vector<int32_t> places(rows * k, -7);
    ASSERT_EQ(kernel->run({input.data(), found.data(), places.data()}, {rows, rows, rows}), "");
    for (int64_t row = 0; row < rows; ++row) {
      const auto [expected, order] = best(x.data() + row * width, width);
      for (int64_t rank = 0; rank < k; ++rank) {
        ASSERT_EQ(found[row * k + rank], expected[rank]) << "row " << row << " rank " << rank;
        ASSERT_EQ(places[row * k + rank], order[rank]) << "row " << row << " rank " << rank;
      }
    }
  }

  /// The row's elements, largest first, and their places.
  static std::pair<std::vector<float>, std::vector<int32_t>> best(const float *row, int64_t width) {
    auto at = [&](int32_t place) { return std::isnan(row[place]) ? -infinity : row[place]; };
    std::vector<int32_t> order(width);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return at(a) > at(b); });
    std::vector<float> values;
    for (int32_t &place : order) {
      values.push_back(at(place));
      if (values.back() == -infinity)
        place = 0;
    }
    return {values, order};
  }

  /// Numbers of which many are equal, and some are none.
  static std::vector<float> draw(int64_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<float> x(count);
    for (float &value : x) {
      const unsigned kind = generator() % 40;
      value = kind == 0   ? infinity
              : kind == 1 ? std::numeric_limits<float>::quiet_NaN()
              : kind < 10 ? -infinity
                          : static_cast<float>(generator() % 50) * 0.25f - 8;
    }
    return x;
  }
};

TEST_P(SearchKernels, TopKIsTheHeadOfTheSortedRow) {
  for (auto [width, k] : {std::pair{1, 1}, std::pair{3, 3}, std::pair{63, 8}, std::pair{64, 64}, std::pair{65, 9},
                          std::pair{200, 32}, std::pair{1000, 5}})
    check(width, k, draw(3 * width, static_cast<unsigned>(width)));
}

TEST_P(SearchKernels, TopKOfRowsWithManyBlocks) {
  const int64_t width = GetParam() == "warp" ? 3000 : 70001; // more blocks than the stack has room for
  std::vector<float> x(width);
  for (int64_t i = 0; i < width; ++i)
    x[i] = static_cast<float>((i * 7919) % width);
  check(width, 10, x);
}

TEST_P(SearchKernels, TopKOfEqualElements) {
  check(130, 20, std::vector<float>(2 * 130, 1.5f));
  check(130, 20, std::vector<float>(130, -infinity));
  check(130, 20, std::vector<float>(130, std::numeric_limits<float>::quiet_NaN()));
}

INSTANTIATE_TEST_SUITE_P(Levels, SearchKernels, testing::ValuesIn(testedLevels()), shortLevelName);

} // namespace
} // namespace bifocal::test
