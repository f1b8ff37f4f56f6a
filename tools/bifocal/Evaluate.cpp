// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Trainer.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/Split.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace bifocal;

namespace {

struct Options {
  tools::ModelOptions model;
  std::string data, split = "valid", format = "text";
  int64_t maxTokens = 4000;
  bool maxTokensGiven = false;
  std::optional<int64_t> contextWindow, tokensPerSample, memory;
};

/// What belongs to language models alone, as the model was trained but for what the command line says.
Result<std::optional<BlockOptions>> blockOptions(const Options &options, const Artifact &artifact,
                                                 const std::optional<BlockOptions> &trained) {
  if (!tools::isLanguageModel(artifact)) {
    for (const auto &[flag, value] : {std::pair("--context-window", options.contextWindow),
                                      {"--tokens-per-sample", options.tokensPerSample},
                                      {"--memory", options.memory}})
      if (value)
        return Status(StatusCode::usage,
                      fmt::format("{} belongs to language models, but this is a translation model", flag));
    return std::optional<BlockOptions>();
  }
  BlockOptions blocks = trained.value_or(BlockOptions());
  blocks.contextWindow = options.contextWindow.value_or(0);
  blocks.tokensPerSample = options.tokensPerSample.value_or(blocks.tokensPerSample);
  return std::optional(blocks);
}

/// Says so where rows are longer than in training: what a model makes of positions that it has never seen may be worth
/// nothing, and its figures look like those of a bad model.
void warnOfPositions(const BlockOptions &blocks, const std::optional<BlockOptions> &trained) {
  if (trained && blocks.tokensPerSample > trained->tokensPerSample)
    tools::say(
        "warning: rows have {} steps, but {} in training: what is behind has positions that were not trained on\n",
        blocks.tokensPerSample, trained->tokensPerSample);
}

void print(const Options &options, const LossSums &sums, const tools::Split &split, tools::LossUnit unit,
           double seconds) {
  const auto tokens = static_cast<int64_t>(sums.tokens);
  const bool bits = unit == tools::LossUnit::bitsPerCharacter, pairs = split.corpora.size() > 1;
  if (options.format == "json") {
    nlohmann::json json = {{"loss", sums.lossPerToken()},
                           {"nll", sums.nllPerToken()},
                           {"perplexity", sums.perplexity()},
                           {"tokens", tokens},
                           {pairs ? "sentences" : "blocks", split.batches->samples()},
                           {"tokens_per_second", sums.tokens / seconds}};
    if (bits)
      json["bits_per_character"] = sums.bitsPerCharacter();
    if (sums.spans) {
      json["span_mean"] = sums.spans->mean;
      json["span_max"] = sums.spans->largest;
    }
    fmt::print("{}\n", json.dump());
    return;
  }
  const std::string perCharacter = bits ? fmt::format("bits per character {:.4f} ", sums.bitsPerCharacter()) : "";
  const std::string speed = pairs ? "" : fmt::format(", {:.0f} tokens/s", sums.tokens / seconds);
  const std::string spans =
      sums.spans ? fmt::format(", span {:.1f}, longest {:.1f}", sums.spans->mean, sums.spans->largest) : "";
  fmt::print("loss {:.4f} nll {:.4f} {}ppl {:.3f} over {} tokens of {} {}{}{}\n", sums.lossPerToken(),
             sums.nllPerToken(), perCharacter, sums.perplexity(), tokens, split.batches->samples(),
             pairs ? "sentences" : "blocks", speed, spans);
}

Status run(const Options &options) {
  Result<std::unique_ptr<Session>> session = options.model.openWithWeights();
  if (!session.ok())
    return session.status();
  const Artifact &artifact = (*session)->artifact();
  Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  BIFOCAL_RETURN_IF_ERROR(tools::checkVocabularies(artifact, *data));
  const Result<TrainingOptions> training = TrainingOptions::read(artifact.manifest().training);
  if (!training.ok())
    return training.status();
  const Result<std::optional<BlockOptions>> blocks = blockOptions(options, artifact, training->blocks);
  if (!blocks.ok())
    return blocks.status();
  BatchLimits limits{options.maxTokens, 0, 1};
  // In one stream every step remembers what is before it.
  const bool remembers = MemorySettings::isUsed(artifact.manifest());
  if (*blocks && remembers && !options.maxTokensGiven)
    limits.maxTokens = (*blocks)->tokensPerSample;
  Result<tools::Split> split = tools::Split::open(*data, options.split, {limits, *blocks}, artifact);
  if (!split.ok())
    return split.status();
  if (*blocks && !remembers)
    warnOfPositions(**blocks, training->blocks);
  const auto begin = std::chrono::steady_clock::now();
  const Result<LossSums> sums = evaluateData(**session, artifact.manifest(), *split->batches, options.memory);
  if (!sums.ok())
    return sums.status();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (split->batches->skipped() > 0)
    tools::say("left out {} {} that are too long\n", split->batches->skipped(), split->unit());
  print(options, *sums, *split, tools::lossUnit(*data), std::max(seconds, 1e-9));
  return Status();
}

} // namespace

void tools::addEvaluate(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb =
      app.add_subcommand("evaluate", "Loss, perplexity, and of bytes bits per character, of a model on prepared data");
  options->model.addModel(*verb);
  verb->add_option("data", options->data, "Folder that `bifocal prepare` made")->required();
  options->model.addWeights(*verb);
  verb->add_option("--split", options->split, "Part of the data")->capture_default_str();
  const CLI::Option *most = verb->add_option("--max-tokens", options->maxTokens,
                                             "Largest batch: sentences x longest of them; 0: no limit; of a model with "
                                             "a memory: parallel streams x tokens of a segment, without it one stream")
                                ->check(integerFrom(0))
                                ->capture_default_str();
  verb->add_option("--format", options->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  const char *group = "Language models";
  verb->add_option("--context-window", options->contextWindow,
                   "Tokens before each block that are read and not scored; default: 0")
      ->check(integerFrom(0))
      ->group(group);
  verb->add_option("--tokens-per-sample", options->tokensPerSample,
                   "Tokens of a row, with that context; default: the spec's")
      ->check(integerFrom(1))
      ->group(group);
  verb->add_option("--memory", options->memory,
                   "Steps of earlier segments that are kept, of a model with a memory; default: the spec's")
      ->check(integerFrom(0))
      ->group(group);
  options->model.device.add(*verb);
  verb->callback([options, most, &exitCode] {
    options->maxTokensGiven = most->count() > 0;
    exitCode = report(run(*options));
  });
}
