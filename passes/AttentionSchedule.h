// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ATTENTIONSCHEDULE_H
#define BIFOCAL_PASSES_ATTENTIONSCHEDULE_H

#include "dialect/bifocal/AttentionRules.h"

namespace bifocal {

/// The most bytes that a strip keeps of its queries: half of the second level of caches of today's CPUs.
constexpr int64_t mostStripBytes = 256 << 10;

/// Queries of a strip of `Op` on a CPU: those that a block of keys and values comes out of far memory for. A forward
/// pass has a strip for each tile. A power of two; at least 32, two vectors of every target.
template <typename Op> int64_t stripQueries(const HeadSizes &sizes) {
  constexpr bool isDiff = std::is_same_v<Op, DiffAttentionOp> || std::is_same_v<Op, DiffAttentionGradOp>;
  constexpr bool isRelative = std::is_same_v<Op, RelativeAttentionOp> || std::is_same_v<Op, RelativeAttentionGradOp>;
  constexpr bool isForward =
      std::is_same_v<Op, AttentionOp> || std::is_same_v<Op, RelativeAttentionOp> || std::is_same_v<Op, DiffAttentionOp>;
  // Numbers for each query: itself and a sum of values, and backward their gradients, their rows, and the weights of a
  // block with gradients.
  const int64_t queryNumbers = (sizes.maps + isRelative) * sizes.key;
  const int64_t numbers =
      isForward ? queryNumbers + sizes.value : 3 * queryNumbers + 2 * sizes.value + 64 * (sizes.maps + 1);
  // Beside its queries a strip of differential attention keeps a panel of weights, which has fewer keys for more
  // queries.
  int64_t queries = isForward && !isDiff ? 256 : 128;
  while (queries > 32 && queries * numbers * 4 > mostStripBytes)
    queries /= 2;
  return queries;
}
/// The same of a warp, which says so where its work is launched.
constexpr int64_t warpQueries = 32;

} // namespace bifocal
#endif
