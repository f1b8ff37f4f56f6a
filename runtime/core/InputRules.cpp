// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/InputRules.h"

#include "runtime/core/Json.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal {
namespace {

std::optional<size_t> find(const std::vector<std::string> &names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<size_t>(found - names.begin()));
}

/// The first `columns` of each row of `values`.
struct Rows32 {
  const int32_t *values;
  int64_t rows, stride, columns;
};

/// Values below 0 are the largest of all when read without sign: one comparison, which compilers vectorise.
uint32_t largest(const Rows32 &rows) {
  uint32_t result = 0;
  for (int64_t row = 0; row < rows.rows; ++row)
    for (int64_t column = 0; column < rows.columns; ++column)
      result = std::max(result, static_cast<uint32_t>(rows.values[row * rows.stride + column]));
  return result;
}

Status badValue(const EntryPlan &plan, const PlanArgument &argument, const TensorView &tensor, const Rows32 &rows,
                int64_t limit) {
  const int32_t *values = rows.values;
  int64_t at = 0;
  while (at % rows.stride >= rows.columns || (values[at] >= 0 && values[at] < limit))
    ++at;
  std::vector<int64_t> place(tensor.rank);
  int64_t rest = at;
  for (size_t axis = tensor.rank; axis-- > 0; rest /= tensor.extents[axis])
    place[axis] = rest % tensor.extents[axis];
  return {StatusCode::usage,
          fmt::format("entry '{}', input '{}': expects values from 0 to below {}, but got {} at [{}]", plan.name,
                      argument.name, limit, values[at], fmt::join(place, ", "))};
}

/// The input that says how many steps of a history count.
std::optional<size_t> stepInput(const EntryPlan &plan) {
  const auto found = std::ranges::find_if(plan.inputs, [](const PlanArgument &input) {
    return input.name == "step" && input.type == ElementType::i32 && input.dims.empty();
  });
  return found == plan.inputs.end() ? std::nullopt : std::optional(static_cast<size_t>(found - plan.inputs.begin()));
}

} // namespace

Result<InputRules> InputRules::create(const Manifest &manifest, const EntryPlan &plan) {
  JsonReader model(manifest.model, "manifest.model");
  // A language model has one vocabulary.
  const int64_t source = model.integer("source_vocabulary", -1),
                target = model.integer("target_vocabulary", model.integer("vocabulary", -1));
  // No value of 32 bits is above the bound, and no sum with it overflows.
  const auto bounded = [](int64_t value) { return std::min<int64_t>(value, INT32_MAX); };
  const int64_t positions = bounded(model.integer("max_positions", -1)), pad = bounded(model.integer("pad", 0));
  if (!model.status().ok())
    return model.status();
  const bool usesStates =
      std::ranges::any_of(plan.buffers, [](const PlanBuffer &buffer) { return buffer.region == Region::state; });
  // Caches of a model with a memory keep the last P of any number of steps: those of relative attention alone.
  const auto runs = [&plan](std::string_view family) {
    return std::ranges::any_of(plan.steps, [&](const PlanStep &step) { return step.family == family; });
  };
  const bool remembers =
      model.has("memory") && runs("relative_attention_step") && !runs("attention_step") && !runs("diff_attention_step");
  const auto cached = find(plan.symbols, "P"), steps = remembers ? std::optional<size_t>() : cached;
  const auto state = [&](const char *symbol) {
    return usesStates ? find(manifest.stateSymbols, symbol) : std::optional<size_t>();
  };
  // By the name of an input: its values are below a number (-1: the model does not say) or a symbol.
  constexpr std::optional<size_t> none;
  const std::pair<std::string_view, Values> known[] = {
      {"step", {0, steps ? -1 : INT32_MAX, steps, none, none}}, // first: the histories need it
      {"source", {0, source, none, none, none}},
      {"previous", {0, target, none, none, none}},
      {"target", {0, target, none, none, none}},
      {"tokens", {0, target, none, none, none}},
      {"short_list", {0, target, none, none, none}},
      {"positions", {0, positions < 0 ? -1 : std::max<int64_t>(positions + pad + 1, 0), none, none, none}},
      {"distances", {0, positions, none, none, none}},
      {"sentences", {0, -1, none, state("B"), none}},
      {"ancestors", {0, -1, none, state("R"), stepInput(plan)}},
  };
  InputRules rules;
  if (remembers && stepInput(plan))
    rules.ring_ = cached;
  for (const auto &[name, limits] : known)
    for (size_t i = 0; i < plan.inputs.size(); ++i) {
      const PlanArgument &input = plan.inputs[i];
      if (input.type != ElementType::i32 || input.name != name)
        continue;
      if (limits.limit >= 0 || limits.symbol || limits.state) {
        rules.values_.push_back(limits);
        rules.values_.back().input = i;
      }
      // The model counts the positions of these itself.
      if ((name == "source" || name == "previous") && positions >= 0 && !input.dims.empty())
        rules.steps_.push_back({i, positions});
    }
  if (const auto rows = find(plan.symbols, "N"), room = find(manifest.stateSymbols, "R"); rows && room && usesStates)
    rules.rows_ = Rows{*rows, *room};
  return rules;
}

Status InputRules::check(const EntryPlan &plan, std::span<const TensorView> inputs, std::span<const int64_t> symbols,
                         std::span<const int64_t> states) const {
  if (rows_ && symbols[rows_->symbol] > states[rows_->state])
    return {StatusCode::usage, fmt::format("entry '{}' expects states with room for N = {} rows, but they were sized "
                                           "with R = {}",
                                           plan.name, symbols[rows_->symbol], states[rows_->state])};
  if (ring_ && symbols[*ring_] == 0)
    return {StatusCode::usage,
            fmt::format("entry '{}' expects states with room for at least one step, but P is 0", plan.name)};
  for (const Steps &rule : steps_) {
    const TensorView &tensor = inputs[rule.input];
    if (const int64_t steps = tensor.extents[tensor.rank - 1]; steps > rule.limit)
      return {StatusCode::usage,
              fmt::format("entry '{}', input '{}': expects at most {} steps, the positions of the model, but got {}",
                          plan.name, plan.inputs[rule.input].name, rule.limit, steps)};
  }
  for (const Values &rule : values_) {
    const int64_t limit = rule.symbol ? symbols[*rule.symbol] : rule.state ? states[*rule.state] : rule.limit;
    const TensorView &tensor = inputs[rule.input];
    if (tensor.elements() == 0)
      continue;
    const int64_t columns = tensor.rank > 0 ? tensor.extents[tensor.rank - 1] : 1;
    Rows32 rows{static_cast<const int32_t *>(tensor.data), tensor.elements() / columns, columns, columns};
    if (rule.step)
      rows.columns = std::min<int64_t>(columns, *static_cast<const int32_t *>(inputs[*rule.step].data));
    if (rows.columns > 0 && static_cast<int64_t>(largest(rows)) >= limit)
      return badValue(plan, plan.inputs[rule.input], tensor, rows, limit);
  }
  return {};
}

} // namespace bifocal
