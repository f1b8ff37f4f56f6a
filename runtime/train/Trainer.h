// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_TRAINER_H
#define BIFOCAL_RUNTIME_TRAIN_TRAINER_H

#include "runtime/core/Session.h"
#include "runtime/data/Batching.h"
#include "runtime/train/Checkpoint.h"
#include "runtime/train/LossEntry.h"
#include "runtime/train/TrainingOptions.h"

#include <array>
#include <atomic>
#include <chrono>
#include <string>

namespace bifocal {

struct UpdateReport {
  int64_t update = 0, epoch = 0;
  LossSums sums;
  double gradientNorm = 0; ///< before clipping
  double rate = 0;
  double seconds = 0; ///< wall time of the update
};

struct ValidationReport {
  int64_t update = 0, epoch = 0;
  LossSums sums;
  bool isBest = false;
  double seconds = 0;
};

/// What a training tells while it runs.
class TrainObserver {
public:
  virtual ~TrainObserver() = default;
  virtual void onUpdate(const UpdateReport &report) = 0;
  virtual void onValidation(const ValidationReport &report) = 0;
  virtual void onCheckpoint(const std::string &path, int64_t update) = 0;
};

/// Why `Trainer::run` came back.
enum class TrainEnd { maxUpdates, maxEpochs, maxTime, patience, interrupted };

/// Says which text a training is of, so that it is not continued with another one.
struct DataDigests {
  uint64_t training = 0;
  uint64_t validation = 0; ///< 0: none
};

/// The training loop. Everything that decides the next update (parameters, moments, counters, data cursor) is in the
/// checkpoint, and every random number is a pure function of the seed and these counters: a run that is stopped at any
/// moment, by a signal or by its time, and resumed from its last checkpoint writes the same bytes as one that was never
/// stopped. A training that reaches its last update or epoch, or loses its patience, is validated once more; going on
/// from there gives the same parameters and moments, and counts that validation.
class Trainer {
public:
  /// All arguments must outlive the trainer. `validation` may be null. Checkpoints go to `folder`: `last.safetensors`,
  /// `best.safetensors` (parameters alone) after the best validation, and what KeptWeights.h is about.
  static Result<Trainer> create(Session &session, const Manifest &manifest, const BatchSource &training,
                                const BatchSource *validation, const TrainingOptions &options, std::string folder,
                                DataDigests digests, TrainObserver &observer);

  /// Fresh parameters and counters.
  void initialize();
  /// Continues from `last.safetensors` of the folder; an error with all that differs where another training wrote it.
  /// With `otherOptions` the options and the text to validate on may differ; another such text begins a new best, other
  /// batches begin the epoch anew.
  Status resume(bool otherOptions = false);

  /// Trains until a limit is reached or `stop` becomes true; then saves.
  Result<TrainEnd> run(const std::atomic<bool> &stop);

  const TrainingState &state() const { return state_; }

private:
  Trainer(Session &session, const Manifest &manifest, const BatchSource &training, const BatchSource *validation,
          const TrainingOptions &options, Schedule schedule, LossEntry losses, std::string folder,
          TrainObserver &observer)
      : session_(session), manifest_(manifest), training_(training), validation_(validation), options_(options),
        schedule_(std::move(schedule)), losses_(std::move(losses)), folder_(std::move(folder)), observer_(observer) {}

  Status update();
  Status runBatch(int64_t index, bool alone, UpdateReport &report);
  Status applyGradients(UpdateReport &report);
  Status validate();
  Status save();
  Status keep();
  Status saveAndKeep();
  std::optional<TrainEnd> reachedLimit() const;
  std::string lastPath() const { return folder_ + "/last.safetensors"; }

  Session &session_;
  const Manifest &manifest_;
  const BatchSource &training_;
  const BatchSource *validation_;
  const TrainingOptions &options_;
  Schedule schedule_;
  LossEntry losses_;
  std::string folder_;
  TrainObserver &observer_;
  TrainingState state_;
  std::optional<double> validationLoss_; ///< of the parameters as they are now
  std::vector<int32_t> order_;           ///< of the batches of the current epoch
  Batch batch_;
  std::array<float, 4> hyper_{};
  std::chrono::steady_clock::time_point begin_;
};

} // namespace bifocal
#endif
