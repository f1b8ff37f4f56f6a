// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/CompileReport.h"

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

std::optional<int64_t> arenaBytes(const EntryPlan &entry, const Shape &shape) {
  const std::optional<std::vector<int64_t>> values = symbolValues(entry, shape);
  if (!values)
    return std::nullopt;
  const Result<int64_t> bytes = entry.arenaBytes(*values);
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

static std::string describeEntry(const EntryPlan &entry, const Shape &shape, const std::vector<ArenaPlace> &places) {
  std::map<std::string, int64_t> families;
  countSteps(entry.steps, families);
  std::string steps;
  for (const auto &[family, count] : families)
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", count, family);
  const std::optional<int64_t> bytes = arenaBytes(entry, shape);
  std::string text = fmt::format("\n{}\n  peak   {} bytes", entry.name, entry.peakFormula());
  text += bytes ? fmt::format(" = {}\n", readableBytes(*bytes)) : "\n";
  if (bytes && *bytes > 0)
    text += describePeak(entry, *peakMemory(entry, places, shape));
  if (entry.panelBytes > 0)
    text += fmt::format("  panels {} of packed weights\n", readableBytes(entry.panelBytes));
  return text + fmt::format("  steps  {}\n", steps);
}

std::string describeCompilation(const Artifact &artifact, const Shape &shape, const Fusions &fusions,
                                const Places &places) {
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
  const EntryPlan *training = artifact.plan().find("train_step");
  if (training)
    text += describeEntry(*training, shape, places.at(training->name));
  for (const EntryPlan &entry : artifact.plan().entries)
    if (&entry != training)
      text += describeEntry(entry, shape, places.at(entry.name));
  return text;
}

} // namespace bifocal::tools
