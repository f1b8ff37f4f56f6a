// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_TRAININGSTATE_H
#define BIFOCAL_RUNTIME_TRAIN_TRAININGSTATE_H

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

  /// Reads what `text` wrote; `where` is for messages.
  ///
  /// Errors:
  ///   malformed  a member is missing or out of its range
  static Result<TrainingState> parse(const std::string &text, const std::string &where);
  std::string text() const;
};

} // namespace bifocal
#endif
