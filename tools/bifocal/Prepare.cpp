// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Prepared.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

using namespace bifocal;

namespace {

struct Options {
  PrepareOptions prepare;
  std::string train, valid, test, model = "bpe";
  bool joint = false, separate = false;
};

Status run(Options &options) {
  PrepareOptions &prepareOptions = options.prepare;
  if (prepareOptions.sourceLanguage.empty() != prepareOptions.targetLanguage.empty())
    return Status(StatusCode::usage, "expects both --source-lang and --target-lang, or neither for text of a language "
                                     "model");
  if (prepareOptions.isMonolingual() && (options.separate || options.joint || !prepareOptions.targetVocabulary.empty()))
    return Status(StatusCode::usage, "--joint, --separate and --target-vocab belong to text in two languages, but "
                                     "--source-lang and --target-lang are not given");
  Result<TokenizerKind> kind = tokenizerKindByName(options.model);
  if (!kind.ok())
    return kind.status();
  prepareOptions.tokenizer = *kind;
  prepareOptions.joint = !options.separate;
  for (const auto &[split, prefix] :
       {std::pair("train", options.train), {"valid", options.valid}, {"test", options.test}})
    if (!prefix.empty())
      prepareOptions.splits[split] = prefix;
  Result<std::vector<PreparedSide>> report = prepare(prepareOptions);
  if (!report.ok())
    return report.status();
  for (const PreparedSide &side : *report)
    tools::say("{:<6} {:<4} {:>9} {} {:>11} tokens {:>6.2f} % unknown\n", side.split, side.language, side.sentences,
               prepareOptions.isMonolingual() ? "lines" : "sentences", side.tokens,
               side.tokens ? 100.0 * static_cast<double>(side.unknown) / static_cast<double>(side.tokens) : 0.0);
  const Result<PreparedData> data = PreparedData::open(prepareOptions.folder);
  if (!data.ok())
    return data.status();
  if (data->isMonolingual()) {
    tools::say("vocabulary: {}; in the spec: vocabulary = {}\n", data->tokenizer().size(), data->tokenizer().size());
    return Status();
  }
  tools::say("vocabulary: {} {}, {} {}; in the spec: source_vocabulary = {}, target_vocabulary = {}\n",
             data->sourceLanguage(), data->sourceTokenizer().size(), data->targetLanguage(),
             data->targetTokenizer().size(), data->sourceTokenizer().size(), data->targetTokenizer().size());
  return Status();
}

} // namespace

void tools::addPrepare(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb =
      app.add_subcommand("prepare", "Turn text, in two languages or in one, into a vocabulary and prepared data");
  verb->add_option("--source-lang", options->prepare.sourceLanguage,
                   "Source language: the ending of its files. Without languages text is in one, for language models")
      ->group("Text");
  verb->add_option("--target-lang", options->prepare.targetLanguage, "Target language")->group("Text");
  verb->add_option("--train", options->train,
                   "Prefix of the training text: PREFIX.de and PREFIX.en (or .de.txt); without languages its file")
      ->required()
      ->group("Text");
  verb->add_option("--valid", options->valid, "Prefix of the validation text")->group("Text");
  verb->add_option("--test", options->test, "Prefix of the test text")->group("Text");
  verb->add_option("--model", options->model, "bpe, unigram, whitespace (words as they stand) or bytes")
      ->check(CLI::IsMember({"bpe", "unigram", "whitespace", "bytes"}))
      ->capture_default_str()
      ->group("Vocabulary");
  verb->add_option("--vocab-size", options->prepare.vocabularySize,
                   "Tokens, with the four reserved ones; 0 with whitespace: all words")
      ->check(integerFrom(0, std::numeric_limits<int32_t>::max()))
      ->capture_default_str()
      ->group("Vocabulary");
  auto *joint =
      verb->add_flag("--joint", options->joint, "One vocabulary for both languages (the default)")->group("Vocabulary");
  verb->add_flag("--separate", options->separate, "A vocabulary for each language")
      ->excludes(joint)
      ->group("Vocabulary");
  verb->add_option("--source-vocab,--vocab", options->prepare.sourceVocabulary,
                   "Existing vocabulary: dict.txt for whitespace, a SentencePiece model for bpe and unigram")
      ->group("Vocabulary");
  verb->add_option("--target-vocab", options->prepare.targetVocabulary, "The same for the target, with --separate")
      ->group("Vocabulary");
  verb->add_option("-o,--output", options->prepare.folder, "Folder to write")->required();
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
