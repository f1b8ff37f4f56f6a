// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_TRAININGOPTIONS_H
#define BIFOCAL_RUNTIME_TRAIN_TRAININGOPTIONS_H

#include "runtime/core/Status.h"
#include "runtime/data/Blocks.h"
#include "runtime/train/Optimizer.h"

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace bifocal {

/// How a model is trained: the manifest's "training" object, with what a command line changes. Loss, optimizer and
/// dropout are compiled into the model; what stands here is what the host decides.
struct TrainingOptions {
  OptimizerOptions optimizer; ///< as compiled in
  ScheduleOptions schedule;
  BatchLimits limits{4000, 0, 1};
  int64_t updateFrequency = 1; ///< batches per update
  double clipNorm = 0;         ///< 0 = off
  int64_t maxUpdates = 0;      ///< 0 = no limit, like the next two
  int64_t maxEpochs = 0;
  double maxSeconds = 0; ///< of this run
  uint64_t seed = 1;
  int64_t validateEvery = 0; ///< updates; 0 = at the end of each epoch
  int64_t saveEvery = 0;     ///< updates; 0 = at the end of each epoch
  /// So many checkpoints' parameters are kept beside the last one: the latest, and those of the lowest validation loss.
  int64_t keepLast = 0, keepBest = 0;
  std::optional<BlockOptions> blocks; ///< of a language model
  int64_t patience = 0;               ///< validations without a new best before training ends; 0 = off

  static Result<TrainingOptions> read(const nlohmann::json &training);

  /// What decides the numbers of a training and which checkpoint is the best, apart from the seed, by the names of the
  /// spec: a run that is continued with other values would not be the one that began. Not among them is what only ends
  /// a run or saves it (`max_update`, unless the schedule is as long as the training; `max_epoch`, time, `patience`,
  /// `save_every`, what is kept).
  std::map<std::string, std::string> decisive() const;
};

} // namespace bifocal
#endif
