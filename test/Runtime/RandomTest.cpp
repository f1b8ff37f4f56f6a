// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Initializer.h"
#include "runtime/core/Philox.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace bifocal;

namespace {

using Draws = std::array<uint32_t, 4>;

// The known answers of Random123 for philox4x32-10.
static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == Draws{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});

TEST(Philox, givesTheKnownAnswers) {
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Draws{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Draws{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, laneAndBlockFollowTheElement) {
  const uint64_t seed = 0x0123456789abcdef, element = (uint64_t{1} << 40) + 6;
  const Draws block = philox4x32({1, 1u << 6, 7, 9}, {0x89abcdef, 0x01234567});
  EXPECT_EQ(philoxDraw(seed, element, 7, 9), block[2]);
  EXPECT_EQ(dropThreshold(0.5), 0x80000000u);
  EXPECT_EQ(dropThreshold(0.0), 0u);
}

Parameter parameter(InitializerSpec::Kind kind, std::vector<int64_t> shape) {
  Parameter result;
  result.shape = std::move(shape);
  result.init.kind = kind;
  return result;
}

std::vector<float> values(const Parameter &parameter, size_t index = 0, uint64_t seed = 1) {
  std::vector<float> result(static_cast<size_t>(parameter.elements()), NAN);
  initializeParameter(parameter, index, seed, result);
  return result;
}

TEST(Initializer, xavierStaysInItsBoundAndFillsIt) {
  const Parameter weight = parameter(InitializerSpec::Kind::xavierUniform, {300, 200});
  const float bound = std::sqrt(6.0f / 500.0f);
  float low = 0, high = 0;
  double sum = 0;
  for (float value : values(weight)) {
    low = std::min(low, value), high = std::max(high, value), sum += value;
  }
  EXPECT_GE(low, -bound);
  EXPECT_LE(high, bound);
  // 60,000 draws: the extremes are within 0.1 % of the bound except with probability e^-30.
  EXPECT_LT(low, -0.999f * bound);
  EXPECT_GT(high, 0.999f * bound);
  EXPECT_LT(std::abs(sum / 60000), 5 * bound / std::sqrt(3.0 * 60000));
}

TEST(Initializer, fansOfConvolutionKernelsCountTheTaps) {
  const Parameter kernel = parameter(InitializerSpec::Kind::xavierUniform, {64, 1, 31});
  const float bound = std::sqrt(6.0f / (31.0f + 64.0f * 31.0f));
  float high = 0;
  for (float value : values(kernel))
    high = std::max(high, std::abs(value));
  EXPECT_LE(high, bound);
  EXPECT_GT(high, 0.98f * bound);
}

TEST(Initializer, normalHasItsMomentsAndItsZeroRow) {
  Parameter embedding = parameter(InitializerSpec::Kind::normal, {1000, 64});
  embedding.init.std = 0.125;
  embedding.init.zeroRow = 1;
  const std::vector<float> table = values(embedding);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < table.size(); ++i) {
    ASSERT_TRUE(std::isfinite(table[i]));
    ASSERT_EQ(table[i] == 0.0f, i / 64 == 1) << i;
    sum += table[i], squares += static_cast<double>(table[i]) * table[i];
  }
  // Five standard errors of mean and variance over 63,936 draws.
  EXPECT_LT(std::abs(sum / 63936), 5 * 0.125 / std::sqrt(63936.0));
  EXPECT_NEAR(squares / 63936, 0.015625, 5 * 0.015625 * std::sqrt(2.0 / 63936));
}

TEST(Initializer, dependsOnSeedAndIndexOnly) {
  const Parameter weight = parameter(InitializerSpec::Kind::xavierUniform, {7, 3});
  EXPECT_EQ(values(weight, 3, 5), values(weight, 3, 5));
  EXPECT_NE(values(weight, 3, 5), values(weight, 4, 5));
  EXPECT_NE(values(weight, 3, 5), values(weight, 3, 6));
  EXPECT_NE(values(weight, 3, 5), values(weight, 3, 5 + (uint64_t{1} << 32)));
}

TEST(Initializer, distancesHaveTheirRows) {
  const std::vector<float> rows = values(parameter(InitializerSpec::Kind::sinusoidalDistance, {6, 8}));
  for (int64_t d = 0; d < 6; ++d)
    for (int64_t i = 0; i < 4; ++i) {
      const double angle = static_cast<double>(d) * std::pow(10000.0, -static_cast<double>(i) / 4.0);
      EXPECT_NEAR(rows[static_cast<size_t>(d * 8 + i)], std::sin(angle), 0x1p-24);
      EXPECT_NEAR(rows[static_cast<size_t>(d * 8 + 4 + i)], std::cos(angle), 0x1p-24);
    }
}

TEST(Initializer, constantsAndMeansAreAdded) {
  Parameter weight = parameter(InitializerSpec::Kind::constant, {3});
  weight.init.value = 0.25;
  EXPECT_EQ(values(weight), (std::vector<float>{0.25f, 0.25f, 0.25f}));
  weight = parameter(InitializerSpec::Kind::normal, {4096});
  weight.init.std = 0.02;
  std::vector<float> plain = values(weight);
  weight.init.mean = 1;
  const std::vector<float> moved = values(weight);
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_NEAR(moved[i], plain[i] + 1, 0x1p-23);
}

TEST(Initializer, sinusoidsHaveTheirRows) {
  Parameter table = parameter(InitializerSpec::Kind::sinusoidal, {6, 8});
  table.init.pad = 1;
  const std::vector<float> rows = values(table);
  for (int64_t p = 0; p < 6; ++p)
    for (int64_t i = 0; i < 4; ++i) {
      const double angle = static_cast<double>(p) * std::pow(10000.0, -static_cast<double>(i) / 3.0);
      // The angle is rounded three times in f32: its error is at most 4 units of 2^-24 of angle * ln(10000).
      const double bound = (1 + 40 * angle) * 0x1p-24;
      EXPECT_NEAR(rows[static_cast<size_t>(p * 8 + i)], p == 1 ? 0.0 : std::sin(angle), bound);
      EXPECT_NEAR(rows[static_cast<size_t>(p * 8 + 4 + i)], p == 1 ? 0.0 : std::cos(angle), bound);
    }
}

TEST(Initializer, rotationsAreThoseOfTheirPositions) {
  for (const auto kind : {InitializerSpec::Kind::rotaryCos, InitializerSpec::Kind::rotarySin}) {
    Parameter table = parameter(kind, {5000, 3});
    table.init.base = 500;
    const std::vector<float> rows = values(table);
    for (const int64_t t : {0, 1, 17, 4999})
      for (int64_t p = 0; p < 3; ++p) {
        const double angle = static_cast<double>(t) * std::pow(500.0, -2.0 * static_cast<double>(p) / 6.0);
        const double expected = kind == InitializerSpec::Kind::rotaryCos ? std::cos(angle) : std::sin(angle);
        EXPECT_NEAR(rows[static_cast<size_t>(t * 3 + p)], expected, 0x1p-24) << t << " " << p;
      }
  }
}

} // namespace
