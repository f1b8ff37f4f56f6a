// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/Gemm.h"

#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <atomic>
#include <dnnl.h>
#include <fmt/format.h>

namespace bifocal {
namespace {

constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUp(int64_t value, int64_t unit) { return ceilDiv(value, unit) * unit; }

/// How C is cut. Depends on nothing but the shape: results must not change with the number of threads.
struct Tiling {
  int64_t rows, columns; ///< of one tile; the last tiles may have fewer columns, and fewer or more rows
  int64_t rowTiles, columnTiles;

  Tiling(int64_t m, int64_t n, int64_t granularity, bool wholeRows) {
    // oneDNN packs B anew for each tile: below 256 rows that starts to show. An even number of chunks keeps two
    // threads equally busy, a multiple of four keeps four.
    constexpr int64_t fullRows = 256;
    int64_t parts = ceilDiv(m, fullRows);
    parts = parts > 4 ? roundUp(parts, 4) : parts > 1 ? roundUp(parts, 2) : 1;
    rows = roundUp(ceilDiv(m, parts), granularity);
    rowTiles = ceilDiv(m, rows);
    // oneDNN sums short matrices in another order (measured with 2.6.3: below 16 rows). A tail joins its predecessor,
    // so that the bits of a row do not depend on the number of rows from 16 on.
    constexpr int64_t shortRows = 16;
    if (rowTiles > 1 && m - (rowTiles - 1) * rows < shortRows)
      --rowTiles;
    columns = n;
    if (rowTiles < 4)
      columns = std::clamp<int64_t>(roundUp(ceilDiv(n, 4), 64), 128, 512);
    else if (!wholeRows)
      columns = roundUp(ceilDiv(n, ceilDiv(n, 1024)), 64);
    columnTiles = ceilDiv(n, columns);
  }
};

} // namespace

Status gemm(int threads, const GemmArguments &g, const GemmEpilogue &epilogue) {
  if (g.m == 0 || g.n == 0)
    return {};
  if (g.k == 0 && !g.accumulate)
    std::fill_n(g.c, g.m * g.n, 0.0f);
  const int64_t granularity = std::max<int64_t>(1, epilogue.granularity);
  const Tiling tiling(g.m, g.n, granularity, epilogue.run != nullptr);
  const auto firstRow = [&](int64_t rowTile) { return rowTile == tiling.rowTiles ? g.m : rowTile * tiling.rows; };
  std::atomic<int> failure{dnnl_success};
  const auto tile = [&](int64_t index) {
    const int64_t row = firstRow(index / tiling.columnTiles), rows = firstRow(index / tiling.columnTiles + 1) - row;
    const int64_t column = index % tiling.columnTiles * tiling.columns;
    const int64_t columns = std::min(tiling.columns, g.n - column);
    if (g.k == 0)
      return;
    const dnnl_status_t status = dnnl_sgemm(g.transA ? 'T' : 'N', g.transB ? 'T' : 'N', rows, columns, g.k, 1.0f,
                                            g.transA ? g.a + row : g.a + row * g.k, g.transA ? g.m : g.k,
                                            g.transB ? g.b + column * g.k : g.b + column, g.transB ? g.k : g.n,
                                            g.accumulate ? 1.0f : 0.0f, g.c + row * g.n + column, g.n);
    if (status != dnnl_success)
      failure = status;
  };
  // With one tile per row chunk the epilogue follows its rows at once; else it needs all columns first.
  const bool fused = epilogue.run && tiling.columnTiles == 1;
  parallelFor(threads, tiling.rowTiles * tiling.columnTiles, [&](int, int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      tile(index);
      if (fused)
        epilogue.run(epilogue.context, firstRow(index), firstRow(index + 1));
    }
  });
  if (failure != dnnl_success)
    return {StatusCode::internal,
            fmt::format("oneDNN answers {} to a product of {}x{}x{}", failure.load(), g.m, g.n, g.k)};
  if (epilogue.run && !fused)
    parallelFor(threads, ceilDiv(g.m, granularity), [&](int, int64_t begin, int64_t end) {
      epilogue.run(epilogue.context, begin * granularity, std::min(g.m, end * granularity));
    });
  return {};
}

} // namespace bifocal
