// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Runtime/SessionOfExample.h"

using namespace bifocal;
using test::makeSession, test::runLayer;

namespace {

// A product reads six columns of each row of x and writes into the middle of longer rows; room counts to the last
// column.
TEST(Session, productsReadAndWriteViews) {
  nlohmann::json plan = test::examplePlan();
  nlohmann::json &layer = plan["entries"]["layer"];
  layer["peak"] = {16, 48};
  layer["buffers"].push_back({{"region", "arena"}, {"class", 1}, {"offset", 16}, {"size", 32}, {"dtype", "f32"}});
  layer["buffers"].push_back({{"view_of", 0}, {"column", 2}, {"width", 6}, {"row", 8}});
  layer["buffers"].push_back({{"view_of", 7}, {"column", 3}, {"width", 4}, {"row", 8}});
  layer["steps"][0]["k"] = 6;
  layer["steps"][0]["a"] = 8;
  nlohmann::json again = layer["steps"][0];
  // The same product into a view, then from there into its place: times the identity that the weight's place holds.
  layer["steps"][0]["c"] = 9;
  layer["steps"][0].erase("epilogue");
  again["kernel"] = "gemm_nt";
  again["a"] = 9;
  again["b"] = 10;
  again["k"] = 4;
  layer["buffers"].push_back({{"region", "parameter"}, {"class", 0}, {"offset", 192}, {"size", 64}, {"dtype", "f32"}});
  layer["steps"].insert(layer["steps"].begin() + 1, again);
  std::unique_ptr<Session> session = makeSession(2, false, plan), plain = makeSession();
  ASSERT_TRUE(session && plain);
  for (size_t i = 0; i < 24; ++i)
    session->parameters()[i] = static_cast<float>(i % 7) - 3.0f;
  for (size_t i = 0; i < 4; ++i) {
    session->parameters()[32 + i] = plain->parameters()[32 + i] = static_cast<float>(i) - 1.5f;
    for (size_t j = 0; j < 4; ++j)
      session->parameters()[48 + 4 * i + j] = i == j ? 1.0f : 0.0f;
    for (size_t j = 0; j < 8; ++j)
      plain->parameters()[8 * i + j] = j < 2 ? 0.0f : session->parameters()[6 * i + j - 2];
  }
  for (const int64_t rows : {1, 17, 130}) {
    const Result<std::vector<float>> expected = runLayer(*plain, rows), found = runLayer(*session, rows);
    ASSERT_TRUE(expected.ok() && found.ok()) << found.status().message();
    EXPECT_EQ(*found, *expected);
  }
  plan["entries"]["layer"]["steps"][0]["k"] = 7;
  session = makeSession(2, false, plan);
  EXPECT_EQ(runLayer(*session, 2).status().message(),
            "entry 'layer', step 'gemm' at : expects room for 2 x 7 f32, 6 of 8 apart, in a, but got 56 bytes in "
            "buffer 8");
}

} // namespace
