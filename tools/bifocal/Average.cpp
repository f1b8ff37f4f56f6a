// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Average.h"

#include "runtime/train/KeptWeights.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace bifocal;

namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string output;
  std::optional<int64_t> last, best;
};

/// What a training kept in its folder; as many as were asked for, or an error.
Result<std::vector<std::string>> chooseKept(const Options &options) {
  if (options.inputs.size() != 1)
    return Status(StatusCode::usage, fmt::format("expects one folder of a training with --last or --best, but got {}",
                                                 options.inputs.size()));
  const Result<std::vector<KeptWeights>> kept = listKeptWeights(options.inputs[0]);
  if (!kept.ok())
    return kept.status();
  const int64_t count = options.last ? *options.last : *options.best;
  const std::vector<KeptWeights> chosen = options.last ? lastOf(*kept, count) : bestOf(*kept, count);
  if (static_cast<int64_t>(chosen.size()) < count)
    return Status(
        StatusCode::cannotRead,
        fmt::format("expects {0} files update-<number>.safetensors{1} in '{2}', but there are {3}; a training "
                    "keeps them with --keep-{4}={0}",
                    count, options.last ? "" : " that were validated", options.inputs[0], chosen.size(),
                    options.last ? "last" : "best"));
  std::vector<std::string> paths;
  for (const KeptWeights &file : chosen)
    paths.push_back(file.path);
  return paths;
}

Status run(const Options &options) {
  std::vector<std::string> paths = options.inputs;
  if (options.last || options.best) {
    Result<std::vector<std::string>> chosen = chooseKept(options);
    if (!chosen.ok())
      return chosen.status();
    paths = chosen.take();
  }
  BIFOCAL_RETURN_IF_ERROR(averageWeights(paths, options.output));
  tools::say("{}: the mean of {}\n", options.output, fmt::join(paths, ", "));
  return Status();
}

} // namespace

void tools::addAverage(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("average", "Average the parameters of several checkpoints");
  verb->add_option("inputs", options->inputs,
                   "Checkpoints or weights (.safetensors); with --last or --best the folder of a training")
      ->required();
  verb->add_option("-o,--output", options->output, "Where the mean goes (.safetensors)")->required();
  auto *last = verb->add_option("--last", options->last, "The N last that `train --keep-last` kept")
                   ->check(atLeast(1))
                   ->group("Choice");
  verb->add_option("--best", options->best, "The N of the lowest validation loss that `train --keep-best` kept")
      ->check(atLeast(1))
      ->excludes(last)
      ->group("Choice");
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
