// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_CHECKPOINT_H
#define BIFOCAL_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/core/Manifest.h"
#include "runtime/core/Session.h"
#include "runtime/core/Status.h"
#include "runtime/train/RecurrentMemory.h"
#include "runtime/train/TrainingState.h"

#include <map>
#include <string>

namespace bifocal {

/// Writes the parameters under all their names; `metadata` beside the file's own.
Status writeWeights(const std::string &path, const Manifest &manifest, Session &session,
                    std::map<std::string, std::string> metadata = {});

/// The same, the memory of a model that has one, and the moments as `optimizer.moment1.<name>` and
/// `optimizer.moment2.<name>`, and `state` in the metadata: one file, so that its parts always belong together.
Status writeCheckpoint(const std::string &path, const Manifest &manifest, Session &session, const TrainingState &state,
                       RecurrentMemory *memory = nullptr);

/// Reads what `writeCheckpoint` wrote into the session's slabs.
Result<TrainingState> readCheckpoint(const std::string &path, const Manifest &manifest, Session &session,
                                     RecurrentMemory *memory = nullptr);

} // namespace bifocal
#endif
