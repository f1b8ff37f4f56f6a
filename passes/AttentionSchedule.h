// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ATTENTIONSCHEDULE_H
#define BIFOCAL_PASSES_ATTENTIONSCHEDULE_H

#include <cstdint>

namespace bifocal {

/// Queries of one tile of the forward pass on a CPU. A multiple of every target's vector width, and of two.
constexpr int64_t attentionQueries = 64;
/// The same of a warp, which says so where its work is launched.
constexpr int64_t warpQueries = 32;

} // namespace bifocal
#endif
