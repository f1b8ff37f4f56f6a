// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/TrainingOptions.h"

#include "runtime/core/Json.h"

#include <fmt/format.h>
#include <span>

namespace bifocal {
namespace {

Status readSchedule(const nlohmann::json &json, ScheduleOptions &schedule) {
  JsonReader reader(json, "training.schedule");
  schedule.name = reader.string("name", schedule.name);
  schedule.rate = reader.number("lr", schedule.rate);
  schedule.warmupUpdates = reader.integer("warmup_updates", schedule.warmupUpdates);
  schedule.warmupInitRate = reader.number("warmup_init_lr", schedule.warmupInitRate);
  schedule.minRate = reader.number("min_lr", schedule.minRate);
  schedule.periodUpdates = reader.integer("period_updates", schedule.periodUpdates);
  schedule.periodMult = reader.number("period_mult", schedule.periodMult);
  schedule.shrink = reader.number("shrink", schedule.shrink);
  schedule.endRate = reader.number("end_lr", schedule.endRate);
  schedule.power = reader.number("power", schedule.power);
  schedule.totalUpdates = reader.integer("total_updates", schedule.totalUpdates);
  return reader.status();
}

Status readBlocks(JsonReader &reader, TrainingOptions &options) {
  options.blocks.emplace();
  options.blocks->tokensPerSample = reader.integer("tokens_per_sample");
  if (reader.status().ok() && options.blocks->tokensPerSample < 1)
    reader.fail("tokens_per_sample", fmt::format("expects at least 1, but got {}", options.blocks->tokensPerSample));
  const Result<BreakMode> mode = breakModeByName(reader.string("sample_break_mode", "none"));
  reader.check("sample_break_mode", mode.status());
  if (mode.ok())
    options.blocks->mode = *mode;
  return reader.status();
}

} // namespace

Result<TrainingOptions> TrainingOptions::read(const nlohmann::json &training) {
  TrainingOptions options;
  JsonReader reader(training, "training");
  if (reader.has("schedule"))
    BIFOCAL_RETURN_IF_ERROR(readSchedule(reader.object("schedule"), options.schedule));
  if (reader.has("optimizer")) {
    Result<OptimizerOptions> optimizer = OptimizerOptions::read(reader.object("optimizer"));
    if (!optimizer.ok())
      return optimizer.status();
    options.optimizer = optimizer.take();
  }
  if (reader.has("tokens_per_sample"))
    BIFOCAL_RETURN_IF_ERROR(readBlocks(reader, options));
  const auto atLeast = [&reader](const char *key, int64_t lowest, int64_t absent) {
    const int64_t value = reader.integer(key, absent);
    if (value < lowest)
      reader.fail(key, fmt::format("expects at least {}, but got {}", lowest, value));
    return value;
  };
  options.limits.maxTokens = atLeast("max_tokens", 0, options.limits.maxTokens);
  options.limits.maxSentences = atLeast("max_sentences", 0, 0);
  options.limits.multiple = atLeast("batch_multiple", 1, 1);
  options.updateFrequency = atLeast("update_freq", 1, 1);
  options.clipNorm = reader.number("clip_norm", 0);
  options.maxUpdates = atLeast("max_update", 0, 0);
  options.maxEpochs = atLeast("max_epoch", 0, 0);
  options.seed = static_cast<uint64_t>(atLeast("seed", 0, 1));
  options.validateEvery = atLeast("validate_every", 0, 0);
  options.saveEvery = atLeast("save_every", 0, 0);
  options.patience = atLeast("patience", 0, 0);
  if (!reader.status().ok())
    return reader.status();
  return options;
}

std::map<std::string, std::string> TrainingOptions::decisive() const {
  const auto text = [](auto value) { return fmt::format("{}", value); };
  std::map<std::string, std::string> result = {{"lr", text(schedule.rate)},
                                               {"schedule", schedule.name},
                                               {"warmup_updates", text(schedule.warmupUpdates)},
                                               {"warmup_init_lr", text(schedule.warmupInitRate)},
                                               {"min_lr", text(schedule.minRate)},
                                               {"period_updates", text(schedule.periodUpdates)},
                                               {"period_mult", text(schedule.periodMult)},
                                               {"shrink", text(schedule.shrink)},
                                               {"end_lr", text(schedule.endRate)},
                                               {"power", text(schedule.power)},
                                               {"total_updates", text(schedule.totalUpdates)},
                                               {"max_tokens", text(limits.maxTokens)},
                                               {"max_sentences", text(limits.maxSentences)},
                                               {"batch_multiple", text(limits.multiple)},
                                               {"update_freq", text(updateFrequency)},
                                               {"clip_norm", text(clipNorm)},
                                               {"validate_every", text(validateEvery)}};
  result.merge(optimizer.decisive());
  if (blocks) {
    result["tokens_per_sample"] = text(blocks->tokensPerSample);
    result["sample_break_mode"] = name(blocks->mode);
  }
  if (schedule.followsMaxUpdates())
    result["max_update"] = text(maxUpdates);
  return result;
}

} // namespace bifocal
