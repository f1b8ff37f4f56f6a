// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/OptimizerSpec.h"

#include <algorithm>
#include <fmt/format.h>

using namespace bifocal;

static constexpr double unbounded = std::numeric_limits<double>::infinity();

/// The keys that only some optimizers have.
static void rejectForeignKeys(TableReader &table, std::string_view optimizer) {
  struct Owned {
    std::string_view key;
    std::vector<std::string_view> owners;
  };
  static const Owned keys[] = {{"betas", {"adam"}},
                               {"epsilon", {"adam", "adagrad"}},
                               {"momentum", {"nag", "sgd"}},
                               {"clip", {"adagrad"}},
                               {"lr_decay", {"adagrad"}}};
  for (const Owned &owned : keys) {
    table.accept(owned.key);
    if (std::ranges::find(owned.owners, optimizer) == owned.owners.end() && table.userHas(owned.key))
      table.error(owned.key, fmt::format("`{}` belongs to {}, but the optimizer is `{}`", owned.key,
                                         listOf(owned.owners), optimizer));
  }
}

static void readBetas(TableReader &table, OptimizerSpec &optimizer) {
  optimizer.beta1 = 0.9;
  optimizer.beta2 = 0.98;
  const bool given = table.has("betas");
  std::vector<double> betas = table.numbers("betas", 0, 1);
  if (!given)
    return;
  if (betas.size() != 2)
    return table.error("betas", fmt::format("`betas` expects 2 numbers, but got {}", betas.size()));
  optimizer.beta1 = betas[0];
  optimizer.beta2 = betas[1];
}

void bifocal::readOptimizer(TableReader table, OptimizerSpec &optimizer) {
  static constexpr std::string_view names[] = {"adam", "adagrad", "nag", "sgd"};
  const std::string &name = optimizer.name = table.text("name", optimizer.name, names);
  rejectForeignKeys(table, name);
  if (name == "adam") {
    readBetas(table, optimizer);
    optimizer.epsilon = table.number("epsilon", 1e-8, 0, 1);
  } else if (name == "adagrad") {
    optimizer.epsilon = table.number("epsilon", 1e-10, 0, 1);
    optimizer.clip = table.number("clip", 0, 0, unbounded);
    optimizer.lrDecay = table.number("lr_decay", 0, 0, unbounded);
  } else {
    optimizer.momentum = table.number("momentum", name == "nag" ? 0.99 : 0.0, 0, 1, true);
  }
  optimizer.weightDecay = table.number("weight_decay", optimizer.weightDecay, 0, 1);
  table.finish();
}

void bifocal::dropOtherOptimizer(const toml::table &user, toml::table &preset) {
  auto given = user["training"]["optimizer"]["name"].value<std::string_view>();
  auto known = preset["training"]["optimizer"]["name"].value<std::string_view>();
  if (given && known && given != known)
    preset["training"].as_table()->erase("optimizer");
}
