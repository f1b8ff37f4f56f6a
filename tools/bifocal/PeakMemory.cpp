// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/PeakMemory.h"

#include "tools/bifocal/CompileReport.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace bifocal::tools {

/// How many buffers a report names.
constexpr size_t namedBuffers = 8;

/// The buffers that `step` finds or leaves in the arena, each place once.
static std::vector<PeakMemory::Buffer> aliveAt(unsigned step, const std::vector<ArenaPlace> &places,
                                               const std::vector<int64_t> &units) {
  // In-place results come after what they overwrite; of workspaces that take turns the largest counts.
  std::map<std::pair<size_t, int64_t>, const ArenaPlace *> latest;
  for (const ArenaPlace &place : places)
    if (place.size > 0 && place.life.meets({step, step})) {
      const ArenaPlace *&holder = latest[{place.sizeClass, place.offset}];
      if (!holder || std::pair(holder->life.first, holder->size) < std::pair(place.life.first, place.size))
        holder = &place;
    }
  std::vector<PeakMemory::Buffer> alive;
  for (const auto &[where, place] : latest)
    alive.push_back({place, place->size * units[place->sizeClass]});
  return alive;
}

static int64_t totalBytes(std::span<const PeakMemory::Buffer> buffers) {
  return std::accumulate(buffers.begin(), buffers.end(), int64_t{0},
                         [](int64_t sum, const PeakMemory::Buffer &buffer) { return sum + buffer.bytes; });
}

std::optional<PeakMemory> peakMemory(const EntryPlan &entry, const std::vector<ArenaPlace> &places,
                                     const Shape &shape) {
  const std::optional<std::vector<int64_t>> values = symbolValues(entry, shape);
  if (!values)
    return std::nullopt;
  std::vector<int64_t> bases(entry.classes.size()), units(entry.classes.size());
  const Result<int64_t> arena = entry.arenaBytes(*values, bases, units);
  if (!arena.ok())
    return std::nullopt;
  PeakMemory peak;
  peak.arenaBytes = *arena;
  for (size_t step = 0; step < entry.steps.size(); ++step) {
    std::vector<PeakMemory::Buffer> alive = aliveAt(static_cast<unsigned>(step), places, units);
    if (const int64_t bytes = totalBytes(alive); bytes > peak.aliveBytes) {
      peak.step = step, peak.aliveBytes = bytes;
      peak.alive = std::move(alive);
    }
  }
  std::ranges::stable_sort(peak.alive, std::greater(), &PeakMemory::Buffer::bytes);
  return peak;
}

std::string describePeak(const EntryPlan &entry, const PeakMemory &peak) {
  if (entry.steps.empty())
    return "";
  const PlanStep &step = entry.steps[peak.step];
  std::string text = fmt::format("  alive  {} at step {} of {}, {}{}\n", readableBytes(peak.aliveBytes), peak.step + 1,
                                 entry.steps.size(), step.family, step.location.empty() ? "" : " at " + step.location);
  const auto line = [&](int64_t bytes, const std::string &what) {
    const double share = 100.0 * static_cast<double>(bytes) / static_cast<double>(peak.arenaBytes);
    text += fmt::format("    {:>10} {:>5.1f} %  {}\n", readableBytes(bytes), share, what);
  };
  const std::span<const PeakMemory::Buffer> all(peak.alive), named = all.first(std::min(namedBuffers, all.size())),
                                                             others = all.subspan(named.size());
  for (const PeakMemory::Buffer &buffer : named) {
    const ArenaPlace &place = *buffer.place;
    line(buffer.bytes, fmt::format("{}{}{}, {}, at {}", place.holds, place.layer.empty() ? "" : " of ", place.layer,
                                   place.dtype, place.location));
  }
  if (!others.empty())
    line(totalBytes(others), fmt::format("{} more, none larger", others.size()));
  if (peak.arenaBytes > peak.aliveBytes)
    line(peak.arenaBytes - peak.aliveBytes, "not in use at this step: gaps, and what other steps need");
  return text;
}

} // namespace bifocal::tools
