// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Text.h"
#include "runtime/score/Bleu.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace bifocal;

namespace {

struct Options {
  std::string hypotheses, reference, tokenizer = "13a", format = "text";
  bool lowercase = false, exactMatch = false, sentences = false;
};

double percent(size_t part, size_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print(const Options &options, const BleuOptions &bleu, const BleuCounts &counts, double exact) {
  const auto precisions = counts.precisions();
  if (options.format == "json") {
    nlohmann::json json = {{"name", "BLEU"},
                           {"score", counts.score()},
                           {"signature", bleuSignature(bleu)},
                           {"precisions", precisions},
                           {"brevity_penalty", counts.brevityPenalty()},
                           {"hypothesis_length", counts.hypothesisLength},
                           {"reference_length", counts.referenceLength}};
    if (options.exactMatch)
      json["exact_match"] = exact;
    fmt::print("{}\n", json.dump());
    return;
  }
  const double ratio = counts.referenceLength == 0
                           ? 0
                           : static_cast<double>(counts.hypothesisLength) / static_cast<double>(counts.referenceLength);
  fmt::print("BLEU|{} = {:.2f} {:.1f}/{:.1f}/{:.1f}/{:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})\n",
             bleuSignature(bleu), counts.score(), precisions[0], precisions[1], precisions[2], precisions[3],
             counts.brevityPenalty(), ratio, counts.hypothesisLength, counts.referenceLength);
  if (options.exactMatch)
    fmt::print("exact match {:.1f} %\n", exact);
}

Status run(const Options &options) {
  if (options.reference == "-" && options.hypotheses == "-")
    return Status(StatusCode::usage, "expects translations or references from stdin, but got `-` for both");
  Result<std::vector<std::string>> reference = readLines(options.reference);
  if (!reference.ok())
    return reference.status();
  Result<std::vector<std::string>> hypotheses = readLines(options.hypotheses);
  if (!hypotheses.ok())
    return hypotheses.status();
  Result<BleuTokenizer> tokenizer = bleuTokenizerByName(options.tokenizer);
  if (!tokenizer.ok())
    return tokenizer.status();
  if (reference->size() != hypotheses->size())
    return Status(StatusCode::usage, fmt::format("expects as many translations as references, but got {} and {} lines",
                                                 hypotheses->size(), reference->size()));
  const BleuOptions bleu{*tokenizer, options.lowercase};
  BleuCounts counts;
  size_t exact = 0;
  for (size_t i = 0; i < reference->size(); ++i) {
    const BleuCounts sentence = countSentence((*hypotheses)[i], (*reference)[i], bleu);
    const double score = sentence.score(/*effectiveOrder=*/true);
    if (options.sentences && options.format == "json")
      fmt::print("{}\n", nlohmann::json({{"score", score}}).dump());
    else if (options.sentences)
      fmt::print("{:.2f}\n", score);
    counts.add(sentence);
    exact += (*hypotheses)[i] == (*reference)[i];
  }
  if (!options.sentences)
    print(options, bleu, counts, percent(exact, reference->size()));
  return Status();
}

} // namespace

void tools::addScore(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("score", "BLEU of translations, as sacrebleu computes it by default");
  verb->add_option("hypotheses", options->hypotheses, "Translations, one per line; - is stdin")->required();
  verb->add_option("--reference", options->reference, "References, line by line")->required();
  verb->add_option("--tokenize", options->tokenizer, "13a, none, char or intl")
      ->check(CLI::IsMember({"13a", "none", "char", "intl"}))
      ->capture_default_str();
  verb->add_flag("--lowercase", options->lowercase, "Ignore case");
  auto *exact =
      verb->add_flag("--exact-match", options->exactMatch, "Also print the share of lines that equal their reference");
  verb->add_flag("--sentences", options->sentences, "Print a score per line instead of one for all")->excludes(exact);
  verb->add_option("--format", options->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
