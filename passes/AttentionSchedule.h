// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ATTENTIONSCHEDULE_H
#define BIFOCAL_PASSES_ATTENTIONSCHEDULE_H

#include <cstdint>

namespace bifocal {

/// Queries of one tile of the forward pass. A multiple of every target's vector width.
constexpr int64_t attentionQueries = 32;

} // namespace bifocal
#endif
