// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Streams.h"

#include "runtime/data/Prepared.h"
#include "runtime/data/Vocabulary.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace bifocal;

namespace {

using Ids = std::vector<int32_t>;

/// The tokens 10, 11, ... in two lines, each with its end: the third token and the last one.
Corpus corpusOf(int32_t tokens) {
  std::vector<Ids> lines(2);
  for (int32_t i = 0; i < tokens; ++i)
    lines[i < 3 ? 0 : 1].push_back(i == 2 || i + 1 == tokens ? token::eos : 10 + i);
  const std::string path = testing::TempDir() + "streams.corpus";
  EXPECT_TRUE(writeCorpus(path, lines, 100).ok());
  Result<Corpus> corpus = Corpus::open(path);
  EXPECT_TRUE(corpus.ok()) << corpus.status().message();
  return corpus.take();
}

} // namespace

TEST(Streams, go_on_where_they_ended_in_the_batch_before) {
  const Corpus text = corpusOf(23);
  const Result<StreamData> data = StreamData::create(text, 4, {9, 0, 1});
  ASSERT_TRUE(data.ok()) << data.status().message();
  // Two streams of 11 tokens; one is left over.
  EXPECT_EQ(data->streams(), 2);
  ASSERT_EQ(data->batches(), 3);
  EXPECT_EQ(data->samples(), 6);
  Batch batch;
  data->fill(0, batch);
  EXPECT_EQ(batch.rows, 2);
  EXPECT_EQ(batch.target, (Ids{10, 11, token::eos, 13, 21, 22, 23, 24}));
  EXPECT_EQ(batch.previous, (Ids{token::eos, 10, 11, token::eos, 20, 21, 22, 23}));
  data->fill(1, batch);
  EXPECT_EQ(batch.target, (Ids{14, 15, 16, 17, 25, 26, 27, 28}));
  EXPECT_EQ(batch.previous, (Ids{13, 14, 15, 16, 24, 25, 26, 27}));
  data->fill(2, batch);
  EXPECT_EQ(batch.targetSteps, 3);
  EXPECT_EQ(batch.targetTokens, 6);
  EXPECT_EQ(batch.target, (Ids{18, 19, 20, 29, 30, 31}));
  EXPECT_EQ(batch.previous, (Ids{17, 18, 19, 28, 29, 30}));
}

TEST(Streams, are_read_in_order_in_every_epoch) {
  const Corpus text = corpusOf(40);
  const Result<StreamData> data = StreamData::create(text, 4, {4, 0, 1});
  ASSERT_TRUE(data.ok());
  std::vector<int32_t> order(10);
  std::iota(order.begin(), order.end(), 0);
  EXPECT_EQ(data->epochOrder(1, 1), order);
  EXPECT_EQ(data->epochOrder(2, 7), order);
}

TEST(Streams, are_as_many_as_the_limits_allow) {
  const Corpus text = corpusOf(40);
  for (auto [limits, streams] : {std::pair{BatchLimits{40, 0, 1}, 10},
                                 {BatchLimits{40, 3, 1}, 3},
                                 {BatchLimits{0, 2, 1}, 2},
                                 {BatchLimits{0, 0, 1}, 1}}) {
    const Result<StreamData> data = StreamData::create(text, 4, limits);
    ASSERT_TRUE(data.ok()) << data.status().message();
    EXPECT_EQ(data->streams(), streams);
  }
}

TEST(Streams, say_what_does_not_fit) {
  const Corpus text = corpusOf(5);
  EXPECT_EQ(StreamData::create(text, 4, {3, 0, 1}).status().message(),
            "expects batches of at least 4 tokens, the length of a segment, but max_tokens is 3");
  EXPECT_EQ(StreamData::create(text, 4, {24, 0, 1}).status().message(),
            "expects a text of at least 6 tokens, one for each stream, but got 5");
}
