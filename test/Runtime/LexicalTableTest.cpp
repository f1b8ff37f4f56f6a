// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/LexicalTable.h"

#include "runtime/core/Philox.h"
#include "runtime/data/Vocabulary.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>

using namespace bifocal;

namespace {

using Ids = std::vector<int32_t>;
constexpr int32_t vocabulary = 40;

Corpus corpusOf(const std::string &name, const std::vector<Ids> &sentences) {
  const std::string path = testing::TempDir() + name + ".corpus";
  EXPECT_TRUE(writeCorpus(path, sentences, vocabulary).ok());
  Result<Corpus> corpus = Corpus::open(path);
  EXPECT_TRUE(corpus.ok()) << corpus.status().message();
  return corpus.take();
}

struct Pairs {
  std::vector<Ids> source, target;
};

/// Sentences of up to 6 words; most words have a partner, and each sentence one word that is drawn.
Pairs drawnPairs(int64_t count) {
  Pairs pairs;
  for (int64_t i = 0; i < count; ++i) {
    const auto draw = [&](uint64_t what, uint32_t below) {
      return static_cast<int32_t>(philoxDraw(7, static_cast<uint64_t>(i) * 16 + what, 1, 1) % below);
    };
    Ids source, target;
    for (int32_t word = 0; word < draw(0, 6); ++word) {
      source.push_back(token::firstFree + draw(static_cast<uint64_t>(word) + 1, 30));
      target.push_back(source.back() + 1);
    }
    target.push_back(token::firstFree + draw(9, 30));
    source.push_back(token::eos);
    target.push_back(token::eos);
    pairs.source.push_back(source);
    pairs.target.push_back(target);
  }
  return pairs;
}

using Probabilities = std::map<std::pair<int32_t, int32_t>, double>;

/// IBM Model 1 word by word, on maps: `</s>` of the source is the empty word, that of the target is not translated.
Probabilities plainModel(const Pairs &pairs, int64_t iterations) {
  Probabilities table;
  std::map<int32_t, double> sizes;
  for (size_t i = 0; i < pairs.source.size(); ++i)
    for (const int32_t word : pairs.source[i])
      for (const int32_t translated : pairs.target[i])
        if (translated != token::eos && table.emplace(std::pair(word, translated), 1).second)
          ++sizes[word];
  for (auto &[pair, probability] : table)
    probability /= sizes[pair.first];
  for (int64_t iteration = 0; iteration < iterations; ++iteration) {
    Probabilities counts;
    std::map<int32_t, double> sums;
    for (size_t i = 0; i < pairs.source.size(); ++i)
      for (const int32_t translated : pairs.target[i]) {
        if (translated == token::eos)
          continue;
        double all = 0;
        for (const int32_t word : pairs.source[i])
          all += table[{word, translated}];
        for (const int32_t word : pairs.source[i]) {
          counts[{word, translated}] += table[{word, translated}] / all;
          sums[word] += table[{word, translated}] / all;
        }
      }
    for (auto &[pair, probability] : table)
      probability = counts[pair] / sums[pair.first];
  }
  return table;
}

LexicalTable tableOf(const Pairs &pairs, const LexicalOptions &options) {
  return learnLexicalTable(corpusOf("source", pairs.source), corpusOf("target", pairs.target), options);
}

/// Two source tokens, of which the second has two translations, and five target tokens.
LexicalTable smallTable() { return LexicalTable({{}, {{4, 0.75f}, {3, 0.25f}}}, {2, 4, 0, 1, 3}, "de 1, en 2"); }

} // namespace

TEST(LexicalTable, expectation_maximisation_is_that_of_model_one) {
  const Pairs pairs = drawnPairs(400);
  for (const int64_t iterations : {1, 2, 7}) {
    SCOPED_TRACE(iterations);
    const Probabilities expected = plainModel(pairs, iterations);
    const LexicalTable table = tableOf(pairs, {iterations, vocabulary});
    ASSERT_EQ(table.sourceVocabulary(), vocabulary);
    size_t found = 0;
    for (int32_t source = 0; source < vocabulary; ++source)
      for (size_t i = 0; i < table.targets(source).size(); ++i, ++found) {
        const auto pair = expected.find({source, table.targets(source)[i]});
        ASSERT_NE(pair, expected.end());
        EXPECT_NEAR(table.probabilities(source)[i], pair->second, 1e-6);
        EXPECT_TRUE(i == 0 || table.probabilities(source)[i - 1] >= table.probabilities(source)[i]);
      }
    EXPECT_EQ(found, expected.size());
  }
}

TEST(LexicalTable, partners_come_first) {
  const LexicalTable table = tableOf(drawnPairs(2000), {5, 3});
  for (int32_t source = token::firstFree; source < token::firstFree + 30; ++source) {
    ASSERT_EQ(table.targets(source).size(), 3u);
    EXPECT_EQ(table.targets(source)[0], source + 1);
  }
  EXPECT_TRUE(table.targets(token::unk).empty());
}

TEST(LexicalTable, tells_a_likelihood_that_rises) {
  const Pairs pairs = drawnPairs(400);
  std::vector<double> bits;
  learnLexicalTable(corpusOf("source", pairs.source), corpusOf("target", pairs.target), {6, 3},
                    [&](int64_t iteration, double now) {
                      EXPECT_EQ(iteration, static_cast<int64_t>(bits.size()) + 1);
                      bits.push_back(now);
                    });
  ASSERT_EQ(bits.size(), 6u);
  for (size_t i = 1; i < bits.size(); ++i)
    EXPECT_LT(bits[i], bits[i - 1]);
}

TEST(LexicalTable, frequent_tokens_are_those_of_the_target) {
  const Ids rare{5, token::eos}, common{9, 9, 9, token::eos};
  const LexicalTable table = tableOf({{rare, rare}, {common, {6, token::eos}}}, {});
  EXPECT_EQ(table.targetVocabulary(), vocabulary);
  const std::span<const int32_t> frequent = table.frequent();
  // Of equals the smaller first.
  EXPECT_EQ(Ids(frequent.begin(), frequent.begin() + 5), (Ids{9, token::eos, 6, 0, 1}));
}

TEST(LexicalTable, a_file_is_read_as_it_was_written) {
  const std::string path = testing::TempDir() + "lexical.safetensors";
  ASSERT_TRUE(smallTable().write(path).ok());
  const Result<LexicalTable> read = LexicalTable::read(path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->sourceVocabulary(), 2);
  EXPECT_EQ(read->targetVocabulary(), 5);
  EXPECT_TRUE(read->targets(0).empty());
  EXPECT_EQ(Ids(read->targets(1).begin(), read->targets(1).end()), (Ids{4, 3}));
  EXPECT_EQ(read->probabilities(1)[0], 0.75f);
  EXPECT_EQ(read->frequent()[1], 4);
  EXPECT_EQ(read->vocabularies(), "de 1, en 2");
}

TEST(LexicalTable, files_cut_short_or_altered_are_refused) {
  const std::string path = testing::TempDir() + "lexical.safetensors", damaged = testing::TempDir() + "damaged";
  ASSERT_TRUE(smallTable().write(path).ok());
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  const auto expectRefused = [&](const std::string &text) {
    std::ofstream(damaged, std::ios::binary) << text;
    EXPECT_EQ(LexicalTable::read(damaged).status().code(), StatusCode::malformed);
  };
  for (size_t size = 0; size < bytes.size(); ++size)
    expectRefused(bytes.substr(0, size));
  const size_t data = bytes.size() - (3 * 8 + 2 * 4 + 2 * 4 + 5 * 4);
  for (size_t at = data; at < bytes.size(); ++at) {
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    expectRefused(altered);
  }
}

TEST(LexicalTable, what_a_file_must_hold) {
  const std::string path = testing::TempDir() + "lexical.safetensors";
  const auto problem = [&](std::vector<int64_t> offsets, Ids targets, std::vector<float> probabilities, Ids frequent) {
    const auto sizeOf = [](const auto &values) { return std::vector<int64_t>{static_cast<int64_t>(values.size())}; };
    const SafetensorsItem items[] = {{"offsets", ElementType::i64, sizeOf(offsets), offsets.data()},
                                     {"targets", ElementType::i32, sizeOf(targets), targets.data()},
                                     {"probabilities", ElementType::f32, sizeOf(probabilities), probabilities.data()},
                                     {"frequent", ElementType::i32, sizeOf(frequent), frequent.data()}};
    EXPECT_TRUE(writeSafetensors(path, items).ok());
    const Result<LexicalTable> table = LexicalTable::read(path);
    return table.ok() ? std::string() : table.status().message().substr(path.size() + 4);
  };
  const Ids all{0, 1, 2, 3};
  EXPECT_EQ(problem({0, 1}, {3}, {1}, all), "");
  for (const std::vector<int64_t> &offsets : {std::vector<int64_t>{}, {1, 1}, {0, 2}, {0, 2, 1}, {0, -1, 1}})
    EXPECT_EQ(problem(offsets, {3}, {1}, all), "'offsets': expects numbers that ascend from 0 to the 1 targets");
  EXPECT_EQ(problem({0, 1}, {4}, {1}, all), "'targets': expects tokens from 0 to below 4, but got 4");
  EXPECT_EQ(problem({0, 1}, {-1}, {1}, all), "'targets': expects tokens from 0 to below 4, but got -1");
  EXPECT_EQ(problem({0, 1}, {3}, {1.5f}, all), "'probabilities': expects numbers from 0 to 1, but got 1.5");
  EXPECT_EQ(problem({0, 1}, {3}, {-NAN}, all).substr(0, 48), "'probabilities': expects numbers from 0 to 1, bu");
  EXPECT_EQ(problem({0, 2}, {3, 2}, {0.2f, 0.3f}, all),
            "'probabilities': expects those of source token 0 to fall, but they rise");
  EXPECT_EQ(problem({0, 1}, {3}, {1, 0}, all), "tensor 'probabilities': expects 1 elements, but got 2");
  EXPECT_EQ(problem({0, 1}, {2}, {1}, {0, 1, 2}), "'frequent': expects at least 4 tokens, but got 3");
  EXPECT_EQ(problem({0, 1}, {3}, {1}, {0, 1, 2, 2}),
            "'frequent': expects every token from 0 to below 4 once, but got 2");
  EXPECT_EQ(problem({0, 1}, {3}, {1}, {0, 1, 2, 4}),
            "'frequent': expects every token from 0 to below 4 once, but got 4");
}
