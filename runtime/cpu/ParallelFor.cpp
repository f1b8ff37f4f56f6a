// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <omp.h>

namespace bifocal {

void parallelFor(int threads, int64_t tiles, void (*body)(void *context, int thread, int64_t begin, int64_t end),
                 void *context) {
  if (tiles <= 0)
    return;
  // A single tile, or a single thread, needs no team. oneDNN must not start threads of its own then either.
  if (threads == 1 || tiles == 1) {
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    body(context, 0, 0, tiles);
    omp_set_num_threads(before);
    return;
  }
  // Always all threads, idle ones too: libgomp ends and starts threads, and allocates, when a team changes its size.
#pragma omp parallel num_threads(threads)
  {
    // Also where the team is one thread and OpenMP does not call that a parallel region. Ends with the region.
    omp_set_num_threads(1);
    const int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const int64_t share = tiles / team, rest = tiles % team;
    const int64_t begin = thread * share + std::min(thread, rest);
    const int64_t end = begin + share + (thread < rest ? 1 : 0);
    if (begin < end)
      body(context, static_cast<int>(thread), begin, end);
  }
}

} // namespace bifocal
