// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/CompileReport.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal::tools {

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
