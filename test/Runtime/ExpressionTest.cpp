// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Expression.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace bifocal;
using nlohmann::json;

namespace {

const std::vector<std::string> symbols = {"B", "S"};

std::optional<int64_t> value(const char *text, std::vector<int64_t> values = {3, 10}) {
  Result<Expression> expression = Expression::parse(json::parse(text), symbols);
  EXPECT_TRUE(expression.ok()) << expression.status().message();
  return expression.ok() ? expression->evaluate(values) : std::nullopt;
}

TEST(Expression, evaluatesEveryOperator) {
  EXPECT_EQ(value("7"), 7);
  EXPECT_EQ(value("\"S\""), 10);
  EXPECT_EQ(value(R"(["+", "B", "S"])"), 13);
  EXPECT_EQ(value(R"(["-", "S", "B"])"), 7);
  EXPECT_EQ(value(R"(["*", "B", ["+", "S", 1]])"), 33);
  EXPECT_EQ(value(R"(["ceildiv", "S", "B"])"), 4);
  EXPECT_EQ(value(R"(["floordiv", "S", "B"])"), 3);
  EXPECT_EQ(value(R"(["mod", "S", "B"])"), 1);
  EXPECT_EQ(value(R"(["max", "S", "B"])"), 10);
  EXPECT_EQ(value(R"(["min", "S", "B"])"), 3);
}

TEST(Expression, roundsNegativeDividendsDownOrUp) {
  // -7 / 2 is -4 rounded down and -3 rounded up; the remainder is then 1.
  EXPECT_EQ(value(R"(["+", 4, ["floordiv", ["-", 3, 10], 2]])"), 0);
  EXPECT_EQ(value(R"(["+", 3, ["ceildiv", ["-", 3, 10], 2]])"), 0);
  EXPECT_EQ(value(R"(["mod", ["-", 3, 10], 2])"), 1);
}

TEST(Expression, hasNoValueWhereTheResultIsNoSize) {
  EXPECT_EQ(value(R"(["-", "B", "S"])"), std::nullopt) << "negative";
  EXPECT_EQ(value(R"(["*", "B", 9223372036854775807])"), std::nullopt) << "overflow";
  EXPECT_EQ(value(R"(["+", "B", 9223372036854775807])"), std::nullopt);
  EXPECT_EQ(value(R"(["-", ["-", 0, "B"], 9223372036854775807])"), std::nullopt);
  EXPECT_EQ(value(R"(["floordiv", "B", 0])"), std::nullopt);
  EXPECT_EQ(value(R"(["mod", "B", ["-", 0, 1]])"), std::nullopt);
}

TEST(Expression, saysWhatItExpects) {
  const auto message = [](const char *text) {
    return Expression::parse(json::parse(text), symbols).status().message();
  };
  EXPECT_EQ(message("\"T\""), "expects one of the symbols B, S, but got 'T'");
  EXPECT_EQ(message(R"(["^", 1, 2])"), "expects an operator out of + - * ceildiv floordiv mod max min, but got '^'");
  EXPECT_EQ(message(R"(["+", 1])"), "expects an expression: an integer, a symbol or [op, a, b]");
  EXPECT_EQ(message("1.5"), "expects an expression: an integer, a symbol or [op, a, b]");
  EXPECT_EQ(message("18446744073709551615"), "expects a 64-bit signed integer, but got 18446744073709551615");
}

TEST(Expression, boundsDepthOnBothSides) {
  for (const bool left : {false, true}) {
    json nested = 1;
    for (int i = 0; i < 31; ++i)
      nested = left ? json{"+", nested, 1} : json{"+", 1, nested};
    Result<Expression> deepest = Expression::parse(nested, symbols);
    ASSERT_TRUE(deepest.ok());
    EXPECT_EQ(deepest->evaluate({}), 32);
    EXPECT_FALSE(Expression::parse(json{"+", 1, nested}, symbols).ok());
  }
}

TEST(Expression, printsInfix) {
  Result<Expression> expression =
      Expression::parse(json::parse(R"(["*", "B", ["ceildiv", ["+", "S", 1], 16]])"), symbols);
  ASSERT_TRUE(expression.ok());
  EXPECT_EQ(expression->str(symbols), "(B * ceildiv((S + 1), 16))");
  EXPECT_EQ(expression->symbol(), std::nullopt);
  EXPECT_EQ(expression->constant(), std::nullopt);
  EXPECT_EQ(Expression(5).constant(), 5);
}

} // namespace
