// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <atomic>
#include <omp.h>

namespace bifocal {

void parallelFor(int threads, int64_t tiles, void (*body)(void *context, int thread, int64_t begin, int64_t end),
                 void *context) {
  if (tiles <= 0)
    return;
  // A single tile, or a single thread, needs no team.
  if (threads == 1 || tiles == 1)
    return body(context, 0, 0, tiles);
    // Always all threads, idle ones too: libgomp ends and starts threads, and allocates, when a team changes its size.
#pragma omp parallel num_threads(threads)
  {
    const int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const int64_t share = tiles / team, rest = tiles % team;
    const int64_t begin = thread * share + std::min(thread, rest);
    const int64_t end = begin + share + (thread < rest ? 1 : 0);
    if (begin < end)
      body(context, static_cast<int>(thread), begin, end);
  }
}

void parallelTiles(int threads, int64_t tiles, void (*body)(void *context, int64_t tile), void *context) {
  std::atomic<int64_t> next = 0;
  parallelFor(threads, std::min<int64_t>(threads, tiles), [&](int, int64_t, int64_t) {
    for (int64_t tile = next++; tile < tiles; tile = next++)
      body(context, tile);
  });
}

} // namespace bifocal
