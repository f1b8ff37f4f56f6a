// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ATTENTIONSCHEDULE_H
#define BIFOCAL_PASSES_ATTENTIONSCHEDULE_H

#include "dialect/bifocal/AttentionRules.h"

namespace bifocal {

/// Keys of a block, whose weights stay on the stack.
constexpr int64_t blockKeys = 64;
/// The most bytes that a strip of queries keeps of them, padding and panels of weights aside: half of the second level
/// of caches of today's CPUs.
constexpr int64_t mostStripBytes = 256 << 10;
/// Queries of the smallest strip: two vectors of every target.
constexpr int64_t fewestQueries = 32;

/// Queries of a strip on a CPU: those that a block of keys and values comes out of far memory for. A power of two. A
/// forward pass has a strip for each tile. `isRelative`: a query has a second part, for positions.
inline int64_t stripQueries(const HeadSizes &sizes, bool isForward, bool isRelative) {
  const int64_t query = (sizes.maps + (isRelative ? 1 : 0)) * sizes.key;
  // Forward: a query and its sum of values. Backward: queries and outputs with their gradients and rows, and what a
  // block of keys says to them.
  const int64_t numbers = isForward ? query + sizes.value : 3 * (query + sizes.value) + blockKeys * (sizes.maps + 1);
  // Differential attention has a panel of weights besides, of fewer keys for more queries.
  int64_t queries = isForward && sizes.maps == 1 ? 256 : 128;
  while (queries > fewestQueries && queries * numbers * int64_t{sizeof(float)} > mostStripBytes)
    queries /= 2;
  return queries;
}

/// Queries of a strip of a warp, which says so where its work is launched.
constexpr int64_t warpQueries = 32;

} // namespace bifocal
#endif
