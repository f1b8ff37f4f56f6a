// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_KEPTWEIGHTS_H
#define BIFOCAL_RUNTIME_TRAIN_KEPTWEIGHTS_H

#include "runtime/core/Manifest.h"
#include "runtime/core/Session.h"
#include "runtime/core/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bifocal {

/// Parameters that a training kept beside its last checkpoint, e.g. to average them: `update-<number>.safetensors`.
struct KeptWeights {
  std::string path;
  int64_t update = 0;
  std::optional<double> validationLoss; ///< per token, where it was validated at that update
};

/// Writes the session's parameters as those of `update` into `folder`.
Status writeKeptWeights(const std::string &folder, const Manifest &manifest, Session &session, int64_t update,
                        std::optional<double> validationLoss);

/// What is kept in a folder, by update.
Result<std::vector<KeptWeights>> listKeptWeights(const std::string &folder);

/// Whether a folder has any.
bool hasKeptWeights(const std::string &folder);

/// The `count` last, or best by validation loss (of equal ones the earlier), by update; fewer where there are not so
/// many.
std::vector<KeptWeights> lastOf(const std::vector<KeptWeights> &kept, int64_t count);
std::vector<KeptWeights> bestOf(const std::vector<KeptWeights> &kept, int64_t count);

/// Removes all but the last `keepLast` and the best `keepBest`.
Status pruneKeptWeights(const std::string &folder, int64_t keepLast, int64_t keepBest);

/// Removes what a training that was killed wrote after the checkpoint that it continues from.
Status removeKeptWeightsAfter(const std::string &folder, int64_t update);

} // namespace bifocal
#endif
