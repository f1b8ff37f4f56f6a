// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/Gemm.h"

#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <atomic>
#include <dnnl.h>
#include <fmt/format.h>

namespace bifocal {
namespace {

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// How C is cut. Depends on nothing but the shape: results must not change with the number of threads.
struct Tiling {
  int64_t rows, columns; ///< of one tile

  Tiling(int64_t m, int64_t n, int64_t granularity) {
    // At least eight tiles of a large C keep a handful of threads even; 256 rows of 512 columns stay in the L2 cache.
    constexpr int64_t targetRows = 256;
    const int64_t parts = std::max<int64_t>(1, ceilDiv(m, targetRows));
    rows = ceilDiv(ceilDiv(m, parts), granularity) * granularity;
    columns = n;
    // A flat C has too few row chunks: cut columns as well (multiples of the widest register tile).
    if (const int64_t chunks = ceilDiv(m, rows); chunks < 4 && n >= 256)
      columns = std::max<int64_t>(128, ceilDiv(ceilDiv(n, ceilDiv(8, chunks)), 64) * 64);
  }
};

} // namespace

Status gemm(int threads, const GemmArguments &g, const GemmEpilogue &epilogue) {
  if (g.m == 0 || g.n == 0)
    return {};
  if (g.k == 0 && !g.accumulate)
    std::fill_n(g.c, g.m * g.n, 0.0f);
  const Tiling tiling(g.m, g.n, std::max<int64_t>(1, epilogue.granularity));
  const int64_t rowTiles = ceilDiv(g.m, tiling.rows), columnTiles = ceilDiv(g.n, tiling.columns);
  std::atomic<int> failure{dnnl_success};
  const auto tile = [&](int64_t index) {
    const int64_t row = index / columnTiles * tiling.rows, column = index % columnTiles * tiling.columns;
    const int64_t rows = std::min(tiling.rows, g.m - row), columns = std::min(tiling.columns, g.n - column);
    if (g.k == 0)
      return;
    const dnnl_status_t status =
        dnnl_sgemm(g.transA ? 'T' : 'N', g.transB ? 'T' : 'N', rows, columns, g.k, 1.0f,
                   g.transA ? g.a + row : g.a + row * g.k, g.transA ? g.m : g.k,
                   g.transB ? g.b + column * g.k : g.b + column, g.transB ? g.k : g.n, g.accumulate ? 1.0f : 0.0f,
                   g.c + row * g.n + column, g.n);
    if (status != dnnl_success)
      failure = status;
  };
  // With one tile per row chunk the epilogue follows its rows at once; else it needs all columns first.
  const bool fused = epilogue.run && columnTiles == 1;
  parallelFor(threads, rowTiles * columnTiles, [&](int, int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      tile(index);
      if (fused)
        epilogue.run(epilogue.context, index * tiling.rows, std::min(g.m, (index + 1) * tiling.rows));
    }
  });
  if (failure != dnnl_success)
    return {StatusCode::internal, fmt::format("oneDNN answers {} to a product of {}x{}x{}", failure.load(), g.m, g.n, g.k)};
  if (epilogue.run && !fused)
    parallelFor(threads, ceilDiv(g.m, epilogue.granularity), [&](int, int64_t begin, int64_t end) {
      epilogue.run(epilogue.context, begin * epilogue.granularity, std::min(g.m, end * epilogue.granularity));
    });
  return {};
}

} // namespace bifocal
