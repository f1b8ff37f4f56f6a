// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/Sampler.h"

#include "runtime/decode/TextStream.h"

#include <cmath>
#include <gtest/gtest.h>
#include <map>

using namespace bifocal;

namespace {

/// Of eight tokens; `<s>` and padding are the likeliest and must never come.
std::vector<float> logs() {
  std::vector<float> result;
  for (const double probability : {0.3, 0.2, 0.02, 0.03, 0.25, 0.1, 0.06, 0.04})
    result.push_back(static_cast<float>(std::log(probability)));
  return result;
}

std::map<int32_t, double> shares(const SampleOptions &options, int64_t draws) {
  Sampler sampler(options);
  const std::vector<float> probabilities = logs();
  std::map<int32_t, double> counts;
  for (int64_t i = 0; i < draws; ++i)
    counts[*sampler.pick(probabilities)] += 1.0 / static_cast<double>(draws);
  return counts;
}

TEST(Sampler, takes_the_likeliest_token_without_a_temperature) {
  Sampler sampler({});
  EXPECT_EQ(*sampler.pick(logs()), 4);
  EXPECT_EQ(*sampler.pick(std::vector<float>{0, 0, -1, -1, -1}), 2) << "the smaller of equals";
}

TEST(Sampler, draws_by_the_probabilities) {
  constexpr int64_t draws = 40000;
  for (const double temperature : {0.5, 1.0, 2.0}) {
    const auto found = shares({temperature, 0, 1, 3}, draws);
    double sum = 0;
    const std::vector<float> probabilities = logs();
    for (size_t token = 2; token < 8; ++token)
      sum += std::exp(probabilities[token] / temperature);
    EXPECT_EQ(found.count(0) + found.count(1), 0u);
    for (int32_t token = 2; token < 8; ++token) {
      const double expected = std::exp(probabilities[static_cast<size_t>(token)] / temperature) / sum;
      // Five deviations of a mean of draws.
      EXPECT_NEAR(found.contains(token) ? found.at(token) : 0, expected,
                  5 * std::sqrt(expected * (1 - expected) / draws));
    }
  }
}

TEST(Sampler, keeps_the_k_likeliest_or_a_share) {
  const auto three = shares({1, 3, 1, 1}, 2000), share = shares({1, 0, 0.6, 1}, 2000),
             both = shares({1, 1, 0.9, 1}, 50);
  EXPECT_EQ(three.size(), 3u);
  for (const int32_t token : {4, 5, 6})
    EXPECT_TRUE(three.contains(token)) << token;
  // Of the half that tokens 2 to 7 have, 0.25 is a half, and 0.35 is more than 0.6.
  EXPECT_EQ(share.size(), 2u);
  EXPECT_TRUE(share.contains(4) && share.contains(5));
  EXPECT_EQ(both.size(), 1u);
}

TEST(Sampler, repeats_by_its_seed) {
  const auto sequence = [](uint64_t seed) {
    Sampler sampler({1, 0, 1, seed});
    std::vector<int32_t> tokens;
    for (int i = 0; i < 50; ++i)
      tokens.push_back(*sampler.pick(logs()));
    return tokens;
  };
  EXPECT_EQ(sequence(7), sequence(7));
  EXPECT_NE(sequence(7), sequence(8));
}

TEST(Sampler, refuses_what_has_no_meaning) {
  for (const SampleOptions &options :
       {SampleOptions{-1, 0, 1, 1}, SampleOptions{NAN, 0, 1, 1}, SampleOptions{INFINITY, 0, 1, 1},
        SampleOptions{1, -1, 1, 1}, SampleOptions{1, 0, 0, 1}, SampleOptions{1, 0, 1.5, 1}})
    EXPECT_EQ(options.check().code(), StatusCode::usage);
  EXPECT_TRUE((SampleOptions{0.7, 10, 0.9, 1}).check().ok());
  Sampler sampler({1, 0, 1, 1});
  EXPECT_EQ(sampler.pick(std::vector<float>{0, 0, NAN, 0}).status().code(), StatusCode::numericMismatch);
  EXPECT_EQ(sampler.pick(std::vector<float>{0, 0, -INFINITY, -INFINITY}).status().code(), StatusCode::numericMismatch);
}

// Every text comes out as it is, however it is cut.
TEST(Utf8Stream, joins_what_was_cut) {
  const std::string text = "a\u00e4\u20ac\U0001F600z";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    Utf8Stream stream;
    std::string out;
    for (size_t at = 0; at < text.size(); at += piece)
      out += stream.push(text.substr(at, piece));
    EXPECT_EQ(out + stream.finish(), text) << piece;
  }
}

TEST(Utf8Stream, replaces_what_is_no_text) {
  const auto clean = [](std::string_view bytes) {
    Utf8Stream stream;
    std::string out;
    for (const char byte : bytes)
      out += stream.push(std::string_view(&byte, 1));
    return out + stream.finish();
  };
  const std::string bad = "\uFFFD";
  EXPECT_EQ(clean("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(clean("\xC3"), bad);
  EXPECT_EQ(clean("\xE2\x82z"), bad + bad + "z");
  EXPECT_EQ(clean("\xC0\x80"), bad + bad) << "overlong";
  EXPECT_EQ(clean("\xED\xA0\x80"), bad + bad + bad) << "a surrogate";
  EXPECT_EQ(clean("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
}

TEST(TextStream, adds_up_to_the_text) {
  const auto tokenizer = Tokenizer::load(TokenizerKind::whitespace, "a 1\nb 1\n", "dict");
  ASSERT_TRUE(tokenizer.ok());
  TextStream stream(**tokenizer);
  std::string text;
  for (const int32_t token : {4, 5, 2, 2, 5, 3, 4})
    text += stream.push(token);
  EXPECT_EQ(text + stream.finish(), "a b\n\nb <unk> a");
}

} // namespace
