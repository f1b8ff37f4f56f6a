// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a product is cut for threads; what it computes is tested with its generated kernels (test/Codegen).

#include "runtime/cpu/Gemm.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <iterator>
#include <mutex>
#include <vector>

using namespace bifocal;

namespace {

std::mutex lock;
std::vector<int64_t> tiles;

void nothing(void *const *, const int64_t *, int64_t, int64_t) {}

/// A kernel that keeps how many elements of C each of its tiles has.
void keep(void *const *, const int64_t *sizes, int64_t begin, int64_t end) {
  const int64_t m = sizes[0], n = sizes[1], rows = sizes[4], columns = sizes[5], across = (n + columns - 1) / columns;
  const std::lock_guard<std::mutex> guard(lock);
  for (int64_t tile = begin; tile < end; ++tile)
    tiles.push_back(std::min(rows, m - tile / across * rows) * std::min(columns, n - tile % across * columns));
}

/// The elements in each tile of a product [m, k] [k, n] whose B is packed first.
std::vector<int64_t> tilesOf(int64_t m, int64_t n, int64_t k, int threads) {
  float unused = 0;
  GemmArguments arguments{.m = m, .n = n, .k = k};
  arguments.a = arguments.b = arguments.c = arguments.workspace = &unused;
  tiles.clear();
  gemm(threads, {nothing, keep, keep}, arguments);
  return tiles;
}

// The gradients of weights have few rows and columns, and thousands of steps between them.
TEST(Gemm, every_thread_has_a_tile) {
  for (const int threads : {2, 3, 4, 8, 16})
    for (const auto &[m, n] : std::vector<std::pair<int64_t, int64_t>>{
             {128, 128}, {128, 256}, {256, 128}, {256, 256}, {512, 512}, {2048, 128}, {4000, 8}})
      // Below 24 rows and 128 columns a tile would pack more than it computes.
      if (m / 24 * ((n + 127) / 128) >= threads)
        EXPECT_GE(std::ssize(tilesOf(m, n, 4000, threads)), threads) << m << "x" << n << ", " << threads << " threads";
}

// A remnant behind whole columns is no share for a thread.
TEST(Gemm, two_threads_have_about_as_much_to_do) {
  for (const int64_t n : {128, 136, 160, 200, 256, 300})
    EXPECT_LE(std::ranges::max(tilesOf(128, n, 4000, 2)), 0.6 * 128 * static_cast<double>(n)) << n;
}

TEST(Gemm, one_thread_packs_no_rows_twice) { EXPECT_EQ(std::ssize(tilesOf(128, 4096, 64, 1)), 1); }

} // namespace
