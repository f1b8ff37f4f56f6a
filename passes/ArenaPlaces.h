// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ARENAPLACES_H
#define BIFOCAL_PASSES_ARENAPLACES_H

// What an entry keeps in its arena, for people: which tensor of which layer, from which step to which.

#include "passes/MemoryPlan.h"

#include <string>
#include <vector>

namespace bifocal {

/// A buffer of the arena. One that is written over its input has the class and the offset of that input.
struct ArenaPlace {
  std::string holds;    ///< e.g. "relu", "attention lse", "product", "packed matrix", "scratch of light_conv_grad"
  std::string layer;    ///< the name of what the spec asked for, e.g. "encoder.layers.0.fc1"; empty for none
  std::string location; ///< file:line:col of the spec
  std::string dtype;
  size_t sizeClass = 0;
  int64_t offset = 0, size = 0; ///< bytes per unit of the class
  Lifetime life = {};           ///< first and last step, counted from 0 without the buffers
};

/// All buffers of the arena that a step of `entry` names, in order. The memory must be assigned.
std::vector<ArenaPlace> arenaPlaces(plan::EntryOp entry);

} // namespace bifocal
#endif
