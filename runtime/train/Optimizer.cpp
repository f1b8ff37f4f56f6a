// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Optimizer.h"

#include "runtime/core/Json.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace bifocal {

Result<OptimizerOptions> OptimizerOptions::read(const nlohmann::json &optimizer) {
  constexpr std::string_view names[] = {"adam", "adagrad", "nag", "sgd"};
  OptimizerOptions options;
  JsonReader reader(optimizer, "training.optimizer");
  options.name = reader.string("name", options.name);
  if (std::ranges::find(names, options.name) == std::end(names))
    reader.fail("name", fmt::format("expects adam, adagrad, nag or sgd, but got \"{}\"", options.name));
  if (reader.has("betas")) {
    const nlohmann::json &betas = reader.array("betas");
    if (betas.size() != 2 || !betas[0].is_number() || !betas[1].is_number())
      reader.fail("betas", "expects two numbers");
    else
      std::tie(options.beta1, options.beta2) = std::pair(betas[0].get<double>(), betas[1].get<double>());
  }
  if (!(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1))
    reader.fail("betas", "expects numbers from 0 to below 1");
  options.rateDecay = reader.number("lr_decay", 0);
  if (!(options.rateDecay >= 0))
    reader.fail("lr_decay", fmt::format("expects at least 0, but got {}", options.rateDecay));
  if (!reader.status().ok())
    return reader.status();
  return options;
}

std::array<float, 4> OptimizerOptions::hyper(const Schedule &schedule, int64_t updates, double clipNorm) const {
  const double rate = schedule.rate(updates);
  const auto t = static_cast<double>(updates + 1);
  double corrected = rate;
  if (name == "adam") {
    corrected = rate * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t));
  } else if (name == "adagrad") {
    corrected = rate / (1 + (t - 1) * rateDecay);
  } else if (name == "nag") {
    // A velocity is a sum of steps: it grows and shrinks with their rate. After a rate of 0 there is nothing to scale.
    const double before = updates > 0 ? schedule.rate(updates - 1) : rate;
    corrected = before > 0 ? rate / before : 1;
  }
  return {static_cast<float>(rate), static_cast<float>(corrected), static_cast<float>(clipNorm), 0};
}

std::map<std::string, std::string> OptimizerOptions::decisive() const {
  std::map<std::string, std::string> result = {{"optimizer", name}};
  if (name == "adam")
    result["betas"] = fmt::format("{}, {}", beta1, beta2);
  if (name == "adagrad")
    result["lr_decay"] = fmt::format("{}", rateDecay);
  return result;
}

} // namespace bifocal
