// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/File.h"
#include "runtime/train/KeptWeights.h"
#include "runtime/train/Trainer.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/Progress.h"
#include "tools/bifocal/Split.h"
#include "tools/bifocal/TensorBoard.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

using namespace bifocal;
using namespace bifocal::tools;

namespace {

/// What the command line changes about the training table of the spec.
struct Overrides {
  std::optional<double> rate, clipNorm, maxSeconds;
  std::optional<int64_t> warmupUpdates, maxTokens, maxSentences, updateFrequency, maxUpdates, maxEpochs, validateEvery,
      saveEvery, patience, keepLast, keepBest;
  std::optional<uint64_t> seed;

  void apply(TrainingOptions &options) const {
    const auto set = [](auto &field, const auto &value) {
      if (value)
        field = *value;
    };
    set(options.schedule.rate, rate);
    set(options.schedule.warmupUpdates, warmupUpdates);
    set(options.clipNorm, clipNorm);
    set(options.maxSeconds, maxSeconds);
    set(options.limits.maxTokens, maxTokens);
    set(options.limits.maxSentences, maxSentences);
    set(options.updateFrequency, updateFrequency);
    set(options.maxUpdates, maxUpdates);
    set(options.maxEpochs, maxEpochs);
    set(options.validateEvery, validateEvery);
    set(options.saveEvery, saveEvery);
    set(options.patience, patience);
    set(options.keepLast, keepLast);
    set(options.keepBest, keepBest);
    set(options.seed, seed);
  }
};

struct Options {
  ModelOptions model;
  Overrides overrides;
  std::string data, folder, resume = "never", logFormat = "auto", trainSplit = "train", validSplit = "valid";
  std::string tensorBoard; ///< empty: in the folder
  bool validSplitGiven = false, writesTensorBoard = false;
  int64_t logEvery = 50;
};

std::atomic<bool> stopRequested{false};

bool isIgnored(int number) {
  struct sigaction action {};
  return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// timeout(1) and service managers send a signal to a process and to its group: what comes so soon after the first is
/// the same request, not a second one.
constexpr std::chrono::milliseconds oneRequest{500};

/// The first signal asks for an orderly end, a second one ends at once, also where it is another one.
void onStopSignal(int number) {
  static std::atomic<int64_t> first{0};
  static_assert(std::atomic<int64_t>::is_always_lock_free, "a signal handler must not wait");
  struct timespec now {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t milliseconds = 1000 * int64_t{now.tv_sec} + now.tv_nsec / 1'000'000;
  int64_t none = 0;
  stopRequested = true;
  if (first.compare_exchange_strong(none, milliseconds) || milliseconds - none < oneRequest.count())
    return;
  std::signal(number, SIG_DFL);
  raise(number);
}

/// SIGHUP comes from a terminal that closes, SIGPIPE when nobody reads the log any more; where they are ignored, as
/// under `nohup` and some service managers, they stay so.
void stopOnSignals() {
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = onStopSignal;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  if (!isIgnored(SIGHUP))
    sigaction(SIGHUP, &action, nullptr);
  // Each further line of the log gives one more: none of them may end the training before it has saved.
  action.sa_handler = [](int) { stopRequested = true; };
  if (!isIgnored(SIGPIPE))
    sigaction(SIGPIPE, &action, nullptr);
}

LogFormat logFormat(const Options &options) {
  if (options.logFormat == "json")
    return LogFormat::json;
  if (options.logFormat == "bar" || (options.logFormat == "auto" && isatty(STDERR_FILENO)))
    return LogFormat::bar;
  return LogFormat::plain;
}

/// A part of the data; what of it no batch has is said.
Result<Split> openSplit(const PreparedData &data, const std::string &name, const SplitOptions &options,
                        const Artifact &artifact) {
  Result<Split> split = Split::open(data, name, options, artifact);
  if (!split.ok())
    return split.status();
  if (split->batches->skipped() > 0)
    say("{}: left out {} {} that are too long\n", name, split->batches->skipped(), split->unit());
  if (split->batches->leftOver() > 0)
    say("{}: left out {} {}, fewer than the multiple of a batch\n", name, split->batches->leftOver(), split->unit());
  return split;
}

bool hasSplit(const PreparedData &data, const std::string &name) {
  return std::find(data.splits().begin(), data.splits().end(), name) != data.splits().end();
}

/// Whether there is a checkpoint to continue from; an error where --resume says otherwise.
Result<bool> findCheckpoint(const Options &options) {
  const std::string last = options.folder + "/last.safetensors";
  std::error_code ignored;
  const bool exists = std::filesystem::exists(last, ignored);
  if (exists && options.resume == "never")
    return Status(StatusCode::usage,
                  fmt::format("'{}' is there already; continue with --resume=auto or choose another folder", last));
  if (!exists && (options.resume == "must" || options.resume == "changed"))
    return Status(StatusCode::cannotRead,
                  fmt::format("expects a checkpoint '{}' to continue from, but there is none", last));
  return exists;
}

/// Begins anew, or continues from the folder's checkpoint.
Status start(Trainer &trainer, const Options &options, bool resumes) {
  if (!resumes) {
    trainer.initialize();
    return Status();
  }
  BIFOCAL_RETURN_IF_ERROR(trainer.resume(options.resume == "changed"));
  say("continues after update {}, epoch {}\n", trainer.state().updates, trainer.state().epoch);
  return Status();
}

std::string_view describe(TrainEnd end) {
  switch (end) {
  case TrainEnd::maxUpdates:
    return "done: the last update";
  case TrainEnd::maxEpochs:
    return "done: the last epoch";
  case TrainEnd::maxTime:
    return "done: time is up; continue with --resume=auto";
  case TrainEnd::patience:
    return "done: the validation loss no longer falls";
  case TrainEnd::interrupted:
    return "stopped and saved; continue with --resume=auto";
  }
  return "";
}

/// The folder of checkpoints, and whether it can be written to: better said now than when the first one is due.
Status prepareFolder(const Options &options, bool resumes) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error)
    return Status(StatusCode::cannotRead, fmt::format("cannot create '{}': {}", options.folder, error.message()));
  if (const Result<std::unique_ptr<AtomicFile>> file = AtomicFile::create(options.folder + "/last.safetensors");
      !file.ok())
    return file.status();
  // Unless --resume allows for a run that ended before its first checkpoint, weights and curves are another training's.
  const bool isNew = !resumes && options.resume == "never";
  if (isNew && (hasKeptWeights(options.folder) || std::filesystem::exists(options.folder + "/best.safetensors", error)))
    return Status(StatusCode::usage, fmt::format("'{}' has weights of another training already; remove them or choose "
                                                 "another folder",
                                                 options.folder));
  if (options.writesTensorBoard && isNew && EventFile::anyIn(options.tensorBoard))
    return Status(StatusCode::usage, fmt::format("'{}' has a curve of another training already; remove it or choose "
                                                 "another folder with --tensorboard=DIR",
                                                 options.tensorBoard));
  return Status();
}

/// What the default is: to validate where there is a text for it; a split that was named must be there.
Result<Split> openValidation(const PreparedData &data, const TrainingOptions &training, const Options &options,
                             const Artifact &artifact) {
  if (!options.validSplitGiven && !hasSplit(data, options.validSplit))
    return Split();
  // All of it, in batches of any number of sentences: what `evaluate` computes too.
  const BatchLimits limits{training.limits.maxTokens, training.limits.maxSentences};
  return openSplit(data, options.validSplit, {limits, training.blocks, training.seed}, artifact);
}

/// Where a file could not be written, what is there of the training is worth knowing.
Status withAdvice(const Status &status, const Options &options) {
  std::error_code ignored;
  if (status.code() != StatusCode::cannotRead ||
      !std::filesystem::exists(options.folder + "/last.safetensors", ignored))
    return status;
  return {status.code(), status.message() + "; the checkpoint from before is whole: continue with --resume=auto when "
                                            "files can be written again"};
}

Status train(Session &session, const PreparedData &data, const TrainingOptions &training, const Options &options,
             bool resumes) {
  const Artifact &artifact = session.artifact();
  Result<Split> text = openSplit(data, options.trainSplit, {training.limits, training.blocks, training.seed}, artifact);
  if (!text.ok())
    return text.status();
  const Result<Split> validation = openValidation(data, training, options, artifact);
  if (!validation.ok())
    return validation.status();
  const LossUnit unit = lossUnit(data);
  Progress progress(logFormat(options), options.logEvery, training, unit);
  TensorBoard observer(options.logEvery, training, unit, progress);
  Result<Trainer> trainer = Trainer::create(session, artifact.manifest(), *text->batches, validation->batches.get(),
                                            training, options.folder, {text->digest(), validation->digest()}, observer);
  if (!trainer.ok())
    return trainer.status();
  BIFOCAL_RETURN_IF_ERROR(prepareFolder(options, resumes));
  say("{} {} in {} batches, {} parameters, {}\n", text->batches->samples(), text->unit(), text->batches->batches(),
      artifact.manifest().trainedParameters(), session.deviceDescription());
  const bool endsItself = training.maxUpdates > 0 || training.maxEpochs > 0 || training.maxSeconds > 0 ||
                          (training.patience > 0 && validation->batches);
  if (!endsItself)
    say("no limit: trains until Ctrl-C, which saves; set one with --max-update, --max-epoch, --max-time or "
        "--patience\n");
  BIFOCAL_RETURN_IF_ERROR(start(*trainer, options, resumes));
  if (options.writesTensorBoard)
    BIFOCAL_RETURN_IF_ERROR(observer.open(options.tensorBoard, trainer->state().updates));
  stopOnSignals();
  const Result<TrainEnd> end = trainer->run(stopRequested);
  progress.endLine();
  if (!end.ok())
    return withAdvice(end.status(), options);
  say("{} ({} updates, {})\n", describe(*end), trainer->state().updates, options.folder);
  return Status();
}

Status run(const Options &options) {
  const Result<bool> resumes = findCheckpoint(options);
  if (!resumes.ok())
    return resumes.status();
  Result<std::shared_ptr<const Artifact>> artifact = options.model.openArtifact();
  if (!artifact.ok())
    return artifact.status();
  Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  BIFOCAL_RETURN_IF_ERROR(checkVocabularies(**artifact, *data));
  Result<TrainingOptions> training = TrainingOptions::read((*artifact)->manifest().training);
  if (!training.ok())
    return training.status();
  options.overrides.apply(*training);
  Result<std::unique_ptr<Session>> session = options.model.openSession(*artifact, /*training=*/true);
  if (!session.ok())
    return session.status();
  return train(**session, *data, *training, options, *resumes);
}

/// The option that names the validation text.
const CLI::Option *addData(CLI::App &verb, Options &options) {
  verb.add_option("data", options.data, "Folder that `bifocal prepare` made")->required();
  verb.add_option("--train-split", options.trainSplit, "Part of the data to train on")
      ->capture_default_str()
      ->group("Data");
  return verb
      .add_option("--valid-split", options.validSplit,
                  "Part of the data to validate on; default: valid, if it is there")
      ->group("Data");
}

void addResume(CLI::App &verb, Options &options) {
  verb.add_option("--resume", options.resume,
                  "Continue from the folder's checkpoint: never, auto (if there is one), must, changed (must, and "
                  "options such as --lr may differ from those that it was trained with)")
      ->check(CLI::IsMember({"never", "auto", "must", "changed"}))
      ->capture_default_str()
      ->group("Checkpoints");
}

void addLog(CLI::App &verb, Options &options) {
  verb.add_option("--log-format", options.logFormat, "auto (bar on a terminal, else plain), bar, plain or json")
      ->check(CLI::IsMember({"auto", "bar", "plain", "json"}))
      ->capture_default_str()
      ->group("Log");
  verb.add_option("--log-every", options.logEvery, "Updates per line of plain and json logs, and per point of a curve")
      ->check(integerFrom(1))
      ->capture_default_str()
      ->group("Log");
}

} // namespace

void tools::addTrain(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  Overrides &o = options->overrides;
  CLI::App *verb = app.add_subcommand("train", "Train a compiled model on prepared data");
  options->model.addModel(*verb);
  const CLI::Option *valid = addData(*verb, *options);
  verb->add_option("-o,--output", options->folder, "Folder for checkpoints")->required();
  const auto group = [verb](const char *groupName) {
    return [verb, groupName](const char *name, auto &value, const char *help) {
      constexpr bool isNumber = std::is_same_v<std::decay_t<decltype(*value)>, double>;
      return verb->add_option(name, value, help)->group(groupName)->check(isNumber ? atLeast(0) : integerFrom(0));
    };
  };
  const char *limitGroup = "Length (default: the spec's training table)";
  const auto limit = group(limitGroup);
  limit("--max-update", o.maxUpdates, "Updates; 0: no limit");
  limit("--max-epoch", o.maxEpochs, "Epochs; 0: no limit");
  verb->add_option("--max-time", o.maxSeconds, "Time of this run, such as 90s, 45m or 1h30m; 0s: no limit")
      ->transform(seconds())
      ->type_name("TIME")
      ->group(limitGroup);
  limit("--patience", o.patience, "Validations without a new best; 0: no limit");
  const char *trainingGroup = "Training (default: the spec's training table)";
  const auto training = group(trainingGroup);
  training("--lr", o.rate, "Peak learning rate")->check(finite());
  training("--warmup-updates", o.warmupUpdates, "Updates until the peak");
  training("--max-tokens", o.maxTokens, "Largest batch: sentences x longest of them; 0: no limit");
  training("--max-sentences", o.maxSentences, "Most sentences of a batch; 0: no limit");
  verb->add_option("--update-freq", o.updateFrequency, "Batches per update")
      ->check(integerFrom(1))
      ->group(trainingGroup);
  training("--clip-norm", o.clipNorm, "Largest norm of the gradient; 0: off");
  training("--seed", o.seed, "Seed of parameters, order and dropout");
  const auto checkpoint = group("Checkpoints");
  checkpoint("--validate-every", o.validateEvery, "Updates between validations; 0: each epoch");
  checkpoint("--save-every", o.saveEvery, "Updates between checkpoints; 0: each epoch");
  checkpoint("--keep-last", o.keepLast, "Keep the parameters of the N last checkpoints too, to average them");
  checkpoint("--keep-best", o.keepBest, "Keep those of the N lowest validation losses");
  addResume(*verb, *options);
  addLog(*verb, *options);
  auto *tensorBoard = verb->add_option("--tensorboard", options->tensorBoard,
                                       "Write curves for TensorBoard to DIR; default: tensorboard in the output folder")
                          ->expected(0, 1)
                          ->type_name("[DIR]")
                          ->group("Log");
  options->model.device.add(*verb);
  verb->callback([options, valid, tensorBoard, &exitCode] {
    options->validSplitGiven = valid->count() > 0;
    options->writesTensorBoard = tensorBoard->count() > 0;
    if (options->tensorBoard.empty())
      options->tensorBoard = options->folder + "/tensorboard";
    exitCode = report(run(*options));
  });
}
