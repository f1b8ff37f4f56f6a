// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/Gemm.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <numeric>

namespace bifocal {
namespace {

constexpr int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t roundUp(int64_t value, int64_t unit) { return ceilDiv(value, unit) * unit; }

/// How C is cut; the last tiles may have fewer rows and columns.
struct Tiling {
  int64_t rows, columns, rowTiles, columnTiles;

  Tiling(const GemmArguments &g, bool fewRows, int64_t granularity, int threads) {
    // Twelve rows are a whole number of the innermost tiles on every level of CPUs.
    constexpr int64_t microRows = 12, wantedRows = 144, fewestColumns = 128;
    int64_t unit = std::lcm(microRows, granularity);
    if (unit > format::gemmMostRows / 2)
      unit = granularity <= format::gemmMostRows ? granularity : microRows;
    // An even number of parts keeps two threads equally busy, a multiple of four keeps four.
    int64_t parts = ceilDiv(g.m, wantedRows);
    parts = parts > 4 ? roundUp(parts, 4) : parts > 1 ? roundUp(parts, 2) : 1;
    // Threads for which there are no columns share the rows, if there are some for each.
    const int64_t most = ceilDiv(g.m, 2 * microRows),
                  wanted = ceilDiv(threads, std::max<int64_t>(1, g.n / fewestColumns));
    parts = fewRows ? 1 : std::max(parts, std::min(wanted, most));
    rows = std::min(roundUp(ceilDiv(g.m, parts), unit), format::gemmMostRows / unit * unit);
    rowTiles = g.m == 0 ? 0 : ceilDiv(g.m, rows);
    columns = g.n;
    // Each tile packs its own rows of A, so its columns should be many; but every thread needs a tile. No bit depends
    // on how C is cut.
    if (fewRows)
      columns = 2 * format::gemmColumnUnit;
    else if (rowTiles > 0 && rowTiles < threads)
      columns =
          std::max<int64_t>(roundUp(ceilDiv(g.n, ceilDiv(threads, rowTiles)), format::gemmColumnUnit), fewestColumns);
    columnTiles = ceilDiv(g.n, columns);
  }
  int64_t count() const { return rowTiles * columnTiles; }
};

} // namespace

void gemm(int threads, const GemmKernels &kernels, const GemmArguments &g, const GemmEpilogue &epilogue) {
  if (g.n == 0)
    return;
  // Packing pays for itself when enough rows read the panels.
  constexpr int64_t fewestRows = 64;
  const bool fewRows = g.m <= fewestRows || !g.workspace, kept = g.panels != GemmArguments::Panels::own;
  const bool packs = g.panels == GemmArguments::Panels::keep || (!kept && !fewRows);
  const size_t stage = kept || !fewRows ? 1 : 2;
  const int64_t granularity = std::max<int64_t>(1, epilogue.granularity);
  // A tile that packs its part of B has few columns; beside kept panels it is A that is packed for each tile.
  const Tiling tiling(g, fewRows && !kept, granularity, threads);
  void *const buffers[] = {const_cast<void *>(g.a), const_cast<void *>(g.b), g.c, g.workspace,
                           const_cast<unsigned char *>(g.mask)};
  const int64_t sizes[] = {
      g.m,       g.n,       g.k,      g.accumulate ? 1 : 0, tiling.rows, tiling.columns, g.mask ? 1 : 0,
      g.strideA, g.strideB, g.strideC};
  if (packs)
    parallelFor(threads, ceilDiv(g.n, format::gemmColumnUnit),
                [&](int, int64_t begin, int64_t end) { kernels[0](buffers, sizes, begin, end); });
  if (g.m == 0)
    return;
  // With one tile per row chunk the epilogue follows its rows at once; else it needs all columns first.
  const bool fused = epilogue.run && tiling.columnTiles == 1 && tiling.rows % granularity == 0;
  // Not all tiles have as many real rows.
  parallelTiles(threads, tiling.count(), [&](int64_t tile) {
    kernels[stage](buffers, sizes, tile, tile + 1);
    if (fused)
      epilogue.run(epilogue.context, tile * tiling.rows, std::min(g.m, (tile + 1) * tiling.rows));
  });
  if (epilogue.run && !fused)
    parallelFor(threads, ceilDiv(g.m, granularity), [&](int, int64_t begin, int64_t end) {
      epilogue.run(epilogue.context, begin * granularity, std::min(g.m, end * granularity));
    });
}

} // namespace bifocal
