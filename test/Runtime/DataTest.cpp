// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Batching.h"
#include "runtime/data/Prepared.h"
#include "runtime/data/Text.h"
#include "runtime/data/Vocabulary.h"

#include "test/Runtime/GoldenJson.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

using namespace bifocal;

namespace {

using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

TEST(Batching, matches_the_published_batches) {
  const Json golden = test::goldenJson("text/batch_by_size.json");
  ASSERT_TRUE(golden.is_object());
  ASSERT_EQ(golden["cases"].size(), 34u);
  const auto limit = [](const Json &value) { return value.is_null() ? int64_t{0} : value.get<int64_t>(); };
  for (const Json &row : golden["cases"]) {
    SCOPED_TRACE(row.dump());
    const Ids order = row["order"].get<Ids>(), lengths = row["lengths"].get<Ids>();
    const Result<Batches> batches = batchBySize(
        order, lengths,
        {limit(row["max_tokens"]), limit(row["max_sentences"]), row["required_batch_size_multiple"].get<int64_t>()});
    if (row["error"] == "AssertionError") {
      EXPECT_FALSE(batches.ok());
      continue;
    }
    ASSERT_TRUE(batches.ok());
    // The published code stumbles over an empty list, which has no batches here.
    EXPECT_EQ(*batches, row["batches"].is_null() ? Batches() : row["batches"].get<Batches>());
  }
}

Corpus corpusOf(const std::string &path, const std::vector<Ids> &sentences, int32_t vocabulary) {
  EXPECT_TRUE(writeCorpus(path, sentences, vocabulary).ok());
  return Corpus::open(path).take();
}

std::vector<Ids> randomSentences(int64_t count, uint32_t stream) {
  std::vector<Ids> sentences;
  for (int32_t i : shuffledIndices(count, 7, stream, 0)) {
    Ids &ids = sentences.emplace_back(static_cast<size_t>(i % 23), 4 + i % 50);
    ids.push_back(token::eos);
  }
  return sentences;
}

TEST(Batching, every_pair_is_in_one_batch_within_the_limit) {
  const std::string folder = test::emptyFolder("batching");
  const Corpus source = corpusOf(folder + "/s.bin", randomSentences(500, 1), 60);
  const Corpus target = corpusOf(folder + "/t.bin", randomSentences(500, 2), 60);
  const Result<ParallelData> data = ParallelData::create(source, target, {120, 0, 1}, 0, 3);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->samples(), 500);
  Batch batch;
  int64_t tokens = 0, rows = 0;
  for (int64_t i = 0; i < data->batches(); ++i) {
    data->fill(i, batch);
    EXPECT_LE(batch.rows * std::max(batch.sourceSteps, batch.targetSteps), 120);
    rows += batch.rows;
    tokens += batch.targetTokens;
    for (int64_t row = 0; row < batch.rows; ++row) {
      const auto begin = static_cast<size_t>(row * batch.targetSteps);
      EXPECT_EQ(batch.previous[begin], token::eos);
      for (size_t t = begin + 1; t < begin + static_cast<size_t>(batch.targetSteps); ++t)
        EXPECT_EQ(batch.previous[t], batch.target[t] == token::pad ? token::pad : batch.target[t - 1]);
    }
  }
  EXPECT_EQ(rows, 500);
  EXPECT_EQ(tokens, target.tokens());
}

TEST(Batching, epochs_have_their_own_order_and_seeds_repeat) {
  const std::string folder = test::emptyFolder("epochs");
  const Corpus side = corpusOf(folder + "/s.bin", randomSentences(500, 1), 60);
  const ParallelData data = ParallelData::create(side, side, {60, 0, 1}, 0, 3).take();
  Ids first = data.epochOrder(3, 1), second = data.epochOrder(3, 2);
  EXPECT_EQ(first, data.epochOrder(3, 1));
  EXPECT_NE(first, second);
  EXPECT_NE(first, data.epochOrder(4, 1));
  std::sort(first.begin(), first.end());
  Ids all(static_cast<size_t>(data.batches()));
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(first, all);
}

TEST(Batching, long_sentences_are_left_out_and_counted) {
  const std::string folder = test::emptyFolder("long");
  const Corpus side = corpusOf(folder + "/s.bin", {{5, 2}, {5, 5, 5, 5, 2}, {2}}, 60);
  const Result<ParallelData> data = ParallelData::create(side, side, {100, 0, 1}, 4, 1);
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(data->skipped(), 1);
  EXPECT_EQ(data->samples(), 2);
  EXPECT_FALSE(ParallelData::create(side, side, {100, 0, 1}, 0, 1)->skipped());
}

// A reader must answer damage with an error, wherever the file was cut and whichever byte was changed.
TEST(Corpus, damage_is_an_error_at_every_byte) {
  const std::string folder = test::emptyFolder("corpus"), path = folder + "/c.bin";
  corpusOf(path, {{4, 5, 2}, {2}, {6, 2}}, 8);
  const std::string good = readText(path).take();
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    test::overwrite(path, good.substr(0, bytes));
    EXPECT_EQ(Corpus::open(path).status().code(), StatusCode::malformed) << bytes;
  }
  for (size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      test::overwrite(path, bad);
      EXPECT_FALSE(Corpus::open(path).ok()) << at << " bit " << bit;
    }
  // A digest can be right for the wrong numbers.
  std::string many = good;
  many.replace(12, 4, "\xff\xff\xff\xff");
  test::overwrite(path, many);
  EXPECT_EQ(Corpus::open(path).status().message(),
            "'" + path + "': expects a vocabulary of at most 2147483647 tokens, but got 4294967295");
  ASSERT_TRUE(writeTextAtomically(path, good + "x").ok());
  EXPECT_FALSE(Corpus::open(path).ok());
  EXPECT_EQ(Corpus::open(folder + "/none").status().code(), StatusCode::cannotRead);
}

TEST(Vocabulary, reads_and_writes_dict_txt) {
  const Result<Vocabulary> vocabulary = Vocabulary::parse("the 12\na 7\nHund 3\n", "dict.txt");
  ASSERT_TRUE(vocabulary.ok());
  EXPECT_EQ(vocabulary->size(), 7);
  EXPECT_EQ(vocabulary->id("the"), 4);
  EXPECT_EQ(vocabulary->id("cat"), token::unk);
  EXPECT_EQ(vocabulary->token(1), "<pad>");
  EXPECT_EQ(vocabulary->str(), "the 12\na 7\nHund 3\n");
  for (const char *text : {"the", "the x\n", " 3\n", "the -1\n", "a 1\na 2\n", "</s> 1\n"})
    EXPECT_EQ(Vocabulary::parse(text, "dict.txt").status().code(), StatusCode::malformed) << text;
}

const std::vector<std::string> lines = {"der kleine Hund läuft", "ein kleiner Hund bellt", "die Katze läuft weg",
                                        "der Hund und die Katze", "ein Hund, eine Katze"};

TEST(Tokenizer, round_trips_text_and_is_deterministic) {
  for (TokenizerKind kind :
       {TokenizerKind::bpe, TokenizerKind::unigram, TokenizerKind::whitespace, TokenizerKind::bytes}) {
    SCOPED_TRACE(name(kind));
    const Result<std::unique_ptr<Tokenizer>> learned = Tokenizer::learn(kind, lines, 30);
    ASSERT_TRUE(learned.ok()) << learned.status().message();
    EXPECT_EQ((*learned)->serialized(), (*Tokenizer::learn(kind, lines, 30))->serialized());
    const auto loaded = Tokenizer::load(kind, (*learned)->serialized(), "x").take();
    EXPECT_EQ(loaded->size(), (*learned)->size());
    for (const std::string &line : lines) {
      EXPECT_EQ(loaded->encode(line), (*learned)->encode(line));
      EXPECT_EQ(loaded->decode(loaded->encode(line)), line);
    }
  }
}

TEST(Tokenizer, bad_models_are_errors) {
  EXPECT_EQ(Tokenizer::load(TokenizerKind::bpe, "not a model", "x").status().code(), StatusCode::malformed);
  EXPECT_EQ(Tokenizer::learn(TokenizerKind::bpe, lines, 100000).status().code(), StatusCode::usage);
  EXPECT_EQ(Tokenizer::learn(TokenizerKind::bpe, lines, 4).status().code(), StatusCode::usage);
}

/// Loads cut and changed copies; what is accepted must also work.
void loadDamaged(TokenizerKind kind, const std::string &good, size_t stride) {
  const auto load = [&](const std::string &bad) {
    const auto tokenizer = Tokenizer::load(kind, bad, "x");
    if (!tokenizer.ok()) {
      ASSERT_EQ(tokenizer.status().code(), StatusCode::malformed);
      return;
    }
    for (const std::string &line : lines) {
      const Ids ids = (*tokenizer)->encode(line);
      for (int32_t id : ids)
        ASSERT_TRUE(id >= 0 && id < (*tokenizer)->size());
      (void)(*tokenizer)->decode(ids);
    }
  };
  for (size_t bytes = 0; bytes < good.size(); bytes += stride)
    load(good.substr(0, bytes));
  for (size_t bit = 0; bit < good.size() * 8; bit += stride) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    load(bad);
  }
}

TEST(Tokenizer, damaged_vocabularies_are_refused_or_work) {
  loadDamaged(TokenizerKind::whitespace, Tokenizer::learn(TokenizerKind::whitespace, lines, 0).take()->serialized(), 1);
}

TEST(Tokenizer, damaged_models_of_pieces_are_refused_or_work) {
  const std::string model = Tokenizer::learn(TokenizerKind::bpe, lines, 30).take()->serialized();
  // The pieces, bit by bit, and the tables of the normaliser here and there.
  const size_t pieces = model.find("nmt_nfkc");
  ASSERT_LT(pieces, 5000u);
  for (size_t bit = 0; bit < pieces * 8; ++bit) {
    std::string bad = model;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const auto tokenizer = Tokenizer::load(TokenizerKind::bpe, bad, "x");
    if (tokenizer.ok())
      (void)(*tokenizer)->encode(lines[0]);
    else
      ASSERT_EQ(tokenizer.status().code(), StatusCode::malformed) << bit;
  }
  loadDamaged(TokenizerKind::bpe, model, 3989);
}

TEST(Tokenizer, a_normaliser_whose_table_leads_out_of_it_is_refused) {
  std::string model = Tokenizer::learn(TokenizerKind::bpe, lines, 30).take()->serialized();
  const size_t trie = model.find("nmt_nfkc") + 16;
  const uint32_t unit = 0x7ffffe00; // an offset of 2^29 - 256
  model.replace(trie, 4, reinterpret_cast<const char *>(&unit), 4);
  const Status status = Tokenizer::load(TokenizerKind::bpe, model, "x").status();
  EXPECT_EQ(status.code(), StatusCode::malformed);
  EXPECT_TRUE(status.message().starts_with("'x' is not a SentencePiece model: expects unit 0 of a normaliser's trie to "
                                           "lead to one of its "))
      << status.message();
}

TEST(Prepared, folder_is_complete_and_reproducible) {
  const std::string folder = test::emptyFolder("prepared");
  std::string text;
  for (const std::string &line : lines)
    text += line + "\n";
  ASSERT_TRUE(writeTextAtomically(folder + "/t.de", text).ok());
  ASSERT_TRUE(writeTextAtomically(folder + "/t.en.txt", text).ok());
  PrepareOptions options;
  options.sourceLanguage = "de";
  options.targetLanguage = "en";
  options.splits = {{"train", folder + "/t"}, {"valid", folder + "/t"}};
  options.vocabularySize = 40;
  for (const char *out : {"/a", "/b"}) {
    options.folder = folder + out;
    const auto report = prepare(options);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->size(), 4u);
  }
  for (const char *file : {"/data.json", "/pieces.model", "/train.de.bin", "/valid.en.bin"})
    EXPECT_EQ(*readText(folder + "/a" + file), *readText(folder + "/b" + file)) << file;
  const Result<PreparedData> data = PreparedData::open(folder + "/a");
  ASSERT_TRUE(data.ok()) << data.status().message();
  const Corpus corpus = data->corpus("train", "de").take();
  Ids first(corpus.sentence(0).begin(), corpus.sentence(0).end());
  EXPECT_EQ(data->sourceTokenizer().decode(first), lines[0]);
  EXPECT_EQ(data->corpus("test", "de").status().code(), StatusCode::usage);
  EXPECT_EQ(PreparedData::open(folder).status().code(), StatusCode::cannotRead);
}

TEST(Prepared, damage_is_an_error_or_changes_nothing) {
  const std::string folder = test::emptyFolder("damaged"), out = folder + "/out";
  ASSERT_TRUE(writeTextAtomically(folder + "/t.de", "a b\nc\n").ok());
  ASSERT_TRUE(writeTextAtomically(folder + "/t.en", "c\nb a\n").ok());
  PrepareOptions options;
  options.sourceLanguage = "de";
  options.targetLanguage = "en";
  options.splits = {{"train", folder + "/t"}};
  options.tokenizer = TokenizerKind::whitespace;
  options.vocabularySize = 0;
  options.folder = out;
  ASSERT_TRUE(prepare(options).ok());
  ASSERT_TRUE(PreparedData::open(out).ok());
  for (const std::string &path : {out + "/data.json", out + "/dict.txt"}) {
    const std::string good = readText(path).take();
    for (size_t bit = 0; bit < good.size() * 8; ++bit) {
      std::string bad = good;
      bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
      test::overwrite(path, bad);
      const Result<PreparedData> data = PreparedData::open(out);
      if (path.ends_with("dict.txt")) {
        ASSERT_EQ(data.status().code(), StatusCode::malformed) << bit;
      } else if (data.ok()) {
        ASSERT_EQ(data->sourceTokenizer().serialized(), readText(out + "/dict.txt").take());
      } else {
        // The name of a file or the version may have changed, too.
        const StatusCode code = data.status().code();
        ASSERT_TRUE(code == StatusCode::malformed || code == StatusCode::cannotRead || code == StatusCode::unsupported);
      }
    }
    ASSERT_TRUE(writeTextAtomically(path, good).ok());
  }
}

TEST(Prepared, unequal_sides_are_an_error) {
  const std::string folder = test::emptyFolder("unequal");
  ASSERT_TRUE(writeTextAtomically(folder + "/t.de", "a\nb\n").ok());
  ASSERT_TRUE(writeTextAtomically(folder + "/t.en", "a\n").ok());
  PrepareOptions options;
  options.sourceLanguage = "de";
  options.targetLanguage = "en";
  options.splits = {{"train", folder + "/t"}};
  options.folder = folder + "/out";
  EXPECT_EQ(prepare(options).status().code(), StatusCode::malformed);
}

} // namespace
