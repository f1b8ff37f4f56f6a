// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/CompileReport.h"

#include "runtime/core/ArtifactFormat.h"

#include <algorithm>
#include <charconv>
#include <cmath>
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

Result<Shape> parseShape(const std::string &text, const Artifact &artifact) {
  const nlohmann::json &training = artifact.manifest().training;
  const int64_t tokens = training.contains("max_tokens") && training["max_tokens"].is_number_integer()
                             ? training["max_tokens"].get<int64_t>()
                             : 4000,
                steps = 32;
  const int64_t sentences = std::max<int64_t>(1, tokens / steps);
  Shape shape = {{"B", sentences},     {"S", steps},         {"T", steps},
                 {"N", 5 * sentences}, {"R", 5 * sentences}, {"P", 2 * steps}};
  for (const EntryPlan &entry : artifact.plan().entries)
    for (const std::string &symbol : entry.symbols)
      if (symbol != format::windowSymbol)
        shape.try_emplace(symbol, 1);
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) {
    const size_t cut = part.find('=');
    int64_t value = 0;
    const char *end = part.data() + part.size();
    if (cut == std::string::npos || cut == 0 ||
        std::from_chars(part.data() + cut + 1, end, value) != std::from_chars_result{end, std::errc()} || value < 1)
      return Status(StatusCode::usage,
                    fmt::format("--shape expects symbol=number with number >= 1, but got `{}`", part));
    const auto symbol = shape.find(part.substr(0, cut));
    if (symbol == shape.end()) {
      std::vector<std::string_view> names;
      for (const auto &[name, unused] : shape)
        names.push_back(name);
      return Status(StatusCode::usage,
                    fmt::format("--shape expects a symbol out of {}, but got `{}`", fmt::join(names, ", "), part));
    }
    symbol->second = value;
  }
  return shape;
}

std::optional<int64_t> arenaBytes(const EntryPlan &entry, const Shape &shape) {
  std::vector<int64_t> values;
  for (const std::string &symbol : entry.symbols) {
    auto found = shape.find(symbol);
    if (found == shape.end() && symbol != format::windowSymbol)
      return std::nullopt;
    values.push_back(found == shape.end() ? 0 : found->second);
  }
  const Result<int64_t> bytes = entry.arenaBytes(values);
  return bytes.ok() ? std::optional(*bytes) : std::nullopt;
}

static void countSteps(const std::vector<PlanStep> &steps, std::map<std::string, int64_t> &families) {
  for (const PlanStep &step : steps) {
    if (const auto *slabs = std::get_if<SlabsStep>(&step.action))
      countSteps(slabs->body, families);
    else
      ++families[step.family];
  }
}

std::string describeCompilation(const Artifact &artifact, const Shape &shape, const Fusions &fusions) {
  const Manifest &manifest = artifact.manifest();
  const int64_t trained = manifest.trainedParameters();
  std::string text = fmt::format("parameters  {} trained, {} in f32\n", trained, readableBytes(trained * 4));
  for (const Artifact::HostObject &object : artifact.hostObjects())
    text += fmt::format("kernels     {} {}\n", object.level, readableBytes(static_cast<int64_t>(object.bytes.size())));
  std::string values;
  for (const auto &[symbol, value] : shape)
    values += fmt::format("{}{} = {}", values.empty() ? "" : ", ", symbol, value);
  text += fmt::format("shape       {}\n", values);
  if (!fusions.empty())
    text += "\nfusions\n";
  for (const auto &[fusion, count] : fusions)
    text += fmt::format("  {:>4} x {}\n", count, fusion);
  for (const EntryPlan &entry : artifact.plan().entries) {
    std::map<std::string, int64_t> families;
    countSteps(entry.steps, families);
    std::string steps;
    for (const auto &[family, count] : families)
      steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", count, family);
    std::optional<int64_t> bytes = arenaBytes(entry, shape);
    text += fmt::format("\n{}\n  peak   {} bytes", entry.name, entry.peakFormula());
    text += bytes ? fmt::format(" = {}\n", readableBytes(*bytes)) : "\n";
    if (entry.panelBytes > 0)
      text += fmt::format("  panels {} of packed weights\n", readableBytes(entry.panelBytes));
    text += fmt::format("  steps  {}\n", steps);
  }
  return text;
}

/// Bytes of "8GiB", "512MiB", "1000000"; nothing for anything else.
static std::optional<int64_t> parseBytes(const std::string &text) {
  double value = 0;
  const char *end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || !(value > 0))
    return std::nullopt;
  const std::string_view unit(rest, static_cast<size_t>(end - rest));
  constexpr double largest = 0x1p62;
  const std::pair<std::string_view, double> units[] = {
      {"", 1},     {"B", 1},    {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0},
      {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}};
  for (const auto &[name, factor] : units)
    if (unit == name)
      return static_cast<int64_t>(std::min(std::floor(value * factor), largest));
  return std::nullopt;
}

Status checkBudget(const Artifact &artifact, const Shape &shape, const std::string &budget) {
  std::optional<int64_t> limit = parseBytes(budget);
  if (!limit)
    return {StatusCode::usage, fmt::format("--memory-budget expects a size such as 8GiB, but got `{}`", budget)};
  const EntryPlan *entry = artifact.plan().find("train_step");
  if (!entry)
    return {};
  // Parameters, gradients and two moments.
  const int64_t slabs = 4 * (artifact.manifest().parameterElements + 3 * artifact.manifest().trainedElements);
  const std::optional<int64_t> arena = arenaBytes(*entry, shape);
  if (!arena || *arena > INT64_MAX - slabs)
    return {StatusCode::overBudget,
            fmt::format("a training step expects more than 2^63 bytes, but the budget is {}", readableBytes(*limit))};
  if (*arena + slabs <= *limit)
    return {};
  return {StatusCode::overBudget,
          fmt::format(
              "a training step expects {} (arena {}, parameters with gradients and moments {}), but the budget is {}",
              readableBytes(*arena + slabs), readableBytes(*arena), readableBytes(slabs), readableBytes(*limit))};
}

} // namespace bifocal::tools
