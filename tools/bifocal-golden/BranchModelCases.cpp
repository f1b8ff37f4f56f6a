// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Whole Lite Transformers: forward, gradients, ten updates with the published schedule, beam search.
#include "runtime/decode/BeamSearch.h"
#include "runtime/decode/SessionStepper.h"
#include "runtime/train/Schedule.h"
#include "tools/bifocal-golden/ModelCases.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

/// The published schedule, from the file's settings.
static Result<Schedule> scheduleOf(const json &settings) {
  ScheduleOptions options;
  options.name = settings.value("lr_scheduler", "cosine"); // the language model's has no name
  const double rate = settings["lr"][0];
  options.rate = settings.value("max_lr", rate);
  options.minRate = options.name == "cosine" ? rate : 0;
  options.warmupUpdates = settings.value("warmup_updates", int64_t(0));
  options.warmupInitRate = settings.value("warmup_init_lr", 0.0);
  options.periodUpdates = settings.value("lr_period_updates", int64_t(-1));
  options.periodMult = settings.value("t_mult", 1.0);
  options.shrink = settings.value("lr_shrink", 1.0);
  options.maxUpdates = settings.value("max_update", int64_t(0));
  return Schedule::create(options);
}

/// Ten updates by the published schedule, whose rates the file has too. `hyper` makes the inputs of the optimizer from
/// them.
static Result<ExpectedUpdates> updatesOf(const GoldenFile &file, Comparison &comparison) {
  Result<Schedule> schedule = scheduleOf(file.hparams["optimizer"]);
  if (!schedule.ok())
    return schedule.status();
  const std::vector<float> &losses = file["output.loss_sum"].values, &norms = file["output.grad_norm"].values;
  ExpectedUpdates updates;
  updates.losses.assign(losses.begin(), losses.end());
  updates.norms.assign(norms.begin(), norms.end());
  for (float rate : file["output.lr"].values) {
    const size_t update = updates.rates.size();
    updates.rates.push_back(schedule->rate(static_cast<int64_t>(update)));
    comparison.absolute(fmt::format("lr {}", update), updates.rates.back(), rate, 1e-6 * rate);
  }
  return updates;
}

static Status compareTenUpdates(CompiledModule &module, const GoldenFile &file, Batch &batch, Comparison &comparison) {
  Result<ExpectedUpdates> updates = updatesOf(file, comparison);
  if (!updates.ok())
    return updates.status();
  const std::vector<float> &plain = file["output.nll_sum"].values;
  updates->likelihoods.assign(plain.begin(), plain.end());
  updates->hyper = [rates = updates->rates](size_t update) -> std::array<float, 4> {
    const double steps = static_cast<double>(update) + 1;
    const double correction = std::sqrt(1 - std::pow(0.98, steps)) / (1 - std::pow(0.9, steps));
    return {static_cast<float>(rates[update]), static_cast<float>(rates[update] * correction), 0, 0};
  };
  return compareTraining(module, file, *updates, batch, comparison);
}

Status golden::compareBranchModel(const GoldenFile &file, Comparison &comparison) {
  auto module = CompiledModule::ofSpec(specOfBranchModel(file), /*training=*/true);
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  Batch batch(file);
  BIFOCAL_RETURN_IF_ERROR(compareForward(**module, file, batch, comparison));
  BIFOCAL_RETURN_IF_ERROR((*module)->run("accumulate_gradients", batch.arguments()));
  // The file has the gradient of the mean.
  compareGradients(**module, file, static_cast<double>(file.integer("ntokens")), comparison);
  return compareTenUpdates(**module, file, batch, comparison);
}

Status golden::compareBranchLanguageModel(const GoldenFile &original, Comparison &comparison) {
  GoldenFile file = original;
  file.tensors["output.lprobs"] = file["output.log_probs"];
  auto module = CompiledModule::ofSpec(specOfBranchLanguageModel(file), /*training=*/true);
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  Batch batch(file);
  auto arguments = batch.arguments();
  const GoldenTensor &expected = file["output.lprobs"];
  HostTensor found = HostTensor::zeros(expected.shape);
  arguments["logits"] = &found;
  BIFOCAL_RETURN_IF_ERROR((*module)->run("forward", arguments));
  compareReal("output.log_probs", found.floats(), expected.values, file["input.src_tokens"], comparison);
  BIFOCAL_RETURN_IF_ERROR(compareDecoding(**module, file, comparison));
  BIFOCAL_RETURN_IF_ERROR((*module)->run("accumulate_gradients", batch.arguments()));
  comparison.equal("count", batch.value(batch.count) == static_cast<double>(file.integer("ntokens")));
  compareGradients(**module, file, static_cast<double>(file.integer("ntokens")), comparison);
  Result<ExpectedUpdates> updates = updatesOf(file, comparison);
  if (!updates.ok())
    return updates.status();
  updates->hyper = [rates = updates->rates,
                    clip = file.hparams["optimizer"].value("clip_norm", 0.0)](size_t update) -> std::array<float, 4> {
    const double change = update == 0 ? 1 : rates[update] / rates[update - 1];
    return {static_cast<float>(rates[update]), static_cast<float>(change), static_cast<float>(clip), 0};
  };
  return compareTraining(**module, file, *updates, batch, comparison);
}

static BeamOptions optionsOf(const json &setting) {
  BeamOptions options;
  options.beam = setting.value("beam", int64_t(4));
  options.lengthPenalty = setting.value("lenpen", 1.0);
  options.maxLengthRatio = setting.value("max_len_a", 0.0);
  options.maxLengthOffset = setting.value("max_len_b", int64_t(200));
  options.minLength = setting.value("min_len", int64_t(1));
  options.noRepeatNgram = setting.value("no_repeat_ngram_size", int64_t(0));
  return options;
}

/// Hypotheses of all sentences; the file's tensors are [sentence, hypothesis, token].
static void compareHypotheses(const GoldenFile &file, const std::string &prefix,
                              const std::vector<std::vector<Hypothesis>> &found, Comparison &comparison) {
  const GoldenTensor &tokens = file[prefix + "tokens"], &lengths = file[prefix + "lengths"];
  const GoldenTensor &scores = file[prefix + "scores"], &tokenScores = file[prefix + "positional_scores"];
  const int64_t hypotheses = lengths.shape[1], width = tokens.shape[2];
  for (int64_t sentence = 0; sentence < lengths.shape[0]; ++sentence) {
    const std::vector<Hypothesis> &own = found[static_cast<size_t>(sentence)];
    comparison.equal(fmt::format("{}number[{}]", prefix, sentence), std::ssize(own) == hypotheses);
    for (int64_t i = 0; i < std::min<int64_t>(hypotheses, std::ssize(own)); ++i) {
      const int64_t place = sentence * hypotheses + i, length = lengths.integers[place];
      const Hypothesis &hypothesis = own[static_cast<size_t>(i)];
      const auto first = tokens.integers.begin() + place * width;
      comparison.equal(fmt::format("{}tokens[{}][{}]", prefix, sentence, i),
                       std::equal(hypothesis.tokens.begin(), hypothesis.tokens.end(), first, first + length));
      comparison.absolute(prefix + "scores", hypothesis.score, scores.values[place], scoreBound);
      for (int64_t t = 0; t < std::min<int64_t>(length, std::ssize(hypothesis.tokenScores)); ++t)
        comparison.absolute(prefix + "positional_scores", hypothesis.tokenScores[t],
                            tokenScores.values[place * width + t], scoreBound);
    }
  }
}

Status golden::compareBranchBeams(const GoldenFile &file, Comparison &comparison) {
  auto module = CompiledModule::ofSpec(specOfBranchModel(file));
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  const GoldenTensor &source = file["input.src_tokens"];
  const std::vector<int32_t> tokens(source.integers.begin(), source.integers.end());
  const int64_t sentences = source.shape[0], steps = source.shape[1];
  // The published limit counts the padded length.
  const std::vector<int64_t> lengths(static_cast<size_t>(sentences), steps);
  for (const json &setting : file.hparams["settings"]) {
    Result<SessionStepper> stepper = SessionStepper::create((*module)->session());
    if (!stepper.ok())
      return stepper.status();
    stepper->setSource(tokens, sentences, steps);
    Result<std::vector<std::vector<Hypothesis>>> found = beamSearch(*stepper, lengths, optionsOf(setting));
    if (!found.ok())
      return found.status();
    compareHypotheses(file, fmt::format("output.{}.", setting.value("id", "")), *found, comparison);
  }
  return {};
}
