// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_TENSORBOARD_H
#define BIFOCAL_TOOLS_BIFOCAL_TENSORBOARD_H

#include "runtime/train/EventFile.h"
#include "tools/bifocal/Progress.h"

#include <memory>

namespace bifocal::tools {

/// Writes the curves of a training for TensorBoard, and hands everything on. A point of `train/...` is the mean of the
/// updates since the one before, as in the log. A curve that can no longer be written (a full disk) does not end the
/// training, which may still be able to save: it is said once, and the curve ends there.
class TensorBoard final : public TrainObserver {
public:
  /// A point every so many updates; `next` must outlive this.
  TensorBoard(int64_t every, const TrainingOptions &options, LossUnit unit, Progress &next)
      : every_(every), options_(options), unit_(unit), next_(next) {}

  /// Writes to `folder` from now on, after `step` updates; without this nothing is written.
  Status open(const std::string &folder, int64_t step);

  void onUpdate(const UpdateReport &report) override;
  void onValidation(const ValidationReport &report) override;
  void onCheckpoint(const std::string &path, int64_t update) override { next_.onCheckpoint(path, update); }

private:
  Scalar unitScalar(std::string_view part, const LossSums &sums) const;
  void write(int64_t update, std::span<const Scalar> scalars);

  std::unique_ptr<EventFile> file_;
  int64_t every_;
  const TrainingOptions &options_;
  LossUnit unit_;
  Progress &next_;
  LossSums sums_;
  double seconds_ = 0;
};

} // namespace bifocal::tools
#endif
