// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/score/Bleu.h"

#include "test/Runtime/GoldenJson.h"

#include <gtest/gtest.h>

using namespace bifocal;

namespace {

using Json = nlohmann::json;

// The published tables are made in double; what differs is the order of a few roundings.
constexpr double relative = 1e-12;

void expectClose(double got, double expected) {
  EXPECT_NEAR(got, expected, relative * std::max(1.0, std::abs(expected)));
}

TEST(Bleu, matches_sacrebleu_on_corpora) {
  const Json golden = test::goldenJson("text/bleu.json");
  ASSERT_TRUE(golden.is_object());
  ASSERT_EQ(golden["sacrebleu_corpus"].size(), 32u);
  for (const Json &row : golden["sacrebleu_corpus"]) {
    SCOPED_TRACE(row["subset"].get<std::string>() + " " + row["tokenize"].get<std::string>() +
                 (row["lowercase"].get<bool>() ? " lc" : ""));
    const BleuOptions options{*bleuTokenizerByName(row["tokenize"].get<std::string>()), row["lowercase"].get<bool>()};
    BleuCounts counts;
    for (const Json &index : row["index"]) {
      const Json &pair = golden["pairs"][index.get<size_t>()];
      counts.add(countSentence(pair["hyp"].get<std::string>(), pair["ref"].get<std::string>(), options));
    }
    EXPECT_EQ(counts.matches, (row["counts"].get<std::array<int64_t, 4>>()));
    EXPECT_EQ(counts.totals, (row["totals"].get<std::array<int64_t, 4>>()));
    EXPECT_EQ(counts.hypothesisLength, row["sys_len"].get<int64_t>());
    EXPECT_EQ(counts.referenceLength, row["ref_len"].get<int64_t>());
    expectClose(counts.brevityPenalty(), row["bp"].get<double>());
    expectClose(counts.score(), row["score"].get<double>());
    // sacrebleu shows precisions of 0 for orders that it did not reach.
    for (size_t i = 0; i < 4; ++i)
      if (counts.matches[i] > 0)
        expectClose(counts.precisions()[i], row["precisions"][i].get<double>());
  }
}

TEST(Bleu, matches_sacrebleu_on_sentences) {
  const Json golden = test::goldenJson("text/bleu.json");
  for (const Json &row : golden["sacrebleu_sentence"]) {
    const Json &pair = golden["pairs"][row["i"].get<size_t>()];
    SCOPED_TRACE(pair["hyp"].get<std::string>());
    expectClose(countSentence(pair["hyp"].get<std::string>(), pair["ref"].get<std::string>(), {}).score(true),
                row["score"].get<double>());
  }
}

TEST(Bleu, matches_fairseq_on_token_ids) {
  const Json golden = test::goldenJson("text/bleu.json");
  for (const char *table : {"fairseq_tokens", "fairseq_tokens_with_unk", "fairseq_tokens_with_padding"}) {
    BleuCounts counts;
    for (const Json &row : golden[table]) {
      SCOPED_TRACE(std::string(table) + " " + row["hyp"].dump());
      counts.add(countTokens(row["hyp"].get<std::vector<int32_t>>(), row["ref"].get<std::vector<int32_t>>()));
      EXPECT_EQ(counts.matches, (row["cumulative"]["match"].get<std::array<int64_t, 4>>()));
      EXPECT_EQ(counts.totals, (row["cumulative"]["count"].get<std::array<int64_t, 4>>()));
      EXPECT_EQ(counts.referenceLength, row["cumulative"]["reflen"].get<int64_t>());
      EXPECT_EQ(counts.hypothesisLength, row["cumulative"]["predlen"].get<int64_t>());
      // fairseq computes its scores in float32 and rounds the log sum: seven digits.
      if (row["score"].is_number()) {
        EXPECT_NEAR(counts.unsmoothedScore(), row["score"].get<double>(), 1e-5);
      }
      if (row["score2"].is_number()) {
        EXPECT_NEAR(counts.unsmoothedScore(2), row["score2"].get<double>(), 1e-5);
      }
    }
  }
}

TEST(Bleu, tokenizes_as_mteval) {
  const auto tokens = [](std::string_view line) { return bleuTokens(line, {}); };
  EXPECT_EQ(tokens("It costs $1,000.50 (about)."),
            (std::vector<std::string>{"It", "costs", "$", "1,000.50", "(", "about", ")", "."}));
  EXPECT_EQ(tokens("1990-1995, Müller's well-known..."),
            (std::vector<std::string>{"1990", "-", "1995", ",", "Müller's", "well-known", ".", ".", "."}));
  EXPECT_EQ(tokens("a&quot;b &amp;lt; c"), (std::vector<std::string>{"a", "\"", "b", "<", "c"}));
  EXPECT_EQ(tokens(""), (std::vector<std::string>{}));
}

TEST(Bleu, signature_names_what_changes_the_score) {
  EXPECT_EQ(bleuSignature({}), "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:bifocal-" BIFOCAL_VERSION);
  EXPECT_EQ(bleuSignature({BleuTokenizer::characters, true}),
            "nrefs:1|case:lc|eff:no|tok:char|smooth:exp|version:bifocal-" BIFOCAL_VERSION);
}

} // namespace
