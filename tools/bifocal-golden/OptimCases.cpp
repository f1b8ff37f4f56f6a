// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include "runtime/train/Schedule.h"
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

namespace {
/// One row of the trajectories: an optimizer's settings and what it made of the quadratic.
class Trajectory {
public:
  explicit Trajectory(const json &row) : row(row), config(row["cfg"]), name(row["optimizer"]) {
    if (config.contains("adam_betas")) // a Python tuple as text
      std::sscanf(config["adam_betas"].get<std::string>().c_str(), "(%lf,%lf)", &beta1, &beta2);
  }

  /// The op of the update, with its attributes.
  std::string op() const {
    const double decay = config.value("weight_decay", 0.0);
    if (name == "adam")
      return fmt::format("adam %factor, %hyper of [@p, @q] {{beta1 = {:.9e} : f32, beta2 = {:.9e} : f32, "
                         "epsilon = {:.9e} : f32, weight_decay = {:.9e} : f32}}",
                         beta1, beta2, config.value("adam_eps", 1e-8), decay);
    if (name == "nag")
      return fmt::format("nag %factor, %hyper of [@p, @q] {{momentum = {:.9e} : f32, weight_decay = {:.9e} : f32}}",
                         config["momentum"].get<double>(), decay);
    return fmt::format("adagrad %factor, %hyper of [@p, @q] {{clip = {:.9e} : f32, epsilon = 1.0e-10 : f32, "
                       "weight_decay = {:.9e} : f32}}",
                       config["grad_clip"].get<double>(), decay);
  }

  /// The input `hyper` of the update after `update` others.
  std::array<float, 4> hyper(size_t update) const {
    const double rate = this->rate(update), t = static_cast<double>(update + 1);
    double corrected = rate * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t));
    if (name == "nag")
      corrected = update == 0 ? 1 : rate / this->rate(update - 1);
    else if (name != "adam")
      corrected = rate / (1 + (t - 1) * config.value("lr_decay", 0.0));
    const double clip = row["clip_norm"].is_null() ? 0 : row["clip_norm"].get<double>();
    return {static_cast<float>(rate), static_cast<float>(corrected), static_cast<float>(clip), 0};
  }

private:
  double rate(size_t update) const {
    if (!row["lr_per_update"].is_null())
      return row["lr_per_update"][update];
    return config["lr"].is_array() ? config["lr"][0] : config["lr"];
  }

  const json &row, &config;
  std::string name;
  double beta1 = 0.9, beta2 = 0.98; // the published defaults
};
} // namespace

static std::string updateText(const Trajectory &trajectory) {
  return fmt::format(R"(
bifocal.param @p : tensor<3xf32> init {{kind = "zeros"}}
bifocal.param @q : tensor<2x2xf32> init {{kind = "zeros"}}
func.func @update(%count: tensor<f32> {{bifocal.name = "count", bifocal.dims = []}},
    %hyper: tensor<4xf32> {{bifocal.name = "hyper", bifocal.dims = [""]}})
    -> (tensor<f32> {{bifocal.name = "gradient_norm"}}) {{
  %norm = bifocal.global_norm %count of [@p, @q] : (tensor<f32>) -> tensor<f32>
  %factor = bifocal.clip %norm, %count, %hyper : (tensor<f32>, tensor<f32>, tensor<4xf32>) -> tensor<f32>
  bifocal.{} : tensor<f32>, tensor<4xf32>
  return %norm : tensor<f32>
}}
)",
                     trajectory.op());
}

/// The gradient of f = 0.5 sum a (p - c)^2.
static void fillGradient(CompiledModule &module, const char *name, const json &a, const json &c) {
  std::span<float> value = module.parameter(name), gradient = module.gradient(name);
  for (size_t i = 0; i < value.size(); ++i)
    gradient[i] = static_cast<float>(a[i].get<double>() * (value[i] - c[i].get<double>()));
}

static Status compareTrajectory(const json &file, const json &row, int index, Comparison &comparison) {
  Trajectory trajectory(row);
  auto module = CompiledModule::ofText(updateText(trajectory), /*training=*/true);
  if (!module.ok())
    return module.status();
  const char *names[] = {"p", "q"};
  for (size_t part = 0; part < 2; ++part) {
    std::span<float> piece = (*module)->parameter(names[part]);
    if (piece.size() != file["p0"][part].size())
      return Status(StatusCode::internal, "the optimizer's module has other parameters than the file");
    for (size_t i = 0; i < piece.size(); ++i)
      piece[i] = file["p0"][part][i].get<float>();
  }
  float one = 1;
  HostTensor count = HostTensor::ofFloats({}, {&one, 1}), norm = HostTensor::zeros({});
  for (size_t update = 0; update < row["params"].size(); ++update) {
    for (size_t part = 0; part < 2; ++part)
      fillGradient(**module, names[part], file["a"][part], file["c"][part]);
    std::array<float, 4> hyper = trajectory.hyper(update);
    HostTensor hyperTensor = HostTensor::ofFloats({4}, hyper);
    BIFOCAL_RETURN_IF_ERROR(
        (*module)->run("update", {{"count", &count}, {"hyper", &hyperTensor}, {"gradient_norm", &norm}}));
    std::vector<float> found, expected = row["params"][update];
    for (const char *name : names)
      found.insert(found.end(), (*module)->parameter(name).begin(), (*module)->parameter(name).end());
    comparison.relative(fmt::format("row {} update {}", index, update), found, expected, outputBound);
    if (!row["grad_norms"].is_null())
      comparison.absolute(fmt::format("row {} norm {}", index, update), norm.floats()[0], row["grad_norms"][update],
                          outputBound * 3);
  }
  return {};
}

Status golden::compareTrajectories(const json &file, Comparison &comparison) {
  int index = 0;
  for (const json &row : file["rows"]) {
    BIFOCAL_RETURN_IF_ERROR(compareTrajectory(file, row, index, comparison));
    ++index;
  }
  return {};
}

/// The published configuration in the runtime's terms.
static ScheduleOptions scheduleOf(const json &row) {
  const json &config = row["cfg"];
  ScheduleOptions options;
  std::string name = row["schedule"];
  options.name = name == "polynomial_decay" ? "polynomial" : name;
  options.rate = config["lr"][0];
  options.warmupUpdates = config.value("warmup_updates", int64_t(0));
  options.warmupInitRate = config.value("warmup_init_lr", -1.0);
  options.minRate = config.value("min_lr", 0.0);
  options.periodUpdates = static_cast<int64_t>(config.value("lr_period_updates", -1.0));
  options.periodMult = config.value("t_mult", 1.0);
  options.shrink = config.value("lr_shrink", 1.0);
  options.endRate = config.value("end_learning_rate", 0.0);
  options.power = config.value("power", 1.0);
  options.totalUpdates = config.value("total_num_update", int64_t(0));
  options.maxUpdates = config.value("max_update", int64_t(0));
  return options;
}

Status golden::compareSchedules(const json &file, Comparison &comparison) {
  int index = 0;
  for (const json &row : file["rows"]) {
    Result<Schedule> schedule = Schedule::create(scheduleOf(row));
    if (!schedule.ok())
      return schedule.status();
    for (size_t update = 0; update < row["lr"].size(); ++update) {
      double expected = row["lr"][update];
      comparison.absolute(fmt::format("row {} update {}", index, update), schedule->rate(static_cast<int64_t>(update)),
                          expected, 1e-12 * std::max(expected, 1e-9));
    }
    ++index;
  }
  return {};
}
