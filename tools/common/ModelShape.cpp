// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/common/ModelShape.h"

#include "runtime/core/ArtifactFormat.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sstream>

namespace bifocal::tools {

std::string readableBytes(int64_t bytes) {
  double value = static_cast<double>(bytes);
  for (const char *unit : {"B", "KiB", "MiB"}) {
    if (value < 1024)
      return fmt::format("{:.1f} {}", value, unit);
    value /= 1024;
  }
  return fmt::format("{:.1f} GiB", value);
}

Result<Shape> parseShape(const std::string &text) {
  Shape shape;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    const size_t cut = part.find('=');
    int64_t value = 0;
    const char *end = part.data() + part.size();
    if (cut == std::string::npos || cut == 0 ||
        std::from_chars(part.data() + cut + 1, end, value) != std::from_chars_result{end, std::errc()} || value < 1)
      return Status(StatusCode::usage,
                    fmt::format("--shape expects symbol=number with number >= 1, but got `{}`", part));
    shape[part.substr(0, cut)] = value;
  }
  return shape;
}

Result<Shape> completeShape(const Shape &given, const Artifact &artifact) {
  const nlohmann::json &training = artifact.manifest().training;
  const auto number = [&](const char *key, int64_t absent) {
    return training.contains(key) && training[key].is_number_integer() ? training[key].get<int64_t>() : absent;
  };
  const int64_t tokens = number("max_tokens", 4000), steps = std::max<int64_t>(1, number("tokens_per_sample", 32));
  const int64_t sentences = std::max<int64_t>(1, tokens / steps);
  Shape shape = {{"B", sentences},     {"S", steps},         {"T", steps},
                 {"N", 5 * sentences}, {"R", 5 * sentences}, {"P", 2 * steps}};
  // M, or M0, M1, ...: steps that layers remember.
  const nlohmann::json &model = artifact.manifest().model;
  int64_t memory = 1;
  if (model.contains("memory")) {
    memory = std::max<int64_t>(1, model["memory"].value("steps", 1));
    // Caches of such a model are as long as what a token sees.
    shape["P"] = 1 + std::max<int64_t>(model["memory"].value("evaluation_steps", memory), 1);
  }
  for (const EntryPlan &entry : artifact.plan().entries)
    for (const std::string &symbol : entry.symbols)
      if (symbol != format::windowSymbol)
        shape.try_emplace(symbol, symbol.starts_with('M') ? memory : 1);
  for (const auto &[symbol, value] : given) {
    const auto known = shape.find(symbol);
    if (known == shape.end()) {
      std::vector<std::string_view> names;
      for (const auto &[name, unused] : shape)
        names.push_back(name);
      return Status(StatusCode::usage, fmt::format("--shape expects a symbol out of {}, but got `{}={}`",
                                                   fmt::join(names, ", "), symbol, value));
    }
    known->second = value;
  }
  return shape;
}

std::optional<std::vector<int64_t>> symbolValues(const EntryPlan &entry, const Shape &shape) {
  std::vector<int64_t> values;
  for (const std::string &symbol : entry.symbols) {
    auto found = shape.find(symbol);
    if (found == shape.end() && symbol != format::windowSymbol)
      return std::nullopt;
    values.push_back(found == shape.end() ? 0 : found->second);
  }
  return values;
}

} // namespace bifocal::tools
