// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Plan.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

using namespace bifocal;
using nlohmann::json;

namespace {

const std::vector<std::string> symbols = {"B", "S"};

Expression expression(const json &text) {
  Result<Expression> parsed = Expression::parse(text, symbols);
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? parsed.take() : Expression();
}

EntryPlan entryOf(std::vector<Expression> classes, std::vector<int64_t> peak) {
  EntryPlan entry;
  entry.name = "step";
  entry.symbols = {"B", "S", "W"};
  entry.classes = std::move(classes);
  entry.peak = std::move(peak);
  return entry;
}

json randomExpression(std::mt19937 &random, int depth) {
  const auto below = [&](uint32_t bound) { return random() % bound; };
  if (depth == 0 || below(4) == 0)
    return below(3) == 0 ? json(static_cast<int64_t>(below(12)) - 1) : json(symbols[below(2)]);
  const char *ops[] = {"+", "+", "*", "*", "ceildiv", "floordiv", "max", "min", "-", "mod"};
  return {ops[below(10)], randomExpression(random, depth - 1), randomExpression(random, depth - 1)};
}

TEST(LargestFit, isWhatFitsWhileTheNextDoesNot) {
  // 16 * roundup16(B): steps of 256 bytes from 256 on.
  const EntryPlan entry = entryOf({expression("B")}, {16});
  EXPECT_EQ(*entry.largestFit(0, {0, 1, 0}, 255), 0);
  EXPECT_EQ(*entry.largestFit(0, {0, 1, 0}, 256), 16);
  EXPECT_EQ(*entry.largestFit(0, {0, 1, 0}, 511), 16);
  EXPECT_EQ(*entry.largestFit(0, {0, 1, 0}, 512), 32);
  EXPECT_EQ(*entry.largestFit(1, {16, 0, 0}, 256), INT64_MAX) << "the arena does not depend on S";
  EXPECT_EQ(*entry.largestFit(1, {17, 0, 0}, 256), 0) << "nor does S help where B is too large";
}

TEST(LargestFit, refusesSizesThatMayFall) {
  const EntryPlan entry = entryOf({expression("B"), expression({"mod", "B", "S"})}, {16, 4});
  const Result<int64_t> fit = entry.largestFit(0, {0, 7, 0}, 1024);
  ASSERT_FALSE(fit.ok());
  EXPECT_EQ(fit.status().code(), StatusCode::unsupported);
  EXPECT_EQ(fit.status().message(), "entry 'step': expects sizes that grow with B, but got mod(B, S)");
}

TEST(LargestFit, holdsForRandomPlans) {
  std::mt19937 random(7);
  int bounded = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    EntryPlan entry =
        entryOf({expression(1), expression(randomExpression(random, 3)), expression(randomExpression(random, 3))},
                {static_cast<int64_t>(random() % 50), static_cast<int64_t>(4 + random() % 50 * 4),
                 static_cast<int64_t>(4 + random() % 50 * 4)});
    const std::vector<int64_t> values = {1, static_cast<int64_t>(random() % 60), 0};
    const int64_t limit = int64_t{1} << (random() % 40);
    const Result<int64_t> fit = entry.largestFit(0, values, limit);
    if (!fit.ok())
      continue;
    const auto fits = [&](int64_t batch) {
      const Result<int64_t> bytes = entry.arenaBytes(std::vector<int64_t>{batch, values[1], 0});
      return bytes.ok() && *bytes <= limit;
    };
    bounded += *fit > 0 && *fit < INT64_MAX;
    EXPECT_TRUE(*fit == 0 || fits(*fit)) << entry.peakFormula();
    EXPECT_TRUE(*fit == INT64_MAX || !fits(*fit + 1)) << entry.peakFormula();
    // All that is smaller fits, nothing that is larger does.
    for (const int64_t batch : {int64_t{1}, *fit / 3, *fit / 2, *fit - 1})
      EXPECT_TRUE(batch < 1 || batch >= *fit || fits(batch)) << batch << ": " << entry.peakFormula();
    for (const int64_t beyond : {2, 3, 17, 1000})
      EXPECT_TRUE(*fit > INT64_MAX - beyond || !fits(*fit + beyond)) << *fit + beyond << ": " << entry.peakFormula();
  }
  EXPECT_GT(bounded, 300) << "enough plans should have a largest batch";
}

TEST(Growth, isSeenInTheForm) {
  EXPECT_TRUE(expression({"*", "B", {"ceildiv", "S", 128}}).growsWith(0));
  EXPECT_TRUE(expression({"*", "B", {"ceildiv", "S", 128}}).growsWith(1));
  EXPECT_TRUE(expression({"+", "B", {"mod", "S", 7}}).growsWith(0)) << "what falls does not depend on B";
  EXPECT_FALSE(expression({"+", "B", {"mod", "S", 7}}).growsWith(1));
  EXPECT_TRUE(expression({"-", "S", 5}).growsWith(0)) << "constant in B, be it an error";
  EXPECT_FALSE(expression({"-", "B", 5}).growsWith(0)) << "an error below 5, and none from there on";
  EXPECT_FALSE(expression({"*", "B", -1}).growsWith(0));
  EXPECT_FALSE(expression({"ceildiv", "S", "B"}).growsWith(0));
  EXPECT_TRUE(expression({"min", "B", 64}).growsWith(0));
}

TEST(Growth, holdsForRandomExpressions) {
  std::mt19937 random(11);
  int growing = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    const json text = randomExpression(random, 3);
    const Expression tested = expression(text);
    if (!tested.growsWith(0))
      continue;
    for (const int64_t other : {0, 1, 2, 5, 130}) {
      std::optional<int64_t> before = tested.evaluate(std::vector<int64_t>{0, other});
      for (int64_t value = 1; value < 40; ++value) {
        const std::optional<int64_t> now = tested.evaluate(std::vector<int64_t>{value, other});
        growing += before && now && *before < *now;
        ASSERT_TRUE(!now || (before && *before <= *now)) << text << " at " << value << ", " << other;
        before = now;
      }
    }
  }
  EXPECT_GT(growing, 10000) << "most expressions should grow";
}

} // namespace
