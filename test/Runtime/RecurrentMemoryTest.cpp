// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/RecurrentMemory.h"

#include <gtest/gtest.h>

using namespace bifocal;

namespace {

Manifest manifestOf(const char *memory) {
  Manifest manifest;
  manifest.model = {{"kind", "language_model"}, {"memory", nlohmann::json::parse(memory)}};
  Parameter spans;
  spans.name = "spans";
  spans.shape = {2, 1, 1};
  spans.offset = 16;
  manifest.parameters = {spans};
  return manifest;
}

constexpr const char *plain = R"({"dim": 2, "layers": 1, "steps": 4, "evaluation_steps": 6, "max_distance": 9})";
constexpr const char *adaptive = R"({"dim": 1, "layers": 1, "steps": 256, "span": 256, "ramp": 8, "spans": ["spans"]})";

/// Runs a segment whose states are `first`, `first` + 1, ... in each row, and gives the memory behind it.
std::vector<float> advance(RecurrentMemory &memory, int64_t rows, int64_t steps, float first,
                           std::vector<float> spans = {}) {
  std::vector<TensorView> inputs, outputs;
  EXPECT_TRUE(memory.addInputs(rows, steps, inputs).ok());
  memory.addOutputs(outputs);
  const TensorView &states = outputs.front();
  auto *values = static_cast<float *>(states.data);
  for (int64_t i = 0; i < states.elements(); ++i)
    values[i] = first + static_cast<float>(i % (steps * states.extents[2]));
  for (size_t head = 0; head < spans.size(); ++head)
    static_cast<float *>(outputs.back().data)[head] = spans[head];
  memory.advance();
  std::vector<SafetensorsItem> items = memory.items();
  if (items.empty())
    return {};
  const auto *kept = static_cast<const float *>(items.front().data);
  return {kept, kept + items.front().shape[0] * items.front().shape[1] * items.front().shape[2]};
}

std::string messageOf(const Status &status) { return status.message(); }

} // namespace

TEST(RecurrentMemory, grows_from_nothing_and_keeps_the_last_steps_of_every_row) {
  Result<RecurrentMemory> memory = RecurrentMemory::create(manifestOf(plain), RecurrentMemory::Use::training);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  memory->reset(2, {});
  EXPECT_TRUE(memory->items().empty());
  EXPECT_EQ(advance(*memory, 2, 3, 10), (std::vector<float>{10, 11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(advance(*memory, 2, 3, 20),
            (std::vector<float>{14, 15, 20, 21, 22, 23, 24, 25, 14, 15, 20, 21, 22, 23, 24, 25}));
  EXPECT_EQ(advance(*memory, 2, 5, 30),
            (std::vector<float>{32, 33, 34, 35, 36, 37, 38, 39, 32, 33, 34, 35, 36, 37, 38, 39}));
  EXPECT_FALSE(memory->spans());
  memory->reset(1, {});
  EXPECT_EQ(advance(*memory, 1, 1, 5), (std::vector<float>{5, 6}));
}

TEST(RecurrentMemory, is_as_long_as_the_use_asks_for) {
  for (auto [use, steps, most] : {std::tuple{RecurrentMemory::Use::evaluation, std::optional<int64_t>(), 6},
                                  {RecurrentMemory::Use::training, std::optional<int64_t>(1), 1},
                                  {RecurrentMemory::Use::evaluation, std::optional<int64_t>(0), 0}}) {
    Result<RecurrentMemory> memory = RecurrentMemory::create(manifestOf(plain), use, steps);
    ASSERT_TRUE(memory.ok()) << memory.status().message();
    memory->reset(1, {});
    advance(*memory, 1, 3, 0);
    EXPECT_EQ(advance(*memory, 1, 3, 0).size(), static_cast<size_t>(2 * most));
  }
}

TEST(RecurrentMemory, checks_sizes_and_lengths) {
  Result<RecurrentMemory> memory = RecurrentMemory::create(manifestOf(plain), RecurrentMemory::Use::evaluation);
  ASSERT_TRUE(memory.ok());
  memory->reset(2, {});
  std::vector<TensorView> inputs;
  EXPECT_EQ(messageOf(memory->addInputs(2, 10, inputs)),
            "expects a memory and a segment of at most 9 steps together, the distances of the model (max_positions), "
            "but got 0 + 10");
  advance(*memory, 2, 6, 0);
  EXPECT_EQ(messageOf(memory->addInputs(3, 1, inputs)),
            "expects segments of the 2 rows that the memory has, but got 3");
  EXPECT_EQ(messageOf(RecurrentMemory::create(manifestOf(adaptive), RecurrentMemory::Use::evaluation, 3).status()),
            "expects no length of the memory where spans are adaptive: they say what is kept");
  const Manifest fixed = manifestOf(R"({"dim": 1, "layers": 1, "steps": 4, "same_length": true})");
  EXPECT_EQ(messageOf(RecurrentMemory::create(fixed, RecurrentMemory::Use::evaluation, 3).status()),
            "expects a memory of 4 steps, the same length that attention was compiled for (same_length), but got 3");
  const Manifest unknown = manifestOf(R"({"dim": 1, "layers": 2, "steps": 4, "span": 4, "spans": ["spans", "none"]})");
  EXPECT_EQ(messageOf(RecurrentMemory::create(unknown, RecurrentMemory::Use::training).status()),
            "manifest.model.memory: expects the name of a parameter for the spans of layer 1, but got 'none'");
}

TEST(RecurrentMemory, keeps_blocks_of_64_behind_the_longest_span) {
  // As the published code sizes its caches.
  EXPECT_EQ(RecurrentMemory::trimmedSteps(25, 192), 128);
  EXPECT_EQ(RecurrentMemory::trimmedSteps(122, 192), 192);
  EXPECT_EQ(RecurrentMemory::trimmedSteps(32, 8192), 128);
  EXPECT_EQ(RecurrentMemory::trimmedSteps(8192, 8192), 8192);
  EXPECT_EQ(RecurrentMemory::trimmedSteps(4, 16), 16);
}

TEST(RecurrentMemory, of_adaptive_spans_begins_with_zeros_and_follows_them) {
  Result<RecurrentMemory> memory = RecurrentMemory::create(manifestOf(adaptive), RecurrentMemory::Use::training);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  std::vector<float> parameters(18, 0.0f);
  parameters[17] = 0.125f;
  memory->reset(1, parameters);
  ASSERT_TRUE(memory->spans());
  EXPECT_EQ(memory->spans()->mean, 24);
  EXPECT_EQ(memory->spans()->largest, 40);
  // 32 + 8 steps are a block of 64, and one more is kept.
  EXPECT_EQ(memory->items().front().shape, (std::vector<int64_t>{1, 128, 1}));
  std::vector<float> kept = advance(*memory, 1, 2, 5, {0, 32});
  ASSERT_EQ(kept.size(), 128u);
  EXPECT_EQ(kept[125], 0);
  EXPECT_EQ(kept[126], 5);
  EXPECT_EQ(kept[127], 6);
  // A longer span meets zeros where nothing is known; a shorter one lets steps go.
  kept = advance(*memory, 1, 1, 7, {0, 100});
  ASSERT_EQ(kept.size(), 192u);
  EXPECT_EQ(kept[188], 0);
  EXPECT_EQ(kept[189], 5);
  EXPECT_EQ(kept[191], 7);
  EXPECT_EQ(memory->spans()->largest, 108);
  kept = advance(*memory, 1, 1, 8, {0, 1});
  ASSERT_EQ(kept.size(), 128u);
  EXPECT_EQ(kept[124], 5);
  EXPECT_EQ(kept[127], 8);
}
