// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_PEAKMEMORY_H
#define BIFOCAL_TOOLS_BIFOCAL_PEAKMEMORY_H

#include "passes/ArenaPlaces.h"
#include "runtime/core/Plan.h"
#include "tools/common/ModelShape.h"

#include <optional>

namespace bifocal::tools {

/// What is in the arena of an entry at the step where the buffers in use take the most bytes.
struct PeakMemory {
  struct Buffer {
    const ArenaPlace *place;
    int64_t bytes;
  };

  size_t step = 0;           ///< the first such step, an index into EntryPlan::steps
  std::vector<Buffer> alive; ///< the largest first; of two at one place the one that was written there last
  int64_t aliveBytes = 0;    ///< sum of `alive`
  int64_t arenaBytes = 0;    ///< at least `aliveBytes`: the rest is gaps, and places that other steps need
};

/// The peak of `entry` at `shape`; nothing where the arena has no size. `places`, those of the entry, must outlive it.
std::optional<PeakMemory> peakMemory(const EntryPlan &entry, const std::vector<ArenaPlace> &places, const Shape &shape);

/// The step, its largest buffers with their bytes and share of the arena, what they hold and where in the spec that
/// comes from; then the others and what is not in use, so that all lines add up to the arena.
std::string describePeak(const EntryPlan &entry, const PeakMemory &peak);

} // namespace bifocal::tools
#endif
