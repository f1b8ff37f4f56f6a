// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/TableReader.h"

#include "runtime/core/Nearest.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;

static Position positionOf(const toml::source_region &region) {
  return {static_cast<uint32_t>(region.begin.line), static_cast<uint32_t>(region.begin.column)};
}

std::string bifocal::listOf(std::span<const std::string_view> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0)
      text += i + 1 == names.size() ? " or " : ", ";
    text += fmt::format("`{}`", names[i]);
  }
  return text;
}

TableReader::TableReader(std::string path, const toml::table *user, const toml::table *preset, Position start,
                         Spec &spec, Diagnostics &diagnostics)
    : path(std::move(path)), user(user), preset(preset), start(start), spec(spec), diagnostics(diagnostics) {
  if (!user)
    return;
  for (auto &&[key, value] : *user) {
    std::string full = fullPath(key.str());
    spec.where[full] = positionOf(key.source());
    if (const toml::array *array = value.as_array())
      for (size_t i = 0; i < array->size(); ++i)
        spec.where[fmt::format("{}[{}]", full, i)] = positionOf((*array)[i].source());
  }
}

Position TableReader::at(std::string_view key) const {
  if (user)
    if (const toml::node *node = user->get(key))
      return positionOf(node->source());
  return start;
}

void TableReader::error(std::string_view key, std::string message, StatusCode code) {
  reported.emplace(key);
  diagnostics.error(at(key), std::move(message), code);
}

void TableReader::errorAt(std::string_view path, std::string message) {
  const auto found = spec.where.find(path);
  diagnostics.error(found == spec.where.end() ? start : found->second, std::move(message));
}

const toml::node *TableReader::find(std::string_view key) {
  known.emplace(key);
  if (user)
    if (const toml::node *node = user->get(key))
      return node;
  return preset ? preset->get(key) : nullptr;
}

static std::string_view kindOf(const toml::node &node) {
  switch (node.type()) {
  case toml::node_type::table:
    return "a table";
  case toml::node_type::array:
    return "a list";
  case toml::node_type::string:
    return "a string";
  case toml::node_type::integer:
    return "an integer";
  case toml::node_type::floating_point:
    return "a number";
  case toml::node_type::boolean:
    return "a boolean";
  default:
    return "a date or time";
  }
}

const toml::node *TableReader::find(std::string_view key, std::string_view expected,
                                    bool (toml::node::*test)() const noexcept) {
  const toml::node *node = find(key);
  if (!node || (node->*test)())
    return node;
  error(key, fmt::format("`{}` expects {}, but got {}", key, expected, kindOf(*node)));
  return nullptr;
}

int64_t TableReader::integer(std::string_view key, int64_t fallback, int64_t low, int64_t high) {
  const toml::node *node = find(key, "an integer", &toml::node::is_integer);
  if (!node)
    return fallback;
  int64_t value = **node->as_integer();
  if (value >= low && value <= high)
    return value;
  if (high == std::numeric_limits<int64_t>::max())
    error(key, fmt::format("expects {} >= {}, but got {}", key, low, value));
  else
    error(key, fmt::format("expects {} in [{}, {}], but got {}", key, low, high, value));
  return fallback;
}

double TableReader::number(std::string_view key, double fallback, double low, double high, bool open) {
  const toml::node *node = find(key, "a number", &toml::node::is_number);
  if (!node)
    return fallback;
  double value = *node->value<double>();
  if (std::isfinite(value) && value >= low && (open ? value < high : value <= high))
    return value;
  if (std::isinf(high))
    error(key, fmt::format("expects a finite {} >= {}, but got {}", key, low, value));
  else
    error(key, fmt::format("expects {} in [{}, {}{}, but got {}", key, low, high, open ? ')' : ']', value));
  return fallback;
}

bool TableReader::boolean(std::string_view key, bool fallback) {
  const toml::node *node = find(key, "true or false", &toml::node::is_boolean);
  return node ? **node->as_boolean() : fallback;
}

std::string bifocal::notYet(std::string_view value, std::string_view key, std::span<const std::string_view> allowed,
                            std::string_view why) {
  return fmt::format("`{}` is not supported yet as `{}`{}{}: allowed are {}", value, key, why.empty() ? "" : ", since ",
                     why, listOf(allowed));
}

void TableReader::reportChoice(std::string_view key, std::string_view found, std::span<const std::string_view> allowed,
                               Names later, std::string_view whyLater) {
  if (std::find(later.begin(), later.end(), found) != later.end())
    return error(key, notYet(found, key, allowed, whyLater), StatusCode::unsupported);
  std::string message = fmt::format("expects `{}` to be {}, but got `{}`", key, listOf(allowed), found);
  if (std::string_view guess = nearest(found, allowed); !guess.empty())
    message += fmt::format("; did you mean `{}`?", guess);
  error(key, std::move(message));
}

int TableReader::choice(std::string_view key, int fallback, std::span<const Choice> choices, Names later) {
  const toml::node *node = find(key);
  if (!node)
    return fallback;
  std::vector<std::string_view> names;
  for (const Choice &candidate : choices) {
    names.push_back(candidate.name);
    if (node->is_string() && **node->as_string() == candidate.name)
      return candidate.value;
  }
  if (node->is_string())
    reportChoice(key, **node->as_string(), names, later);
  else
    error(key, fmt::format("`{}` expects {}, but got {}", key, listOf(names), kindOf(*node)));
  return fallback;
}

std::string TableReader::text(std::string_view key, std::string_view fallback, Names allowed, Names later,
                              std::string_view whyLater) {
  const toml::node *node = find(key, "a string", &toml::node::is_string);
  if (!node)
    return std::string(fallback);
  const std::string &value = **node->as_string();
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
    return value;
  reportChoice(key, value, allowed, later, whyLater);
  return std::string(fallback);
}

std::vector<int64_t> TableReader::integers(std::string_view key, int64_t low, int64_t high) {
  std::vector<int64_t> values;
  const toml::node *node = find(key, "a list of integers", &toml::node::is_array);
  if (!node)
    return values;
  for (const toml::node &element : *node->as_array()) {
    Position where = userHas(key) ? positionOf(element.source()) : start;
    const std::optional<int64_t> value = element.is_integer() ? std::optional(**element.as_integer()) : std::nullopt;
    if (!value)
      diagnostics.error(where, fmt::format("`{}` expects integers, but got {}", key, kindOf(element)));
    else if (*value < low || *value > high)
      diagnostics.error(where, fmt::format("`{}` expects elements in [{}, {}], but got {}", key, low, high, *value));
    // A wrong element still counts: its length is checked against the layers.
    values.push_back(std::clamp(value.value_or(low), low, high));
  }
  return values;
}

std::vector<double> TableReader::numbers(std::string_view key, double low, double high) {
  std::vector<double> values;
  const toml::node *node = find(key, "a list of numbers", &toml::node::is_array);
  if (!node)
    return values;
  for (const toml::node &element : *node->as_array()) {
    Position where = userHas(key) ? positionOf(element.source()) : start;
    double value = element.value<double>().value_or(std::nan(""));
    if (!element.is_number())
      diagnostics.error(where, fmt::format("`{}` expects numbers, but got {}", key, kindOf(element)));
    else if (!(value >= low && value < high))
      diagnostics.error(where, fmt::format("`{}` expects elements in [{}, {}), but got {}", key, low, high, value));
    values.push_back(value);
  }
  return values;
}

TableReader TableReader::table(std::string_view key) {
  known.emplace(key);
  const toml::node *userNode = user ? user->get(key) : nullptr;
  if (userNode && !userNode->is_table())
    error(key, fmt::format("`{}` expects a table, but got {}", key, kindOf(*userNode)));
  const toml::node *presetNode = preset ? preset->get(key) : nullptr;
  return TableReader(fullPath(key), userNode ? userNode->as_table() : nullptr,
                     presetNode ? presetNode->as_table() : nullptr, userNode ? positionOf(userNode->source()) : start,
                     spec, diagnostics);
}

bool TableReader::isList(std::string_view key) const {
  const toml::node *node = userHas(key) ? user->get(key) : preset ? preset->get(key) : nullptr;
  return node && node->is_array();
}

std::vector<TableReader> TableReader::tables(std::string_view key, std::string_view what) {
  std::vector<TableReader> readers;
  const toml::node *list = find(key, "a list", &toml::node::is_array);
  const bool own = userHas(key);
  for (size_t i = 0; list && i < list->as_array()->size(); ++i) {
    const toml::node &element = (*list->as_array())[i];
    Position where = own ? positionOf(element.source()) : start;
    if (!element.is_table()) {
      reported.emplace(key);
      diagnostics.error(where,
                        fmt::format("`{}` expects a table for every {}, but got {}", key, what, kindOf(element)));
      continue;
    }
    readers.emplace_back(fmt::format("{}[{}]", fullPath(key), i), own ? element.as_table() : nullptr,
                         own ? nullptr : element.as_table(), where, spec, diagnostics);
  }
  return readers;
}

void TableReader::finish() {
  if (!user)
    return;
  std::vector<std::string_view> names(known.begin(), known.end());
  for (auto &&[key, value] : *user) {
    if (known.contains(key.str()))
      continue;
    std::string message = path.empty() ? fmt::format("unknown key `{}`", key.str())
                                       : fmt::format("unknown key `{}` in [{}]", key.str(), path);
    if (std::string_view guess = nearest(key.str(), names); !guess.empty())
      message += fmt::format("; did you mean `{}`?", guess);
    else
      message += fmt::format("; allowed are {}", listOf(names));
    diagnostics.error(positionOf(key.source()), std::move(message));
  }
}
