// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/InspectKernels.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <set>

namespace bifocal::tools {

std::string describeKernels(const DeviceCode &code) {
  if (code.kernels.empty())
    return "no kernels for GPUs: compile with --target=cuda:sm_90\n";
  std::set<std::string> architectures;
  size_t longest = 6;
  for (const DeviceKernel &kernel : code.kernels) {
    longest = std::max(longest, kernel.name.size());
    for (const auto &[architecture, unused] : kernel.resources)
      architectures.insert(architecture);
  }
  std::string text = fmt::format("{:<{}} {:>6} {:>6} {:>9} {:>6} {:>5} {:>5} {:>6} {:>4}\n", "kernel", longest,
                                 "target", "warps", "registers", "shared", "spill", "stack", "instr.", "mma");
  for (const DeviceKernel &kernel : code.kernels)
    for (const std::string &architecture : architectures) {
      const auto found = kernel.resources.find(architecture);
      if (found == kernel.resources.end())
        continue;
      const ResourceReport &report = found->second;
      text += fmt::format("{:<{}} {:>6} {:>6} {:>9} {:>6} {:>5} {:>5} {:>6} {:>4}\n", kernel.name, longest,
                          architecture, kernel.warps, report.registers, kernel.sharedBytes + report.sharedBytes,
                          report.spillBytes, report.stackBytes, report.instructions, report.mma);
    }
  if (architectures.empty())
    text += fmt::format("{} kernels as bitcode for the emulator; ptxas was not asked\n", code.kernels.size());
  return text;
}

namespace {
struct FamilyCost {
  int64_t launches = 0;
  double flops = 0, bytes = 0, seconds = 0;

  void add(const FamilyCost &other) {
    launches += other.launches;
    flops += other.flops;
    bytes += other.bytes;
    seconds += other.seconds;
  }
  std::string line(const std::string &name) const {
    return fmt::format("  {:<28} {:>8} {:>10.3f} {:>10.1f} {:>10.1f}\n", name, launches, flops * 1e-9, bytes * 1e-6,
                       seconds * 1e6);
  }
};
} // namespace

static Result<std::string> describeEntry(const EntryPlan &entry, const Card &card, const std::vector<int64_t> &values) {
  const Result<std::vector<StepCost>> costs = stepCosts(entry, values);
  if (!costs.ok())
    return costs.status();
  std::map<std::string, FamilyCost> families;
  FamilyCost total;
  for (const StepCost &cost : *costs) {
    const FamilyCost one{cost.launches, cost.flops, cost.bytes, cost.seconds(card)};
    families[cost.step->family].add(one);
    total.add(one);
  }
  std::vector<std::pair<std::string, FamilyCost>> sorted(families.begin(), families.end());
  std::ranges::stable_sort(sorted, std::greater(), [](const auto &family) { return family.second.seconds; });
  std::string text =
      fmt::format("\n{}\n  {:<28} {:>8} {:>10} {:>10} {:>10}\n", entry.name, "family", "launches", "GFLOP", "MB", "us");
  for (const auto &[name, cost] : sorted)
    text += cost.line(name);
  return text + total.line("all");
}

Result<std::string> describeRoofline(const Artifact &artifact, const Card &card, const Shape &shape) {
  std::vector<std::string> sizes;
  for (const auto &[symbol, value] : shape)
    sizes.push_back(fmt::format("{} = {}", symbol, value));
  std::string text =
      fmt::format("{}: {:.2f} TB/s, {:.1f} TFLOP/s in f32, {:.0f} with factors of 16 bits; {}\n", card.name,
                  card.bytesPerSecond * 1e-12, card.flops32 * 1e-12, card.flops16 * 1e-12, fmt::join(sizes, ", "));
  for (const EntryPlan &entry : artifact.plan().entries) {
    const std::optional<std::vector<int64_t>> values = symbolValues(entry, shape);
    if (!values)
      continue;
    const Result<std::string> part = describeEntry(entry, card, *values);
    if (!part.ok())
      return part.status();
    text += *part;
  }
  return text;
}

} // namespace bifocal::tools
