// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_COMPILEREPORT_H
#define BIFOCAL_TOOLS_BIFOCAL_COMPILEREPORT_H

#include "runtime/core/Artifact.h"
#include "tools/bifocal/PeakMemory.h"
#include "tools/common/ModelShape.h"

#include <map>

namespace bifocal::tools {

/// How often each kind of fusion happened, by its remark.
using Fusions = std::map<std::string, int64_t>;

/// The buffers of each entry's arena, by the name of the entry.
using Places = std::map<std::string, std::vector<ArenaPlace>>;

/// Arena bytes of `entry` at `shape`; nothing where a symbol has no value.
std::optional<int64_t> arenaBytes(const EntryPlan &entry, const Shape &shape);

/// Parameters, fusions, entries with their peak memory as a formula and as a number, what is alive there, and what
/// their steps are made of. The training step comes first.
std::string describeCompilation(const Artifact &artifact, const Shape &shape, const Fusions &fusions,
                                const Places &places);

} // namespace bifocal::tools
#endif
