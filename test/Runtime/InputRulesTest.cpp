// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/InputRules.h"

#include "bench/AllocationCounter.h"
#include "runtime/core/Session.h"
#include "runtime/cpu/CpuDevice.h"
#include "test/Runtime/ArtifactBuilder.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <utility>

using namespace bifocal;

namespace {

/// Entries that do nothing, with inputs of a translation model.
std::unique_ptr<Session> makeTranslationSession() {
  nlohmann::json manifest = test::exampleManifest(), plan = test::examplePlan();
  manifest["model"] = {{"pad", 1}, {"source_vocabulary", 16}, {"target_vocabulary", 12}, {"max_positions", 6}};
  manifest["states"] = {{{"name", "keys"}, {"dtype", "f32"}, {"dims", {"P", "R", 4}}},
                        {{"name", "memory"}, {"dtype", "f32"}, {"dims", {"B", "S", 4}}}};
  const auto input = [](const char *name, std::vector<std::string> dims) {
    return nlohmann::json{{"name", name}, {"dtype", "i32"}, {"dims", dims}};
  };
  const auto add = [&plan](const char *name, std::vector<std::string> symbols, nlohmann::json inputs) {
    nlohmann::json &entry = plan["entries"][name];
    entry = plan["entries"]["remember"];
    entry["symbols"] = symbols;
    entry["inputs"] = std::move(inputs);
    entry["outputs"] = entry["steps"] = entry["buffers"] = nlohmann::json::array();
  };
  add("forward", {"B", "S", "T"},
      {input("source", {"B", "S"}), input("previous", {"B", "T"}), input("target", {"B", "T"})});
  add("decode_step", {"N", "P"},
      {input("tokens", {"N"}), input("positions", {"N"}), input("sentences", {"N"}), input("ancestors", {"N", "P"}),
       input("step", {})});
  plan["entries"]["decode_step"]["buffers"] = {{{"region", "state"}, {"name", "keys"}, {"dtype", "f32"}}};
  plan["entries"].erase("remember");
  Result<std::shared_ptr<const Artifact>> artifact =
      Artifact::fromBytes(test::buildArtifact(manifest, plan, {{"host/x86-64-v3.so", test::testKernels()}}));
  EXPECT_TRUE(artifact.ok()) << artifact.status().message();
  if (!artifact.ok())
    return nullptr;
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, makeCpuDevice({.threads = 1}), false);
  EXPECT_TRUE(session.ok()) << session.status().message();
  return session.ok() ? session.take() : nullptr;
}

TensorView ids(std::vector<int32_t> &values, int64_t rows) {
  return TensorView(ElementType::i32, {rows, static_cast<int64_t>(values.size()) / rows}, values.data());
}

TEST(InputRules, refusesTokensOutsideOfTheVocabularies) {
  std::unique_ptr<Session> session = makeTranslationSession();
  ASSERT_NE(session, nullptr);
  const auto run = [&](std::vector<int32_t> source, std::vector<int32_t> previous, std::vector<int32_t> target) {
    const TensorView inputs[] = {ids(source, 2), ids(previous, 2), ids(target, 2)};
    return session->run("forward", inputs, {}).message();
  };
  EXPECT_EQ(run({0, 15, 3, 1}, {0, 11}, {11, 0}), "");
  EXPECT_EQ(run({0, 15, 3, 16}, {0, 11}, {11, 0}),
            "entry 'forward', input 'source': expects values from 0 to below 16, but got 16 at [1, 1]");
  EXPECT_EQ(run({0, 15, 3, 1}, {-1, 11}, {11, 0}),
            "entry 'forward', input 'previous': expects values from 0 to below 12, but got -1 at [0, 0]");
  EXPECT_EQ(run({0, 15, 3, 1}, {0, 11}, {11, INT32_MAX}),
            "entry 'forward', input 'target': expects values from 0 to below 12, but got 2147483647 at [1, 0]");
  EXPECT_EQ(run(std::vector<int32_t>(12, 5), {0, 11}, {11, 0}), "");
  EXPECT_EQ(run(std::vector<int32_t>(14, 5), {0, 11}, {11, 0}),
            "entry 'forward', input 'source': expects at most 6 steps, the positions of the model, but got 7");
}

TEST(InputRules, refusesIndicesOutsideOfTheStates) {
  std::unique_ptr<Session> session = makeTranslationSession();
  ASSERT_NE(session, nullptr);
  ASSERT_TRUE(session->sizeStates({{"B", 3}, {"S", 2}, {"R", 4}, {"P", 5}}).ok());
  std::vector<int32_t> tokens(4, 11), positions(4, 7), sentences(4, 2), ancestors(4 * 5, 3);
  int32_t step = 4;
  const auto run = [&](int64_t rows) {
    const TensorView inputs[] = {
        TensorView(ElementType::i32, {rows}, tokens.data()), TensorView(ElementType::i32, {rows}, positions.data()),
        TensorView(ElementType::i32, {rows}, sentences.data()),
        TensorView(ElementType::i32, {rows, 5}, ancestors.data()), TensorView(ElementType::i32, {}, &step)};
    return session->run("decode_step", inputs, {});
  };
  const auto messageWith = [&](int32_t &place, int32_t value) {
    const int32_t before = std::exchange(place, value);
    const std::string message = run(4).message();
    place = before;
    return message;
  };
  ASSERT_EQ(run(4).message(), "");
  if (allocationsAreCounted()) {
    const int64_t before = allocationCount();
    ASSERT_TRUE(run(4).ok());
    EXPECT_EQ(allocationCount(), before);
  }
  const std::string begin = "entry 'decode_step', input '", rule = "': expects values from 0 to below ";
  EXPECT_EQ(messageWith(tokens[2], 12), begin + "tokens" + rule + "12, but got 12 at [2]");
  EXPECT_EQ(messageWith(positions[0], 8), begin + "positions" + rule + "8, but got 8 at [0]");
  EXPECT_EQ(messageWith(sentences[3], 3), begin + "sentences" + rule + "3, but got 3 at [3]");
  EXPECT_EQ(messageWith(ancestors[18], 4), begin + "ancestors" + rule + "4, but got 4 at [3, 3]");
  EXPECT_EQ(messageWith(ancestors[19], -1), "") << "this step and later ones have no history yet";
  EXPECT_EQ(messageWith(step, 5), begin + "step" + rule + "5, but got 5 at []");
  ASSERT_TRUE(session->sizeStates({{"B", 3}, {"S", 2}, {"R", 3}, {"P", 5}}).ok());
  std::ranges::fill(ancestors, 0);
  EXPECT_EQ(run(3).message(), "");
  EXPECT_EQ(run(4).message(),
            "entry 'decode_step' expects states with room for N = 4 rows, but they were sized with R = 3");
}

} // namespace
