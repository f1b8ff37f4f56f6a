// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_CHECKPOINT_H
#define BIFOCAL_RUNTIME_TRAIN_CHECKPOINT_H

#include "runtime/core/Manifest.h"
#include "runtime/core/Session.h"
#include "runtime/core/Status.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace bifocal {

/// Where a training stands, besides parameters and moments.
struct TrainingState {
  int64_t updates = 0;
  int64_t epoch = 1;
  int64_t cursor = 0; ///< batches of the epoch that are done
  int64_t draws = 0;  ///< batches of the whole training: the draw counter of dropout
  int64_t batches = 0;
  int64_t validations = 0, validationsSinceBest = 0;
  int64_t validatedAt = -1; ///< updates at the last validation
  double bestLoss = 0;
  uint64_t seed = 0;
  uint64_t dataDigest = 0;
  /// Of the text to validate on, 0 where there is none; absent in files from before there was it.
  std::optional<uint64_t> validationDigest;
  std::string specHash;
  std::map<std::string, std::string> options; ///< `TrainingOptions::decisive`; empty in files from before there was it
};

/// Writes the parameters under all their names; `metadata` beside the file's own.
Status writeWeights(const std::string &path, const Manifest &manifest, Session &session,
                    std::map<std::string, std::string> metadata = {});

/// The same, and the moments as `optimizer.moment1.<name>` and `optimizer.moment2.<name>`, and `state` in the metadata:
/// one file, so that its parts always belong together.
Status writeCheckpoint(const std::string &path, const Manifest &manifest, Session &session, const TrainingState &state);

/// Reads what `writeCheckpoint` wrote into the session's slabs.
Result<TrainingState> readCheckpoint(const std::string &path, const Manifest &manifest, Session &session);

} // namespace bifocal
#endif
