// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/ParallelFor.h"

#include <gtest/gtest.h>
#include <vector>

using namespace bifocal;

namespace {

TEST(ParallelFor, coversEveryTileOnce) {
  for (const int threads : {1, 2, 5})
    for (const int64_t tiles : {0, 1, 2, 4, 37}) {
      std::vector<int> seen(static_cast<size_t>(tiles));
      parallelFor(threads, tiles, [&](int thread, int64_t begin, int64_t end) {
        EXPECT_LT(thread, threads);
        for (int64_t tile = begin; tile < end; ++tile)
          ++seen[static_cast<size_t>(tile)];
      });
      EXPECT_EQ(seen, std::vector<int>(seen.size(), 1)) << threads << " threads, " << tiles << " tiles";
    }
}

} // namespace
