// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/LexicalTable.h"
#include "runtime/data/Text.h"
#include "runtime/data/Vocabulary.h"
#include "runtime/decode/Translator.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/GenerateText.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

using namespace bifocal;

using tools::integerFrom;

namespace {

struct Options {
  tools::ModelOptions model;
  std::string data, input = "-";
  TranslateOptions search;
  std::string shortList; ///< the file of a lexical table; empty: none
  int64_t nbest = 1;
  bool scores = false, noNormalize = false;
  tools::TextOptions text;
  CLI::Option *temperature = nullptr, *seed = nullptr;
  /// What only one kind of model takes.
  std::vector<const CLI::Option *> ofTranslation, ofText;
};

Status checkOptions(const Options &options, bool isLanguageModel) {
  for (const CLI::Option *option : isLanguageModel ? options.ofTranslation : options.ofText)
    if (option->count() > 0)
      return {StatusCode::usage, fmt::format("{} belongs to {}, but the model {}", option->get_name(),
                                             isLanguageModel ? "translation" : "language models",
                                             isLanguageModel ? "is a language model" : "translates")};
  return {};
}

/// Continues text. Without any setting of a draw the likeliest token is taken.
Status runText(Options &options, Session &session, const PreparedData &data) {
  SampleOptions &sample = options.text.sample;
  const bool draws =
      options.temperature->count() > 0 || options.seed->count() > 0 || sample.topK > 0 || sample.topP < 1;
  sample.temperature = draws ? options.search.beam.temperature : 0;
  options.text.input = options.input;
  return generateText(session, data.tokenizer(), options.text);
}

/// One line per hypothesis; with n-best lists the number of the sentence comes first.
void print(const Options &options, const Tokenizer &tokenizer, const std::vector<Hypotheses> &translations) {
  for (size_t i = 0; i < translations.size(); ++i) {
    const auto count = std::min(translations[i].size(), static_cast<size_t>(options.nbest));
    for (size_t n = 0; n < count; ++n) {
      const Hypothesis &hypothesis = translations[i][n];
      if (options.nbest > 1)
        fmt::print("{}\t", i);
      if (options.scores || options.nbest > 1)
        fmt::print("{:.6f}\t", hypothesis.score);
      fmt::print("{}\n", tokenizer.decode(hypothesis.tokens));
    }
  }
}

/// The table of --short-list, which must be of the data's vocabularies.
Result<LexicalTable> readTable(const std::string &path, const PreparedData &data) {
  Result<LexicalTable> table = LexicalTable::read(path);
  if (!table.ok())
    return table;
  if (const std::string expected = tools::describeVocabularies(data); table->vocabularies() != expected)
    return Status(StatusCode::usage,
                  fmt::format("--short-list '{}' expects the vocabularies {}, as the data has, but got {}", path,
                              expected, table->vocabularies()));
  return table;
}

/// Translates lines.
Status runTranslation(Options &options, Session &session, const PreparedData &data) {
  options.search.beam.normalize = !options.noNormalize;
  Result<std::vector<std::string>> lines = readLines(options.input);
  if (!lines.ok())
    return lines.status();
  std::vector<std::vector<int32_t>> sentences;
  for (const std::string &line : *lines) {
    sentences.push_back(data.sourceTokenizer().encode(line));
    sentences.back().push_back(token::eos);
  }
  std::optional<LexicalTable> table;
  if (!options.shortList.empty()) {
    Result<LexicalTable> read = readTable(options.shortList, data);
    if (!read.ok())
      return read.status();
    table = read.take();
    options.search.table = &*table;
  }
  const auto begin = std::chrono::steady_clock::now();
  const bool onTerminal = isatty(STDERR_FILENO);
  const auto translations = translate(session, sentences, options.search, [&](int64_t done) {
    if (onTerminal)
      tools::say("\r{} of {} sentences", done, sentences.size());
  });
  if (!translations.ok())
    return translations.status();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  tools::say("{}{} sentences in {:.1f} s, {:.0f} sentences/s\n", onTerminal ? "\r" : "", sentences.size(), seconds,
             static_cast<double>(sentences.size()) / std::max(seconds, 1e-9));
  print(options, data.targetTokenizer(), *translations);
  return Status();
}

Status run(Options &options) {
  if (options.nbest < 1 || options.nbest > options.search.beam.beam)
    return Status(StatusCode::usage, fmt::format("expects --nbest from 1 to --beam {}, but got {}",
                                                 options.search.beam.beam, options.nbest));
  if (options.model.model == "-" && options.input == "-" && !options.text.prompt)
    return Status(StatusCode::usage, "expects the model or the text from stdin, but got `-` for both");
  if (options.shortList == "-")
    return Status(StatusCode::usage, "--short-list expects a file, but got `-`");
  Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  Result<std::unique_ptr<Session>> session = options.model.openWithWeights();
  if (!session.ok())
    return session.status();
  const bool isLanguageModel = tools::isLanguageModel((*session)->artifact());
  BIFOCAL_RETURN_IF_ERROR(checkOptions(options, isLanguageModel));
  BIFOCAL_RETURN_IF_ERROR(tools::checkVocabularies((*session)->artifact(), *data));
  return isLanguageModel ? runText(options, **session, *data) : runTranslation(options, **session, *data);
}

void addTextOptions(CLI::App &verb, Options &options) {
  const auto add = [&](const char *name, auto &value, const char *help) {
    CLI::Option *option = verb.add_option(name, value, help)->group("Language models");
    options.ofText.push_back(option);
    return option;
  };
  add("--prompt", options.text.prompt, "Text to continue; default: the lines of --input, each by a line");
  add("--max-tokens", options.text.maxTokens, "Tokens after a prompt, at most")
      ->check(integerFrom(0))
      ->capture_default_str();
  add("--top-k", options.text.sample.topK, "Draw from the k likeliest tokens; 0: from all")->check(integerFrom(0));
  add("--top-p", options.text.sample.topP, "Draw from the likeliest tokens that together have this probability");
  options.seed = add("--seed", options.text.sample.seed,
                     "Of the draws. Without it, --temperature, --top-k and --top-p "
                     "the likeliest token is taken");
  options.ofText.push_back(
      verb.add_flag("--one-line", options.text.oneLine, "End where the line ends that --prompt begins")
          ->group("Language models"));
}

} // namespace

void tools::addGenerate(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  options->search.beam.maxLengthRatio = 1.5;
  options->search.beam.maxLengthOffset = 20;
  CLI::App *verb =
      app.add_subcommand("generate", "Translate lines from stdin to stdout with beam search, or continue text");
  options->model.addModel(*verb);
  options->model.addWeights(*verb);
  verb->add_option("--data", options->data, "Folder that `bifocal prepare` made, for its vocabularies")->required();
  verb->add_option("--input", options->input, "Text to translate or to continue, one sentence per line; - is stdin")
      ->capture_default_str();
  const auto search = [&](const char *name, auto &value, const char *help) {
    CLI::Option *option = verb->add_option(name, value, help)->capture_default_str()->group("Search");
    options->ofTranslation.push_back(option);
    return option;
  };
  search("--beam", options->search.beam.beam, "Hypotheses kept per sentence; 1: greedy")
      ->check(integerFrom(1, BeamOptions::mostBeam));
  search("--lenpen", options->search.beam.lengthPenalty,
         "Scores are divided by length^lenpen; above 1 favours long ones");
  search("--max-len-a", options->search.beam.maxLengthRatio, "At most a * (source length) + b tokens")
      ->check(atLeast(0));
  search("--max-len-b", options->search.beam.maxLengthOffset, "The b of it")->check(integerFrom(0));
  search("--min-len", options->search.beam.minLength, "At least so many tokens before the end")->check(integerFrom(0));
  search("--unkpen", options->search.beam.unknownPenalty, "Penalty of an unknown token; negative favours them");
  options->temperature = verb->add_option("--temperature", options->search.beam.temperature, "Divides the logits")
                             ->capture_default_str()
                             ->group("Search");
  search("--no-repeat-ngram", options->search.beam.noRepeatNgram, "No n-gram of this size twice; 0: off")
      ->check(integerFrom(0));
  const auto ofTranslation = [&](CLI::Option *option) { options->ofTranslation.push_back(option); };
  ofTranslation(
      verb->add_flag("--no-normalize", options->noNormalize, "Scores are sums, whatever the length")->group("Search"));
  ofTranslation(verb->add_option("--short-list", options->shortList,
                                 "Table of `bifocal short-list`: search the tokens alone that a batch may need")
                    ->group("Search"));
  ofTranslation(verb->add_option("--nbest", options->nbest, "Hypotheses per sentence, as `number<TAB>score<TAB>text`")
                    ->check(integerFrom(1))
                    ->capture_default_str()
                    ->group("Output"));
  ofTranslation(verb->add_flag("--scores", options->scores, "Print `score<TAB>text`")->group("Output"));
  addTextOptions(*verb, *options);
  options->model.device.add(*verb);
  ofTranslation(verb->add_option("--batch-size", options->search.batchSize,
                                 "Sentences translated at once; changes no result without --short-list")
                    ->check(integerFrom(1))
                    ->capture_default_str()
                    ->group("Device"));
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
