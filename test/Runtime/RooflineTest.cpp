// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Roofline.h"

#include "runtime/core/Artifact.h"
#include "test/Runtime/ArtifactBuilder.h"

#include <gtest/gtest.h>

using namespace bifocal;

namespace {

/// The costs of the example's layer for `rows` rows.
std::vector<StepCost> layerCosts(const Artifact &artifact, int64_t rows) {
  const int64_t symbols[] = {rows, 0};
  const Result<std::vector<StepCost>> costs = stepCosts(*artifact.plan().find("layer"), symbols);
  EXPECT_TRUE(costs.ok()) << costs.status().message();
  return costs.ok() ? *costs : std::vector<StepCost>();
}

TEST(Roofline, countsByHand) {
  const Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(test::exampleArtifact());
  ASSERT_TRUE(artifact.ok());
  const std::vector<StepCost> costs = layerCosts(**artifact, 32);
  ASSERT_EQ(costs.size(), 4u);
  // x [32, 8] weight [4, 8] -> [32, 4], and the epilogue reads and writes that, in its class, and the bias.
  EXPECT_EQ(costs[0].flops, 2.0 * 32 * 8 * 4);
  EXPECT_EQ(costs[0].bytes, 4.0 * (32 * 8 + 8 * 4 + 32 * 4) + 4.0 * (32 * 4 + 4));
  EXPECT_EQ(costs[0].launches, 2);
  // 11 windows of 3 rows, the last one of 2: 32 rows of four f32 from here to there.
  EXPECT_EQ(costs[1].launches, 11);
  EXPECT_DOUBLE_EQ(costs[1].bytes, 2.0 * 32 * 16);
  EXPECT_EQ(costs[2].bytes, 16.0 * 16); // a class of 1, rounded up
  EXPECT_EQ(costs[3].launches, 2);      // two stages
  EXPECT_EQ(costs[3].bytes, 4.0 * 32 * 4 + 16.0 * 16 + 4);
}

TEST(Roofline, takesTheLongerOfMemoryAndArithmetic) {
  const Card &card = *findCard("h100");
  StepCost cost;
  cost.launches = 1;
  cost.bytes = card.bytesPerSecond;
  cost.flops = card.flops32 / 2;
  EXPECT_DOUBLE_EQ(cost.seconds(card), 1 + 1e-6);
  cost.flops = 3 * card.flops32;
  EXPECT_DOUBLE_EQ(cost.seconds(card), 3 + 1e-6);
  cost.narrow = true; // on tensor cores
  EXPECT_DOUBLE_EQ(cost.seconds(card), 1 + 1e-6);
  EXPECT_EQ(findCard("h1"), nullptr);
}

TEST(Roofline, refusesSizesThatOverflow) {
  const Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(test::exampleArtifact());
  ASSERT_TRUE(artifact.ok());
  const int64_t symbols[] = {INT64_MAX, 0};
  const Result<std::vector<StepCost>> costs = stepCosts(*(*artifact)->plan().find("layer"), symbols);
  ASSERT_FALSE(costs.ok());
  EXPECT_EQ(costs.status().code(), StatusCode::usage);
}

} // namespace
