// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/LexicalTable.h"
#include "runtime/data/Prepared.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

using namespace bifocal;

namespace {

struct Options {
  std::string data, output, split = "train";
  LexicalOptions table;
};

Status run(Options &options) {
  const Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  if (data->isMonolingual())
    return {StatusCode::usage,
            "expects data of pairs, which translations are learned from, but the data is text in one "
            "language"};
  const Result<Corpus> source = data->corpus(options.split, data->sourceLanguage());
  if (!source.ok())
    return source.status();
  const Result<Corpus> target = data->corpus(options.split, data->targetLanguage());
  if (!target.ok())
    return target.status();
  if (source->sentences() != target->sentences())
    return {StatusCode::malformed,
            fmt::format("expects as many sentences in {} as in {}, but got {} and {}", data->targetLanguage(),
                        data->sourceLanguage(), target->sentences(), source->sentences())};
  tools::say("{} pairs\n", source->sentences());
  options.table.vocabularies = tools::describeVocabularies(*data);
  const LexicalTable table = learnLexicalTable(*source, *target, options.table, [&](int64_t iteration, double bits) {
    tools::say("iteration {} of {}: {:.3f} bits per target token before\n", iteration, options.table.iterations, bits);
  });
  return table.write(options.output);
}

} // namespace

void tools::addShortList(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand(
      "short-list", "Learn which target tokens translate a source token, for `generate --short-list`");
  verb->add_option("data", options->data, "Folder of pairs that `bifocal prepare` made")->required();
  verb->add_option("-o,--output", options->output, "Where the table goes (.safetensors)")->required();
  verb->add_option("--split", options->split, "The pairs to learn from")->capture_default_str();
  verb->add_option("--best", options->table.best, "Target tokens kept of a source token, the likeliest")
      ->check(integerFrom(1))
      ->capture_default_str();
  verb->add_option("--iterations", options->table.iterations, "Of expectation maximisation on IBM Model 1")
      ->check(integerFrom(1))
      ->capture_default_str();
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
