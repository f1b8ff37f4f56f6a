// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Trainer.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace bifocal;

namespace {

struct Options {
  tools::ModelOptions model;
  std::string data, split = "valid", format = "text";
  int64_t maxTokens = 4000;
};

Status run(const Options &options) {
  Result<std::unique_ptr<Session>> session = options.model.openWithWeights();
  if (!session.ok())
    return session.status();
  const Artifact &artifact = (*session)->artifact();
  Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  BIFOCAL_RETURN_IF_ERROR(tools::checkVocabularies(artifact, *data));
  Result<Corpus> source = data->corpus(options.split, data->sourceLanguage());
  if (!source.ok())
    return source.status();
  Result<Corpus> target = data->corpus(options.split, data->targetLanguage());
  if (!target.ok())
    return target.status();
  const Result<int64_t> positions = tools::maxPositions(artifact);
  if (!positions.ok())
    return positions.status();
  const Result<ParallelData> pairs = ParallelData::create(*source, *target, {options.maxTokens, 0, 1}, *positions, 1);
  if (!pairs.ok())
    return pairs.status();
  const Result<LossSums> sums = evaluateData(**session, *pairs);
  if (!sums.ok())
    return sums.status();
  if (pairs->skipped() > 0)
    tools::say("left out {} pairs that are too long\n", pairs->skipped());
  if (options.format == "json")
    fmt::print("{}\n", nlohmann::json({{"loss", sums->lossPerToken()},
                                       {"nll", sums->nllPerToken()},
                                       {"perplexity", sums->perplexity()},
                                       {"tokens", static_cast<int64_t>(sums->tokens)},
                                       {"sentences", pairs->sentences()}})
                           .dump());
  else
    fmt::print("loss {:.4f} nll {:.4f} ppl {:.3f} over {} tokens of {} sentences\n", sums->lossPerToken(),
               sums->nllPerToken(), sums->perplexity(), static_cast<int64_t>(sums->tokens), pairs->sentences());
  return Status();
}

} // namespace

void tools::addEvaluate(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("evaluate", "Loss and perplexity of a model on prepared data, per target token");
  options->model.addModel(*verb);
  verb->add_option("data", options->data, "Folder that `bifocal prepare` made")->required();
  options->model.addWeights(*verb);
  verb->add_option("--split", options->split, "Part of the data")->capture_default_str();
  verb->add_option("--max-tokens", options->maxTokens, "Largest batch: sentences x longest of them; 0: no limit")
      ->check(integerFrom(0))
      ->capture_default_str();
  verb->add_option("--format", options->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  options->model.device.add(*verb);
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
