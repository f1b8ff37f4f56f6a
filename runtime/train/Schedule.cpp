// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Schedule.h"

#include <cmath>
#include <fmt/format.h>
#include <numbers>

namespace bifocal {
namespace {

Status badOption(std::string_view rule, double got) {
  return Status(StatusCode::usage, fmt::format("learning rate schedule: expects {}, but got {}", rule, got));
}

} // namespace

Result<Schedule> Schedule::create(ScheduleOptions options) {
  Kind kind = Kind::inverseSqrt;
  if (options.name == "cosine")
    kind = Kind::cosine;
  else if (options.name == "polynomial")
    kind = Kind::polynomial;
  else if (options.name == "constant" || options.name == "fixed")
    kind = Kind::constant;
  else if (options.name != "inverse_sqrt")
    return Status(
        StatusCode::usage,
        fmt::format("expects a schedule out of inverse_sqrt, cosine, polynomial, constant and fixed, but got '{}'",
                    options.name));
  const auto warmup = static_cast<double>(options.warmupUpdates);
  if (!(options.rate > 0))
    return badOption("a rate above 0", options.rate);
  if (warmup < (kind == Kind::inverseSqrt ? 1 : 0))
    return badOption(kind == Kind::inverseSqrt ? "at least 1 warm-up update" : "at least 0 warm-up updates", warmup);
  if (options.warmupInitRate < 0)
    options.warmupInitRate = kind == Kind::cosine ? options.minRate : 0;
  if (options.periodUpdates <= 0)
    options.periodUpdates = options.maxUpdates - options.warmupUpdates;
  if (options.totalUpdates <= 0)
    options.totalUpdates = options.maxUpdates;
  if (kind == Kind::cosine && options.periodUpdates < 1)
    return badOption("period_updates, or max_update above warmup_updates", static_cast<double>(options.periodUpdates));
  if (kind == Kind::cosine && options.periodMult < 1)
    return badOption("a period multiplier of at least 1", options.periodMult);
  if (kind == Kind::polynomial && options.totalUpdates <= options.warmupUpdates)
    return badOption("total_updates (or max_update) above warmup_updates", static_cast<double>(options.totalUpdates));
  return Schedule(kind, std::move(options));
}

double Schedule::cosine(double updates) const {
  const auto period = static_cast<double>(options_.periodUpdates);
  const double mult = options_.periodMult;
  double round = std::floor(updates / period), length = period, position = updates - round * period;
  if (mult != 1) {
    // The rounds before number i take period * (1 - mult^i) / (1 - mult) updates.
    round = std::floor(std::log(1 - updates / period * (1 - mult)) / std::log(mult));
    length = std::pow(mult, round) * period;
    position = updates - (1 - std::pow(mult, round)) / (1 - mult) * period;
  }
  const double shrink = std::pow(options_.shrink, round);
  const double low = options_.minRate * shrink, high = options_.rate * shrink;
  return low + 0.5 * (high - low) * (1 + std::cos(std::numbers::pi * position / length));
}

double Schedule::polynomial(double updates) const {
  const auto warmup = static_cast<double>(options_.warmupUpdates), total = static_cast<double>(options_.totalUpdates);
  if (warmup > 0 && updates <= warmup)
    return updates / warmup * options_.rate;
  if (updates >= total)
    return options_.endRate;
  const double left = 1 - (updates - warmup) / (total - warmup);
  return (options_.rate - options_.endRate) * std::pow(left, options_.power) + options_.endRate;
}

double Schedule::rate(int64_t updates) const {
  const auto n = static_cast<double>(updates), warmup = static_cast<double>(options_.warmupUpdates);
  if (kind_ == Kind::polynomial)
    return polynomial(n);
  if (kind_ == Kind::constant)
    return n < warmup ? options_.rate * (n + 1) / warmup : options_.rate;
  if (n < warmup)
    return options_.warmupInitRate + n * (options_.rate - options_.warmupInitRate) / warmup;
  if (kind_ == Kind::cosine)
    return cosine(n - warmup);
  return options_.rate * std::sqrt(warmup) / std::sqrt(n);
}

} // namespace bifocal
