// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Text.h"
#include "runtime/data/Vocabulary.h"
#include "runtime/decode/Translator.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <fmt/format.h>
#include <unistd.h>

using namespace bifocal;

namespace {

struct Options {
  tools::ModelOptions model;
  std::string data, input = "-";
  BeamOptions beam;
  int64_t nbest = 1, batchSize = 50;
  bool scores = false, noNormalize = false;
};

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

Status run(Options &options) {
  if (options.nbest < 1 || options.nbest > options.beam.beam)
    return Status(StatusCode::usage,
                  fmt::format("expects --nbest from 1 to --beam {}, but got {}", options.beam.beam, options.nbest));
  if (options.model.model == "-" && options.input == "-")
    return Status(StatusCode::usage, "expects the model or the text from stdin, but got `-` for both");
  options.beam.normalize = !options.noNormalize;
  Result<PreparedData> data = PreparedData::open(options.data);
  if (!data.ok())
    return data.status();
  Result<std::unique_ptr<Session>> session = options.model.openWithWeights();
  if (!session.ok())
    return session.status();
  BIFOCAL_RETURN_IF_ERROR(tools::checkVocabularies((*session)->artifact(), *data));
  Result<std::vector<std::string>> lines = readLines(options.input);
  if (!lines.ok())
    return lines.status();
  std::vector<std::vector<int32_t>> sentences;
  for (const std::string &line : *lines) {
    sentences.push_back(data->sourceTokenizer().encode(line));
    sentences.back().push_back(token::eos);
  }
  const auto begin = std::chrono::steady_clock::now();
  const bool onTerminal = isatty(STDERR_FILENO);
  const auto translations = translate(**session, sentences, options.batchSize, options.beam, [&](int64_t done) {
    if (onTerminal)
      tools::say("\r{} of {} sentences", done, sentences.size());
  });
  if (!translations.ok())
    return translations.status();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  tools::say("{}{} sentences in {:.1f} s, {:.0f} sentences/s\n", onTerminal ? "\r" : "", sentences.size(), seconds,
             static_cast<double>(sentences.size()) / std::max(seconds, 1e-9));
  print(options, data->targetTokenizer(), *translations);
  return Status();
}

} // namespace

void tools::addGenerate(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  options->beam.maxLengthRatio = 1.5;
  options->beam.maxLengthOffset = 20;
  CLI::App *verb = app.add_subcommand("generate", "Translate lines from stdin to stdout with beam search");
  options->model.addModel(*verb);
  options->model.addWeights(*verb);
  verb->add_option("--data", options->data, "Folder that `bifocal prepare` made, for its vocabularies")->required();
  verb->add_option("--input", options->input, "Text to translate, one sentence per line; - is stdin")
      ->capture_default_str();
  const auto search = [&](const char *name, auto &value, const char *help) {
    return verb->add_option(name, value, help)->capture_default_str()->group("Search");
  };
  search("--beam", options->beam.beam, "Hypotheses kept per sentence; 1: greedy")
      ->check(integerFrom(1, BeamOptions::mostBeam));
  search("--lenpen", options->beam.lengthPenalty, "Scores are divided by length^lenpen; above 1 favours long ones");
  search("--max-len-a", options->beam.maxLengthRatio, "At most a * (source length) + b tokens")->check(atLeast(0));
  search("--max-len-b", options->beam.maxLengthOffset, "The b of it")->check(integerFrom(0));
  search("--min-len", options->beam.minLength, "At least so many tokens before the end")->check(integerFrom(0));
  search("--unkpen", options->beam.unknownPenalty, "Penalty of an unknown token; negative favours them");
  search("--temperature", options->beam.temperature, "Divides the logits");
  search("--no-repeat-ngram", options->beam.noRepeatNgram, "No n-gram of this size twice; 0: off")
      ->check(integerFrom(0));
  verb->add_flag("--no-normalize", options->noNormalize, "Scores are sums, whatever the length")->group("Search");
  verb->add_option("--nbest", options->nbest, "Hypotheses per sentence, as `number<TAB>score<TAB>text`")
      ->check(integerFrom(1))
      ->capture_default_str()
      ->group("Output");
  verb->add_flag("--scores", options->scores, "Print `score<TAB>text`")->group("Output");
  options->model.device.add(*verb);
  verb->add_option("--batch-size", options->batchSize, "Sentences translated at once; does not change the result")
      ->check(integerFrom(1))
      ->capture_default_str()
      ->group("Device");
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
