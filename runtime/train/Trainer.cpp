// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Trainer.h"

#include "runtime/train/KeptWeights.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>

namespace bifocal {
namespace {

using Clock = std::chrono::steady_clock;

/// Removes what a killed run left of checkpoints that it was writing: files as AtomicFile names them.
void removeLeftovers(const std::string &folder) {
  constexpr std::string_view suffix = ".safetensors.partial-";
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const size_t end = name.rfind(suffix);
    for (std::string_view stem : {"last", "best", "update-"})
      if (name.starts_with(stem) && end != std::string::npos && name.size() == end + suffix.size() + 6)
        std::filesystem::remove(entry.path(), error);
  }
}

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

TensorView scalar(float &value) { return TensorView(ElementType::f32, {}, &value); }

/// What the training that wrote a checkpoint has and another one does not: all of it, so that one look suffices.
std::vector<std::string> differences(const TrainingState &given, const TrainingState &written, bool otherOptions) {
  std::vector<std::string> list;
  const auto compare = [&list](std::string_view what, const auto &expected, const auto &got) {
    if (expected != got)
      list.push_back(fmt::format("{} {}, but got {}", what, expected, got));
  };
  compare("spec", written.specHash, given.specHash);
  compare("text with digest", fmt::format("{:016x}", written.dataDigest), fmt::format("{:016x}", given.dataDigest));
  compare("seed", written.seed, given.seed);
  for (const auto &[name, value] : written.options) {
    if (otherOptions)
      break;
    const auto found = given.options.find(name);
    compare(name, value, found == given.options.end() ? "none" : found->second);
  }
  if (written.validationDigest && !otherOptions)
    compare("text to validate on with digest", fmt::format("{:016x}", *written.validationDigest),
            fmt::format("{:016x}", *given.validationDigest));
  if (!otherOptions)
    compare("number of batches", written.batches, given.batches);
  return list;
}

} // namespace

Result<Trainer> Trainer::create(Session &session, const Manifest &manifest, const BatchSource &training,
                                const BatchSource *validation, const TrainingOptions &options, std::string folder,
                                DataDigests digests, TrainObserver &observer) {
  if (options.keepBest > 0 && !validation)
    return Status(StatusCode::usage, "expects a text to validate on to keep the best checkpoints, but there is none");
  Result<LossEntry> losses = LossEntry::create(session, manifest, RecurrentMemory::Use::training);
  if (!losses.ok())
    return losses.status();
  ScheduleOptions scheduleOptions = options.schedule;
  scheduleOptions.maxUpdates = options.maxUpdates;
  Result<Schedule> schedule = Schedule::create(scheduleOptions);
  if (!schedule.ok())
    return schedule.status();
  Trainer trainer(session, manifest, training, validation, options, schedule.take(), losses.take(), std::move(folder),
                  observer);
  trainer.state_.seed = options.seed;
  trainer.state_.specHash = manifest.specHash;
  trainer.state_.dataDigest = digests.training;
  trainer.state_.validationDigest = digests.validation;
  trainer.state_.batches = training.batches();
  trainer.state_.options = options.decisive();
  return trainer;
}

void Trainer::initialize() {
  session_.initialize(options_.seed);
  std::ranges::fill(session_.gradients(), 0.0f);
  std::ranges::fill(session_.firstMoments(), 0.0f);
  std::ranges::fill(session_.secondMoments(), 0.0f);
}

Status Trainer::resume(bool otherOptions) {
  // Constants that no file holds come from their initialisers.
  initialize();
  Result<TrainingState> read = readCheckpoint(lastPath(), manifest_, session_, losses_.memory());
  if (!read.ok())
    return read.status();
  if (const std::vector<std::string> list = differences(state_, *read, otherOptions); !list.empty())
    return Status(StatusCode::usage,
                  fmt::format("'{}' was written by another training: expects {}; give the same again, "
                              "accept other options with --resume=changed, or train in another folder",
                              lastPath(), fmt::join(list, "; ")));
  // From here on the options of this run count.
  read->options = state_.options;
  if (read->validationDigest && read->validationDigest != state_.validationDigest)
    read->validations = read->validationsSinceBest = 0;
  read->validationDigest = state_.validationDigest;
  // Other batches: none of this epoch has been seen.
  if (read->batches != state_.batches)
    read->cursor = 0, read->batches = state_.batches;
  state_ = read.take();
  return Status();
}

/// One batch: a whole update if it is alone, else its share of the gradient.
Status Trainer::runBatch(int64_t index, bool alone, UpdateReport &report) {
  training_.fill(index, batch_);
  // Where batches follow each other, the first one of an epoch has none before it.
  if (index == 0)
    losses_.begin(batch_.rows);
  int64_t rng[2] = {static_cast<int64_t>(options_.seed), state_.draws};
  const TensorView more[] = {TensorView(ElementType::i64, {2}, rng), TensorView(ElementType::f32, {4}, hyper_.data())};
  float norm = 0;
  if (alone)
    BIFOCAL_RETURN_IF_ERROR(losses_.run("train_step", batch_, more, report.sums, &norm));
  else
    BIFOCAL_RETURN_IF_ERROR(losses_.run("accumulate_gradients", batch_, std::span(more).first(1), report.sums));
  ++state_.draws;
  report.gradientNorm = norm;
  return Status();
}

Status Trainer::applyGradients(UpdateReport &report) {
  auto count = static_cast<float>(report.sums.tokens);
  float norm = 0;
  const TensorView inputs[] = {scalar(count), TensorView(ElementType::f32, {4}, hyper_.data())};
  const TensorView outputs[] = {scalar(norm)};
  BIFOCAL_RETURN_IF_ERROR(session_.run("apply_gradients", inputs, outputs));
  report.gradientNorm = norm;
  return Status();
}

Status Trainer::update() {
  const Clock::time_point begin = Clock::now();
  UpdateReport report;
  validationLoss_.reset();
  report.rate = schedule_.rate(state_.updates);
  hyper_ = options_.optimizer.hyper(schedule_, state_.updates, options_.clipNorm);
  // The last update of an epoch may have fewer batches than the others.
  const int64_t end = std::min<int64_t>(state_.cursor + options_.updateFrequency, training_.batches());
  for (int64_t i = state_.cursor; i < end; ++i)
    BIFOCAL_RETURN_IF_ERROR(runBatch(order_[static_cast<size_t>(i)], options_.updateFrequency == 1, report));
  if (options_.updateFrequency > 1)
    BIFOCAL_RETURN_IF_ERROR(applyGradients(report));
  state_.cursor = end;
  ++state_.updates;
  report.update = state_.updates;
  report.epoch = state_.epoch;
  report.seconds = secondsSince(begin);
  if (!std::isfinite(report.sums.loss) || !std::isfinite(report.gradientNorm))
    return Status(
        StatusCode::numericMismatch,
        fmt::format("expects finite numbers, but update {} gave the loss {} and the gradient norm {}; the last "
                    "checkpoint is from before; continue from it with a lower --lr or --clip-norm and "
                    "--resume=changed",
                    state_.updates, report.sums.lossPerToken(), report.gradientNorm));
  observer_.onUpdate(report);
  return Status();
}

Status Trainer::validate() {
  state_.validatedAt = state_.updates;
  if (!validation_)
    return Status();
  const Clock::time_point begin = Clock::now();
  Result<LossSums> sums = evaluateData(session_, manifest_, *validation_);
  if (!sums.ok())
    return sums.status();
  if (!std::isfinite(sums->loss))
    return Status(
        StatusCode::numericMismatch,
        fmt::format("expects a finite validation loss, but got {} after update {}", sums->loss, state_.updates));
  ValidationReport report{state_.updates, state_.epoch, *sums};
  report.isBest = state_.validations == 0 || sums->lossPerToken() < state_.bestLoss;
  report.seconds = secondsSince(begin);
  validationLoss_ = sums->lossPerToken();
  ++state_.validations;
  ++state_.validationsSinceBest;
  if (report.isBest) {
    state_.bestLoss = sums->lossPerToken();
    state_.validationsSinceBest = 0;
    BIFOCAL_RETURN_IF_ERROR(writeWeights(folder_ + "/best.safetensors", manifest_, session_));
  }
  observer_.onValidation(report);
  return Status();
}

Status Trainer::save() {
  BIFOCAL_RETURN_IF_ERROR(writeCheckpoint(lastPath(), manifest_, session_, state_, losses_.memory()));
  observer_.onCheckpoint(lastPath(), state_.updates);
  return Status();
}

/// Keeps the parameters as they are now where the options ask for it, and removes what they ask for no longer.
Status Trainer::keep() {
  if (options_.keepLast == 0 && (options_.keepBest == 0 || !validationLoss_))
    return Status();
  BIFOCAL_RETURN_IF_ERROR(writeKeptWeights(folder_, manifest_, session_, state_.updates, validationLoss_));
  return pruneKeptWeights(folder_, options_.keepLast, options_.keepBest);
}

/// The checkpoint comes second: what it says is done has been kept.
Status Trainer::saveAndKeep() {
  BIFOCAL_RETURN_IF_ERROR(keep());
  return save();
}

std::optional<TrainEnd> Trainer::reachedLimit() const {
  if (options_.maxUpdates > 0 && state_.updates >= options_.maxUpdates)
    return TrainEnd::maxUpdates;
  if (options_.maxEpochs > 0 && state_.epoch > options_.maxEpochs)
    return TrainEnd::maxEpochs;
  if (options_.patience > 0 && state_.validationsSinceBest >= options_.patience)
    return TrainEnd::patience;
  if (options_.maxSeconds > 0 && secondsSince(begin_) >= options_.maxSeconds)
    return TrainEnd::maxTime;
  return std::nullopt;
}

Result<TrainEnd> Trainer::run(const std::atomic<bool> &stop) {
  begin_ = Clock::now();
  removeLeftovers(folder_);
  if (options_.keepLast > 0 || options_.keepBest > 0)
    BIFOCAL_RETURN_IF_ERROR(removeKeptWeightsAfter(folder_, state_.updates));
  const int64_t before = state_.updates;
  order_ = training_.epochOrder(options_.seed, state_.epoch);
  std::optional<TrainEnd> limit = reachedLimit();
  while (!limit && !stop) {
    BIFOCAL_RETURN_IF_ERROR(update());
    const bool epochEnds = state_.cursor == training_.batches();
    const auto isDue = [&](int64_t every) { return every > 0 ? state_.updates % every == 0 : epochEnds; };
    const bool validates = isDue(options_.validateEvery);
    if (validates)
      BIFOCAL_RETURN_IF_ERROR(validate());
    if (epochEnds) {
      ++state_.epoch;
      state_.cursor = 0;
      order_ = training_.epochOrder(options_.seed, state_.epoch);
    }
    limit = reachedLimit();
    // A validation is followed by a checkpoint, so that a resumed run knows of the best one it has written.
    // A run whose time is up is a pause: it does what was due, as a run without a limit does.
    if ((!limit || *limit == TrainEnd::maxTime) && (validates || isDue(options_.saveEvery)))
      BIFOCAL_RETURN_IF_ERROR(saveAndKeep());
  }
  if (!limit || *limit == TrainEnd::maxTime) {
    BIFOCAL_RETURN_IF_ERROR(save());
    return limit.value_or(TrainEnd::interrupted);
  }
  if (state_.validatedAt != state_.updates)
    BIFOCAL_RETURN_IF_ERROR(validate());
  // A run that had nothing to do has nothing new to keep.
  if (state_.updates > before)
    BIFOCAL_RETURN_IF_ERROR(keep());
  BIFOCAL_RETURN_IF_ERROR(save());
  return *limit;
}

} // namespace bifocal
