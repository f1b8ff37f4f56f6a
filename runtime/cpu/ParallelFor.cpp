// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <omp.h>

namespace bifocal {

void parallelFor(int threads, int64_t tiles, void (*body)(void *context, int thread, int64_t begin, int64_t end),
                 void *context) {
  if (tiles <= 0)
    return;
  const int64_t workers = std::min<int64_t>(threads, tiles);
  // Opened for one worker too: inside a parallel region oneDNN never starts threads of its own.
#pragma omp parallel num_threads(static_cast<int>(workers))
  {
    const int64_t team = omp_get_num_threads(), thread = omp_get_thread_num();
    const int64_t share = tiles / team, rest = tiles % team;
    const int64_t begin = thread * share + std::min(thread, rest);
    body(context, static_cast<int>(thread), begin, begin + share + (thread < rest ? 1 : 0));
  }
}

} // namespace bifocal
