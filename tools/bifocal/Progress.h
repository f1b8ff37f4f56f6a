// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_PROGRESS_H
#define BIFOCAL_TOOLS_BIFOCAL_PROGRESS_H

#include "runtime/train/Trainer.h"
#include "tools/bifocal/Model.h"

#include <chrono>
#include <string>

namespace bifocal::tools {

enum class LogFormat {
  bar,   ///< one line that is rewritten, on a terminal
  plain, ///< a line per so many updates
  json,  ///< the same, one JSON object per line, on stdout
};

/// Tells how a training goes. What it shows are means since the line before.
class Progress final : public TrainObserver {
public:
  Progress(LogFormat format, int64_t every, const TrainingOptions &options, LossUnit unit)
      : format_(format), every_(every), options_(options), unit_(unit) {}

  void onUpdate(const UpdateReport &report) override;
  void onValidation(const ValidationReport &report) override;
  void onCheckpoint(const std::string &path, int64_t update) override;

  /// Ends the line that a bar stands on.
  void endLine();

private:
  using Clock = std::chrono::steady_clock;
  bool isDue(const UpdateReport &report) const;
  std::string describe(const UpdateReport &report) const;
  std::string lossText(const LossSums &sums) const;
  std::string describeBriefly(const UpdateReport &report) const;
  void showBar(const UpdateReport &report);
  double fraction(int64_t update) const;

  LogFormat format_;
  int64_t every_;
  const TrainingOptions &options_;
  LossUnit unit_;
  Clock::time_point start_ = Clock::now(), shown_{};
  LossSums sums_;
  double seconds_ = 0;
  int64_t updates_ = 0;
  bool lineOpen_ = false;
};

} // namespace bifocal::tools
#endif
