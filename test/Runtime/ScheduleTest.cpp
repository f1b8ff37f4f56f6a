// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Optimizer.h"

#include "test/Runtime/GoldenJson.h"

#include <gtest/gtest.h>

using namespace bifocal;

namespace {

using Json = nlohmann::json;

ScheduleOptions optionsOf(const Json &row) {
  const Json &config = row["cfg"];
  ScheduleOptions options;
  options.name = row["schedule"] == "polynomial_decay" ? "polynomial" : row["schedule"].get<std::string>();
  options.rate = config["lr"][0].get<double>();
  options.warmupUpdates = config["warmup_updates"].get<int64_t>();
  options.warmupInitRate = config.value("warmup_init_lr", -1.0);
  options.minRate = config.value("min_lr", 0.0);
  options.periodUpdates = config.value("lr_period_updates", int64_t{-1});
  options.periodMult = config.value("t_mult", 1.0);
  options.shrink = config.value("lr_shrink", 0.1);
  options.endRate = config.value("end_learning_rate", 0.0);
  options.power = config.value("power", 1.0);
  options.totalUpdates = config.value("total_num_update", int64_t{0});
  options.maxUpdates = config.value("max_update", int64_t{0});
  return options;
}

TEST(Schedule, matches_the_published_rates) {
  const Json golden = test::goldenJson("optim/schedules.json");
  ASSERT_EQ(golden["rows"].size(), 8u);
  for (const Json &row : golden["rows"]) {
    const Result<Schedule> schedule = Schedule::create(optionsOf(row));
    ASSERT_TRUE(schedule.ok()) << schedule.status().message();
    for (size_t n = 0; n < row["lr"].size(); ++n)
      EXPECT_NEAR(schedule->rate(static_cast<int64_t>(n)), row["lr"][n].get<double>(),
                  1e-12 * row["cfg"]["lr"][0].get<double>())
          << row["schedule"] << " " << row["cfg"] << " after " << n;
  }
}

TEST(Schedule, options_out_of_range_are_errors) {
  const auto code = [](auto change) {
    ScheduleOptions options;
    change(options);
    return Schedule::create(options).status().code();
  };
  EXPECT_EQ(code([](ScheduleOptions &o) { o.name = "linear"; }), StatusCode::usage);
  EXPECT_EQ(code([](ScheduleOptions &o) { o.rate = 0; }), StatusCode::usage);
  EXPECT_EQ(code([](ScheduleOptions &o) { o.warmupUpdates = 0; }), StatusCode::usage);
  EXPECT_EQ(code([](ScheduleOptions &o) { o.name = "cosine"; }), StatusCode::usage);
  EXPECT_EQ(code([](ScheduleOptions &o) { o.name = "polynomial"; }), StatusCode::usage);
  EXPECT_EQ(code([](ScheduleOptions &o) { o.name = "constant"; }), StatusCode::ok);
}

/// What the update after `updates` others gets as its second rate, at the rates 0.5, 1, 1, ...
float correctedRate(std::string_view optimizer, int64_t updates) {
  ScheduleOptions options;
  options.name = "constant";
  options.rate = 1;
  options.warmupUpdates = 2;
  const Result<Schedule> schedule = Schedule::create(options);
  EXPECT_TRUE(schedule.ok()) << schedule.status().message();
  const Result<OptimizerOptions> read = OptimizerOptions::read(Json::parse(optimizer));
  EXPECT_TRUE(read.ok()) << read.status().message();
  const std::array<float, 4> hyper = read->hyper(*schedule, updates, 0.25);
  EXPECT_EQ(hyper[0], updates == 0 ? 0.5f : 1.0f);
  EXPECT_EQ(hyper[2], 0.25f);
  return hyper[1];
}

TEST(Optimizer, corrects_the_rate_by_the_number_of_the_update) {
  EXPECT_NEAR(correctedRate(R"({"name": "adam", "betas": [0.9, 0.98]})", 1),
              std::sqrt(1 - 0.98 * 0.98) / (1 - 0.9 * 0.9), 1e-6);
  EXPECT_NEAR(correctedRate(R"({"name": "adagrad", "lr_decay": 0.5})", 3), 1 / 2.5, 1e-7);
  // The rate of the first update has none before it; that of the second is twice as high; then it stays.
  EXPECT_EQ(correctedRate(R"({"name": "nag"})", 0), 1.0f);
  EXPECT_EQ(correctedRate(R"({"name": "nag"})", 1), 2.0f);
  EXPECT_EQ(correctedRate(R"({"name": "nag"})", 2), 1.0f);
}

TEST(Optimizer, settings_out_of_range_are_errors) {
  for (const char *text : {R"({"name": "adamw"})", R"({"betas": [0.9]})", R"({"betas": [0.9, 1]})",
                           R"({"name": "adagrad", "lr_decay": -1})"})
    EXPECT_EQ(OptimizerOptions::read(Json::parse(text)).status().code(), StatusCode::malformed) << text;
}

} // namespace
