// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Blocks.h"

#include "runtime/data/Prepared.h"
#include "runtime/data/Text.h"
#include "runtime/data/Vocabulary.h"
#include "test/Runtime/GoldenJson.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

using namespace bifocal;

namespace {

using Ids = std::vector<int32_t>;

/// Sentences of these lengths, `</s>` included, whose other tokens count up through the text.
Corpus corpusOf(const std::string &path, const std::vector<int64_t> &lengths) {
  std::vector<Ids> sentences;
  int32_t next = 4;
  for (const int64_t length : lengths) {
    Ids &ids = sentences.emplace_back(static_cast<size_t>(length));
    std::iota(ids.begin(), ids.end(), next);
    next += static_cast<int32_t>(length);
    ids.back() = token::eos;
  }
  EXPECT_TRUE(writeCorpus(path, sentences, next + 1).ok());
  return Corpus::open(path).take();
}

struct Row {
  Ids previous, target;
};

/// All rows of all batches without their padding, in the order of what they score.
std::vector<Row> rowsOf(const BlockData &data) {
  std::vector<Row> rows;
  Batch batch;
  for (int64_t i = 0; i < data.batches(); ++i) {
    data.fill(i, batch);
    EXPECT_TRUE(batch.source.empty());
    EXPECT_EQ(batch.sourceSteps, 0);
    int64_t scored = 0;
    for (int64_t r = 0; r < batch.rows; ++r) {
      const auto cut = [&](const Ids &ids) {
        return Ids(ids.begin() + r * batch.targetSteps, ids.begin() + (r + 1) * batch.targetSteps);
      };
      Row row{cut(batch.previous), cut(batch.target)};
      while (!row.previous.empty() && row.previous.back() == token::pad) {
        EXPECT_EQ(row.target.back(), token::pad);
        row.previous.pop_back(), row.target.pop_back();
      }
      scored += std::ranges::count_if(row.target, [](int32_t id) { return id != token::pad; });
      rows.push_back(std::move(row));
    }
    EXPECT_EQ(batch.targetTokens, scored);
  }
  std::ranges::sort(rows, {}, [](const Row &row) { return *std::ranges::max_element(row.target); });
  return rows;
}

TEST(Blocks, of_a_fixed_length_are_the_text_itself) {
  const Corpus text = corpusOf(test::emptyFolder("blocks-none") + "/t.bin", {3, 1, 5, 4, 2});
  const Result<BlockData> data = BlockData::create(text, {4, BreakMode::none, 0}, {12, 0, 1}, 1);
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_EQ(data->samples(), 4);
  EXPECT_EQ(data->skipped(), 0);
  const std::vector<Row> rows = rowsOf(*data);
  Ids scored, read;
  for (const Row &row : rows) {
    EXPECT_LE(row.target.size(), 4u);
    scored.insert(scored.end(), row.target.begin(), row.target.end());
    read.insert(read.end(), row.previous.begin(), row.previous.end());
  }
  EXPECT_EQ(scored, Ids(text.ids().begin(), text.ids().end()));
  // Each step reads the token before the one that it predicts; the first one of the text reads `</s>`.
  Ids moved(scored.begin(), scored.end() - 1);
  moved.insert(moved.begin(), token::eos);
  EXPECT_EQ(read, moved);
}

TEST(Blocks, end_with_sentences_where_asked) {
  const Corpus text = corpusOf(test::emptyFolder("blocks-eos") + "/t.bin", {3, 1, 5, 9, 4, 2});
  const auto lengths = [&](BreakMode mode, int64_t *skipped) {
    const Result<BlockData> data = BlockData::create(text, {6, mode, 0}, {100, 0, 1}, 1);
    EXPECT_TRUE(data.ok()) << data.status().message();
    *skipped = data->skipped();
    std::vector<size_t> result;
    for (const Row &row : rowsOf(*data)) {
      EXPECT_EQ(row.target.back(), token::eos);
      EXPECT_EQ(row.previous.front(), token::eos);
      result.push_back(row.target.size());
    }
    std::ranges::sort(result);
    return result;
  };
  int64_t skipped = 0;
  EXPECT_EQ(lengths(BreakMode::eos, &skipped), (std::vector<size_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(skipped, 1);
  EXPECT_EQ(lengths(BreakMode::complete, &skipped), (std::vector<size_t>{4, 5, 6}));
  EXPECT_EQ(skipped, 1);
}

TEST(Blocks, context_is_the_text_before_a_block) {
  const Corpus text = corpusOf(test::emptyFolder("blocks-context") + "/t.bin", {7, 6, 8});
  const Result<BlockData> data = BlockData::create(text, {8, BreakMode::none, 5}, {16, 0, 1}, 1);
  ASSERT_TRUE(data.ok()) << data.status().message();
  const std::vector<Row> rows = rowsOf(*data);
  ASSERT_EQ(rows.size(), 7u);
  Ids scored;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto begin = static_cast<int64_t>(3 * i), before = std::min<int64_t>(begin, 5);
    ASSERT_EQ(rows[i].target.size(), static_cast<size_t>(before + 3));
    for (int64_t step = 0; step < before + 3; ++step) {
      const int64_t place = begin - before + step - 1;
      EXPECT_EQ(rows[i].previous[static_cast<size_t>(step)],
                place < 0 ? token::eos : text.ids()[static_cast<size_t>(place)]);
      if (step < before)
        EXPECT_EQ(rows[i].target[static_cast<size_t>(step)], token::pad);
      else
        scored.push_back(rows[i].target[static_cast<size_t>(step)]);
    }
  }
  EXPECT_EQ(scored, Ids(text.ids().begin(), text.ids().end()));
}

TEST(Blocks, batches_obey_limits_and_seeds) {
  const Corpus text = corpusOf(test::emptyFolder("blocks-limits") + "/t.bin", {30, 1, 40, 29});
  const auto first = [&](uint64_t seed) {
    const Result<BlockData> data = BlockData::create(text, {5, BreakMode::none, 0}, {23, 3, 2}, seed);
    EXPECT_TRUE(data.ok()) << data.status().message();
    Batch batch;
    for (int64_t i = 0; i < data->batches(); ++i) {
      data->fill(i, batch);
      EXPECT_LE(batch.rows * batch.targetSteps, 23);
      EXPECT_LE(batch.rows, 3);
      EXPECT_TRUE(batch.rows < 2 || batch.rows % 2 == 0) << batch.rows;
    }
    data->fill(0, batch);
    return batch.target;
  };
  EXPECT_EQ(first(1), first(1));
  EXPECT_NE(first(1), first(2));
}

TEST(Blocks, what_does_not_fit_is_an_error) {
  const std::string folder = test::emptyFolder("blocks-errors");
  const Corpus text = corpusOf(folder + "/t.bin", {7, 6}), none = corpusOf(folder + "/none.bin", {});
  const auto message = [](const Corpus &corpus, const BlockOptions &options, int64_t maxTokens) {
    const Result<BlockData> data = BlockData::create(corpus, options, {maxTokens, 0, 1}, 1);
    EXPECT_EQ(data.status().code(), StatusCode::usage);
    return data.status().message();
  };
  EXPECT_EQ(message(text, {8, BreakMode::none, 8}, 0),
            "expects a context window from 0 to below the 8 tokens of a row, but got 8");
  EXPECT_EQ(message(none, {8, BreakMode::none, 0}, 0), "expects at least one line of text, but the text is empty");
  EXPECT_EQ(message(text, {5, BreakMode::eos, 0}, 0),
            "expects sentences of at most 5 tokens, but none of the 2 is as short");
  EXPECT_EQ(message(text, {8, BreakMode::none, 0}, 7),
            "expects batches of at least 8 tokens, the longest row, but max_tokens is 7");
}

// Every byte of a text is one token, whatever it is; `</s>` stands for the end of a line.
TEST(Prepared, bytes_of_one_text_are_its_tokens) {
  const std::string folder = test::emptyFolder("prepared-bytes");
  std::string content = "a\r\n\n";
  for (int byte = 0; byte < 256; ++byte)
    content += static_cast<char>(byte);
  content += "\n";
  ASSERT_TRUE(writeTextAtomically(folder + "/t.txt", content).ok());
  PrepareOptions options;
  options.splits = {{"train", folder + "/t.txt"}, {"test", folder + "/t.txt"}};
  options.tokenizer = TokenizerKind::bytes;
  options.folder = folder + "/out";
  const auto report = prepare(options);
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_EQ(report->size(), 2u);
  EXPECT_EQ(report->front().tokens, static_cast<int64_t>(content.size()));
  const Result<PreparedData> data = PreparedData::open(folder + "/out");
  ASSERT_TRUE(data.ok()) << data.status().message();
  EXPECT_TRUE(data->isMonolingual());
  EXPECT_EQ(data->tokenizer().size(), 260);
  const Result<Corpus> corpus = data->corpus("train", "");
  ASSERT_TRUE(corpus.ok()) << corpus.status().message();
  std::string text;
  for (const int32_t id : corpus->ids())
    text += id == token::eos ? "\n" : data->tokenizer().decode(Ids{id});
  EXPECT_EQ(text, content);
}

TEST(Prepared, words_of_one_text_have_one_vocabulary) {
  const std::string folder = test::emptyFolder("prepared-words");
  ASSERT_TRUE(writeTextAtomically(folder + "/t.txt", "a b a\n\nc a\n").ok());
  PrepareOptions options;
  options.splits = {{"train", folder + "/t.txt"}};
  options.tokenizer = TokenizerKind::whitespace;
  options.vocabularySize = 0;
  for (const char *out : {"/x", "/y"}) {
    options.folder = folder + out;
    const auto report = prepare(options);
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->front().sentences, 3);
    EXPECT_EQ(report->front().tokens, 8);
  }
  for (const char *file : {"/data.json", "/dict.txt", "/train.bin"})
    EXPECT_EQ(*readText(folder + "/x" + file), *readText(folder + "/y" + file)) << file;
  EXPECT_EQ(PreparedData::open(folder + "/x")->tokenizer().size(), 7);
  EXPECT_EQ(PreparedData::open(folder + "/x")->corpus("valid", "").status().code(), StatusCode::usage);
}

} // namespace
