// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Schedule.h"

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

} // namespace
