// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_SCHEDULE_H
#define BIFOCAL_RUNTIME_TRAIN_SCHEDULE_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string>

namespace bifocal {

/// How the learning rate depends on the number n of finished updates; update number n + 1 uses `rate(n)`. Up to
/// warmupUpdates (W) the rate is on a line to `rate`: from warmupInitRate, for `polynomial` from 0; for `constant` it
/// is rate * (n + 1) / W. After that:
///
/// - `inverse_sqrt`: rate * sqrt(W / n)
/// - `cosine`: half cosines from rate to minRate, each `periodMult` times as long as the one before, both rates times
///   `shrink` at each
/// - `polynomial`: (rate - endRate) * (1 - (n - W) / (totalUpdates - W))^power + endRate, then endRate
/// - `constant`: rate
struct ScheduleOptions {
  std::string name = "inverse_sqrt"; ///< `fixed` is another name for `constant`
  double rate = 5e-4;
  int64_t warmupUpdates = 4000;
  double warmupInitRate = -1; ///< negative: 0 for inverse_sqrt, minRate for cosine
  double minRate = 0;
  int64_t periodUpdates = -1; ///< not positive: maxUpdates - warmupUpdates
  double periodMult = 1;
  double shrink = 0.1;
  double endRate = 0;
  double power = 1;
  int64_t totalUpdates = 0; ///< not positive: maxUpdates
  int64_t maxUpdates = 0;   ///< of the training

  /// Whether rates depend on `maxUpdates`.
  bool followsMaxUpdates() const {
    return (name == "cosine" && periodUpdates <= 0) || (name == "polynomial" && totalUpdates <= 0);
  }
};

class Schedule {
public:
  static Result<Schedule> create(ScheduleOptions options);
  double rate(int64_t updates) const;

private:
  enum class Kind { inverseSqrt, cosine, polynomial, constant };
  Schedule(Kind kind, ScheduleOptions options) : kind_(kind), options_(std::move(options)) {}
  double cosine(double updates) const;
  double polynomial(double updates) const;

  Kind kind_;
  ScheduleOptions options_;
};

} // namespace bifocal
#endif
