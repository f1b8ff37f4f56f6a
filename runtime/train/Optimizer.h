// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_OPTIMIZER_H
#define BIFOCAL_RUNTIME_TRAIN_OPTIMIZER_H

#include "runtime/train/Schedule.h"

#include <array>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace bifocal {

/// The optimizer that is compiled into a model, as far as its updates depend on their number: what no kernel knows.
struct OptimizerOptions {
  std::string name = "adam";        ///< adam, adagrad, nag or sgd
  double beta1 = 0.9, beta2 = 0.98; ///< adam: they scale the first steps
  double rateDecay = 0;             ///< adagrad: the rate of update t is divided by 1 + (t - 1) * rateDecay

  /// The object "training.optimizer" of a manifest.
  static Result<OptimizerOptions> read(const nlohmann::json &optimizer);

  /// The input `hyper` of the update after `updates` others: learning rate, the rate as this optimizer corrects it,
  /// clip norm, a reserved place. The ops `adam`, `adagrad`, `nag` and `sgd` say what they do with it.
  std::array<float, 4> hyper(const Schedule &schedule, int64_t updates, double clipNorm) const;
  /// What decides the numbers of a training, by the names of the spec.
  std::map<std::string, std::string> decisive() const;
};

} // namespace bifocal
#endif
