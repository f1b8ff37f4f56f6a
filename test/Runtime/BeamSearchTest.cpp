// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/BeamSearch.h"

#include "runtime/core/Philox.h"
#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <numeric>
#include <optional>

using namespace bifocal;

namespace {

using Ids = std::vector<int32_t>;

/// A model whose distribution is a pure function of sentence and history. It remembers the tokens of every row of every
/// step, as a cache does, and finds a hypothesis' history through `ancestors` alone.
class ToyStepper final : public Stepper {
public:
  ToyStepper(int64_t vocabulary, int64_t steps, uint64_t seed, bool flat = false)
      : vocabulary_(vocabulary), maxSteps_(steps), seed_(seed), flat_(flat) {}

  int64_t vocabularySize() const override { return vocabulary_; }
  int64_t maxSteps() const override { return maxSteps_; }
  Status begin(int64_t rows, int64_t steps) override {
    capacity_ = rows;
    cache_.assign(static_cast<size_t>(steps), Ids());
    return Status();
  }
  Status step(const Rows &rows, std::span<float> logProbabilities) override {
    EXPECT_LE(static_cast<int64_t>(rows.tokens.size()), capacity_);
    rowsPerStep.push_back(static_cast<int64_t>(rows.tokens.size()));
    cache_[static_cast<size_t>(rows.step)].assign(rows.tokens.begin(), rows.tokens.end());
    for (size_t n = 0; n < rows.tokens.size(); ++n) {
      Ids history;
      for (int64_t p = 0; p < rows.step; ++p)
        history.push_back(cache_[static_cast<size_t>(p)].at(
            static_cast<size_t>(rows.ancestors[n * static_cast<size_t>(rows.stride) + static_cast<size_t>(p)])));
      history.push_back(rows.tokens[n]);
      const std::vector<float> row = restricted(distribution(rows.sentences[n], history));
      std::copy(row.begin(), row.end(), logProbabilities.begin() + static_cast<std::ptrdiff_t>(n * row.size()));
    }
    return Status();
  }
  std::span<const int32_t> shortList() const override { return masks ? std::span<const int32_t>() : listed; }

  int64_t candidateCount() const override { return few; }
  Status candidates(const Rows &rows, std::span<float> logProbabilities, std::span<int32_t> tokens) override {
    ++candidateSteps;
    std::vector<float> all(rows.tokens.size() * static_cast<size_t>(vocabulary_));
    BIFOCAL_RETURN_IF_ERROR(step(rows, all));
    Ids order(static_cast<size_t>(vocabulary_));
    for (size_t n = 0; n < rows.tokens.size(); ++n) {
      const float *row = all.data() + n * order.size();
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return row[a] > row[b]; });
      for (size_t rank = 0; rank < static_cast<size_t>(few); ++rank) {
        tokens[n * static_cast<size_t>(few) + rank] = order[rank];
        logProbabilities[n * static_cast<size_t>(few) + rank] = row[order[rank]];
      }
    }
    return Status();
  }

  /// `history` begins with `</s>`.
  std::vector<float> distribution(int32_t sentence, const Ids &history) const {
    uint64_t hash = seed_ * 1315423911u + static_cast<uint64_t>(sentence);
    for (int32_t id : history)
      hash = hash * 6364136223846793005u + static_cast<uint64_t>(id) + 1442695040888963407u;
    std::vector<float> row(static_cast<size_t>(vocabulary_));
    double sum = 0;
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = flat_ ? 0.0f : static_cast<float>(philoxDraw(hash, i, 1, 1) / 4294967296.0 * 4);
      sum += std::exp(row[i]);
    }
    for (float &value : row)
      value = static_cast<float>(value - std::log(sum));
    if (changed)
      row[changed->first] = changed->second;
    return row;
  }

  std::vector<int64_t> rowsPerStep;
  int64_t few = 0, candidateSteps = 0;             ///< the number of candidates, and how often they were asked for
  Ids listed;                                      ///< the short list; empty: none
  bool masks = false;                              ///< no list, but all that is not in it has no probability
  std::optional<std::pair<size_t, float>> changed; ///< a token and its score in every row

private:
  /// A row as a model with the short list gives it.
  std::vector<float> restricted(const std::vector<float> &row) const {
    if (listed.empty())
      return row;
    std::vector<float> few, masked(row.size(), -std::numeric_limits<float>::infinity());
    for (const int32_t id : listed) {
      few.push_back(row[static_cast<size_t>(id)]);
      masked[static_cast<size_t>(id)] = few.back();
    }
    return masks ? masked : few;
  }

  int64_t vocabulary_, maxSteps_;
  uint64_t seed_;
  bool flat_;
  int64_t capacity_ = 0;
  std::vector<Ids> cache_;
};

/// Every sentence of up to `maxLength` tokens and `</s>`, scored, best first.
std::vector<std::pair<double, Ids>> allSentences(const ToyStepper &model, int32_t sentence, int64_t maxLength,
                                                 const BeamOptions &options) {
  std::vector<std::pair<double, Ids>> all;
  const std::function<void(Ids, float)> grow = [&](const Ids &history, float score) {
    const std::vector<float> row = model.distribution(sentence, history);
    const auto length = static_cast<int64_t>(history.size()) - 1;
    if (length >= std::min(options.minLength, maxLength)) {
      Ids tokens(history.begin() + 1, history.end());
      tokens.push_back(token::eos);
      const float total = score + row[token::eos];
      all.emplace_back(total / std::pow(static_cast<double>(tokens.size()), options.lengthPenalty), tokens);
    }
    if (length == maxLength)
      return;
    for (int32_t id = 0; id < model.vocabularySize(); ++id) {
      if (id == token::eos || id == token::pad)
        continue;
      Ids next = history;
      next.push_back(id);
      const float penalty = id == token::unk ? static_cast<float>(options.unknownPenalty) : 0;
      grow(next, score + (row[static_cast<size_t>(id)] - penalty));
    }
  };
  grow({token::eos}, 0);
  std::stable_sort(all.begin(), all.end(), [](const auto &a, const auto &b) { return a.first > b.first; });
  return all;
}

// A beam as wide as the number of prefixes prunes nothing, so it must find the best sentences there are. It stops once
// `beam` hypotheses are finished; with a limit of two tokens and minLength 2 all of them finish in the same step.
TEST(BeamSearch, wide_beam_is_exhaustive) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ToyStepper model(110, 20, seed);
    BeamOptions options;
    options.beam = 54;
    options.minLength = options.maxLengthOffset = 1;
    options.unknownPenalty = 0.5;
    const std::vector<int64_t> lengths{3};
    const auto result = beamSearch(model, lengths, options);
    ASSERT_TRUE(result.ok());
    const auto expected = allSentences(model, 0, 1, options);
    ASSERT_EQ((*result)[0].size(), 54u);
    // The 54 best first tokens all finish; their order is by total score.
    EXPECT_EQ((*result)[0][0].tokens.size(), 2u);
    EXPECT_EQ((*result)[0][0].tokens, expected[0].second) << seed;
    EXPECT_NEAR((*result)[0][0].score, expected[0].first, 1e-6);
  }
}

/// A plain search over histories: no rows, no ancestors, no heap. The rules of the header, word by word.
std::vector<Hypothesis> plainSearch(const ToyStepper &model, int32_t sentence, int64_t maxLength,
                                    const BeamOptions &options) {
  struct Item {
    float score;
    Ids history;
  };
  std::vector<Item> beam{{0, {token::eos}}};
  std::vector<Hypothesis> finished;
  const auto width = static_cast<size_t>(options.beam);
  for (int64_t step = 0; step <= maxLength && finished.size() < width; ++step) {
    std::vector<Item> continued;
    for (const Item &item : beam) {
      std::vector<float> row = model.distribution(sentence, item.history);
      row[token::unk] -= static_cast<float>(options.unknownPenalty);
      for (int32_t id = 0; id < model.vocabularySize(); ++id) {
        const bool end = id == token::eos;
        if (id == token::pad || (step == maxLength && !end) || (end && step < options.minLength && step < maxLength))
          continue;
        continued.push_back({item.score + row[static_cast<size_t>(id)], item.history});
        continued.back().history.push_back(id);
      }
    }
    std::stable_sort(continued.begin(), continued.end(),
                     [](const Item &a, const Item &b) { return a.score > b.score; });
    continued.resize(std::min(continued.size(), 2 * width));
    beam.clear();
    for (size_t rank = 0; rank < continued.size(); ++rank) {
      const Item &item = continued[rank];
      if (item.history.back() != token::eos) {
        if (beam.size() < width)
          beam.push_back(item);
      } else if (rank < width && finished.size() < width) {
        Hypothesis hypothesis;
        hypothesis.tokens.assign(item.history.begin() + 1, item.history.end());
        hypothesis.score = item.score / std::pow(static_cast<double>(hypothesis.tokens.size()), options.lengthPenalty);
        finished.push_back(hypothesis);
      }
    }
  }
  std::stable_sort(finished.begin(), finished.end(), [](const auto &a, const auto &b) { return a.score > b.score; });
  return finished;
}

void expectSame(const std::vector<Hypothesis> &got, const std::vector<Hypothesis> &expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].tokens, expected[i].tokens);
    EXPECT_EQ(got[i].score, expected[i].score);
  }
}

/// Every rule in one seed or another.
BeamOptions optionsOf(uint64_t seed) {
  BeamOptions options;
  options.beam = 1 + static_cast<int64_t>(seed % 6);
  options.maxLengthOffset = 9;
  options.minLength = static_cast<int64_t>(seed % 5);
  options.unknownPenalty = seed % 7 == 0 ? -2 : static_cast<double>(seed % 3);
  options.noRepeatNgram = static_cast<int64_t>(seed % 3);
  options.temperature = seed % 11 == 0 ? 1.5 : 1;
  return options;
}

// A device that gives a few tokens of each row instead of all probabilities leads to the same hypotheses; where a few
// may not be enough, it is asked for all.
TEST(BeamSearch, candidates_are_as_good_as_all_probabilities) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    const int64_t vocabulary = seed % 4 == 0 ? 13 : 205;
    ToyStepper all(vocabulary, 50, seed), few(vocabulary, 50, seed);
    few.few = seed % 4 == 0 ? 13 : 22;
    const BeamOptions options = optionsOf(seed);
    const std::vector<int64_t> lengths{3, 9, 1};
    const auto expected = beamSearch(all, lengths, options), result = beamSearch(few, lengths, options);
    ASSERT_TRUE(expected.ok() && result.ok());
    for (size_t i = 0; i < lengths.size(); ++i)
      expectSame((*result)[i], (*expected)[i]);
    const bool suffices = options.temperature == 1 && options.unknownPenalty >= 0;
    EXPECT_EQ(few.candidateSteps > 0, suffices);
  }
}

// A short list leads to what a model finds for which nothing else has any probability, whatever the rules.
TEST(BeamSearch, a_short_list_is_all_there_is) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    ToyStepper all(205, 50, seed), few(205, 50, seed);
    // Two blocks of scores, the second one with a rest; the last token of the vocabulary is in every other list.
    for (int32_t id = 0; id < 205; id += id < token::firstFree ? 1 : 1 + static_cast<int32_t>(seed % 2) + id % 2)
      few.listed.push_back(id);
    all.listed = few.listed;
    all.masks = true;
    few.few = 22; // not asked for
    const BeamOptions options = optionsOf(seed);
    const std::vector<int64_t> lengths{3, 9, 1};
    const auto expected = beamSearch(all, lengths, options), result = beamSearch(few, lengths, options);
    ASSERT_TRUE(expected.ok() && result.ok());
    for (size_t i = 0; i < lengths.size(); ++i) {
      expectSame((*result)[i], (*expected)[i]);
      for (const Hypothesis &hypothesis : (*result)[i])
        for (const int32_t id : hypothesis.tokens)
          EXPECT_TRUE(std::ranges::binary_search(few.listed, id)) << id;
    }
    EXPECT_EQ(few.candidateSteps, 0);
  }
}

// Rows move and sentences leave at different steps; each result must be what the sentence gives alone.
TEST(BeamSearch, batch_equals_a_plain_search_of_each_sentence) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    // The larger vocabulary is a few blocks of scores, the last one with a rest.
    ToyStepper model(seed % 3 == 0 ? 205 : 13, 50, seed);
    BeamOptions options;
    options.beam = 1 + static_cast<int64_t>(seed % 5);
    options.lengthPenalty = 0.5 * static_cast<double>(seed % 4);
    options.maxLengthRatio = 1.5;
    options.maxLengthOffset = 2;
    options.minLength = static_cast<int64_t>(seed % 4);
    options.unknownPenalty = seed % 2 ? 0 : 1;
    const std::vector<int64_t> lengths{3, 9, 1, 6};
    const auto result = beamSearch(model, lengths, options);
    ASSERT_TRUE(result.ok());
    for (size_t i = 0; i < lengths.size(); ++i)
      expectSame((*result)[i],
                 plainSearch(model, static_cast<int32_t>(i), static_cast<int64_t>(1.5 * lengths[i] + 2), options));
  }
}

TEST(BeamSearch, a_score_that_is_no_number_is_no_candidate) {
  BeamOptions options;
  options.maxLengthOffset = 6;
  const std::vector<int64_t> lengths{4, 4};
  for (const size_t token : {3, 63, 64, 150, 204}) {
    ToyStepper model(205, 50, 7), expected(205, 50, 7);
    model.changed = {token, std::numeric_limits<float>::quiet_NaN()};
    expected.changed = {token, -std::numeric_limits<float>::infinity()};
    const auto result = beamSearch(model, lengths, options);
    ASSERT_TRUE(result.ok());
    for (size_t i = 0; i < lengths.size(); ++i)
      expectSame((*result)[i], (*beamSearch(expected, lengths, options))[i]);
  }
}

TEST(BeamSearch, greedy_takes_the_likeliest_token) {
  ToyStepper model(13, 50, 5);
  BeamOptions options;
  options.beam = 1;
  options.minLength = 0;
  options.maxLengthOffset = 10;
  const std::vector<int64_t> lengths{4};
  const Hypothesis best = (*beamSearch(model, lengths, options))[0].at(0);
  Ids history{token::eos};
  for (size_t i = 0; i < best.tokens.size(); ++i) {
    std::vector<float> row = model.distribution(0, history);
    row[token::pad] = -1e9f;
    const auto likeliest = static_cast<int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
    // Among its two candidates greedy search passes over an end that is only second.
    EXPECT_EQ(best.tokens[i], i == 10 ? token::eos : likeliest);
    EXPECT_NEAR(best.tokenScores[i], row[static_cast<size_t>(best.tokens[i])], 1e-5);
    history.push_back(best.tokens[i]);
  }
}

TEST(BeamSearch, equal_scores_take_the_lower_token) {
  ToyStepper model(11, 50, 1, /*flat=*/true);
  BeamOptions options;
  options.beam = 2;
  options.minLength = 2;
  options.maxLengthOffset = 2;
  const std::vector<int64_t> lengths{4};
  const auto result = beamSearch(model, lengths, options);
  EXPECT_EQ((*result)[0][0].tokens, (Ids{0, 0, token::eos}));
  EXPECT_EQ((*result)[0][1].tokens, (Ids{0, 3, token::eos}));
}

TEST(BeamSearch, repeated_ngrams_are_blocked) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    ToyStepper model(9, 60, seed);
    BeamOptions options;
    options.beam = 3;
    options.minLength = options.maxLengthOffset = 15;
    options.noRepeatNgram = 2;
    const std::vector<int64_t> lengths{4};
    const Result<std::vector<std::vector<Hypothesis>>> result = beamSearch(model, lengths, options);
    for (const Hypothesis &hypothesis : (*result)[0]) {
      std::map<std::pair<int32_t, int32_t>, int> seen;
      for (size_t i = 0; i + 1 < hypothesis.tokens.size(); ++i)
        EXPECT_EQ(++seen[std::pair(hypothesis.tokens[i], hypothesis.tokens[i + 1])], 1);
    }
  }
}

TEST(BeamSearch, first_step_has_one_row_per_sentence_and_finished_ones_leave) {
  ToyStepper model(13, 50, 3);
  BeamOptions options;
  options.beam = 4;
  options.maxLengthRatio = 1;
  options.maxLengthOffset = 0;
  options.minLength = 50;
  const std::vector<int64_t> lengths{1, 2, 5};
  ASSERT_TRUE(beamSearch(model, lengths, options).ok());
  EXPECT_EQ(model.rowsPerStep, (std::vector<int64_t>{3, 12, 8, 4, 4, 4}));
}

TEST(BeamSearch, options_out_of_range_are_errors) {
  ToyStepper model(13, 50, 3);
  const std::vector<int64_t> lengths{1};
  BeamOptions wide, cold;
  cold.temperature = 0;
  // Twice the last one does not fit in 64 bits.
  for (const int64_t beam : {int64_t{-1}, int64_t{0}, int64_t{7}, BeamOptions::mostBeam + 1, INT64_MAX}) {
    wide.beam = beam;
    EXPECT_EQ(beamSearch(model, lengths, wide).status().message(),
              "expects a beam from 1 to 6, but got " + std::to_string(beam));
  }
  EXPECT_EQ(beamSearch(model, lengths, cold).status().code(), StatusCode::usage);
  model.listed = {0, 1, 2, 3, 5, 7, 11};
  wide.beam = 4;
  EXPECT_EQ(beamSearch(model, lengths, wide).status().message(), "expects a beam from 1 to 3, but got 4");
}

} // namespace
