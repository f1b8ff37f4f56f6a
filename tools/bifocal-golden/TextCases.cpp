// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/Cases.h"

#include "runtime/data/Batching.h"
#include "runtime/score/Bleu.h"
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

Status golden::compareBatches(const json &file, Comparison &comparison) {
  int index = 0;
  for (const json &batchCase : file["cases"]) {
    std::string name = fmt::format("case {}", index++);
    std::vector<int32_t> order = batchCase["order"], lengths = batchCase["lengths"];
    auto limit = [&](const char *key) { return batchCase[key].is_null() ? int64_t(0) : batchCase[key].get<int64_t>(); };
    Result<Batches> found = batchBySize(
        order, lengths, {limit("max_tokens"), limit("max_sentences"), limit("required_batch_size_multiple")});
    if (order.empty()) // the published code raises an IndexError for one multiple; nothing in, nothing out
      comparison.equal(name, found.ok() && found->empty());
    else if (!batchCase["error"].is_null())
      comparison.equal(name + " (an error)", !found.ok());
    else
      comparison.equal(name, found.ok() && *found == batchCase["batches"].get<Batches>());
  }
  return {};
}

static void compareCorpora(const json &file, Comparison &comparison) {
  for (const json &corpus : file["sacrebleu_corpus"]) {
    std::string name = fmt::format("{} {} {}", corpus.value("subset", ""), corpus.value("tokenize", ""),
                                   corpus.value("lowercase", false) ? "lower" : "mixed");
    Result<BleuTokenizer> tokenizer = bleuTokenizerByName(corpus.value("tokenize", ""));
    comparison.equal(name + " tokenizer", tokenizer.ok());
    if (!tokenizer.ok())
      continue;
    BleuOptions options{*tokenizer, corpus.value("lowercase", false)};
    BleuCounts counts;
    for (int64_t index : corpus["index"])
      counts.add(countSentence(file["pairs"][index].value("hyp", ""), file["pairs"][index].value("ref", ""), options));
    comparison.equal(name + " matches",
                     std::vector<int64_t>(counts.matches.begin(), counts.matches.end()) == corpus["counts"]);
    comparison.equal(name + " totals",
                     std::vector<int64_t>(counts.totals.begin(), counts.totals.end()) == corpus["totals"]);
    comparison.absolute(name, counts.score(), corpus["score"], 1e-9);
  }
}

static void compareTokens(const json &pairs, const std::string &group, Comparison &comparison) {
  BleuCounts counts;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const json &pair = pairs[i];
    counts.add(countTokens(pair["hyp"].get<std::vector<int32_t>>(), pair["ref"].get<std::vector<int32_t>>()));
    std::string name = fmt::format("{} {}", group, i);
    const json &expected = pair["cumulative"];
    comparison.equal(name + " matches",
                     std::vector<int64_t>(counts.matches.begin(), counts.matches.end()) == expected["match"]);
    comparison.equal(name + " totals",
                     std::vector<int64_t>(counts.totals.begin(), counts.totals.end()) == expected["count"]);
    comparison.equal(name + " lengths",
                     counts.hypothesisLength == expected["predlen"] && counts.referenceLength == expected["reflen"]);
    if (pair["score"].is_number())
      comparison.absolute(name, counts.unsmoothedScore(), pair["score"], 1e-5);
  }
}

Status golden::compareBleu(const json &file, Comparison &comparison) {
  compareCorpora(file, comparison);
  for (const json &sentence : file["sacrebleu_sentence"]) {
    const json &pair = file["pairs"][sentence["i"].get<size_t>()];
    comparison.absolute(fmt::format("sentence {}", sentence["i"].get<size_t>()),
                        countSentence(pair.value("hyp", ""), pair.value("ref", ""), {}).score(/*effectiveOrder=*/true),
                        sentence["score"], 1e-9);
  }
  for (const char *group : {"fairseq_tokens", "fairseq_tokens_with_unk", "fairseq_tokens_with_padding"})
    compareTokens(file[group], group, comparison);
  return {};
}
