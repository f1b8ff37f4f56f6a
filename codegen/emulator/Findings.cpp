// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/Launch.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal::emulator {

const char *name(FindingKind kind) {
  switch (kind) {
  case FindingKind::OutOfBounds:
    return "out-of-bounds";
  case FindingKind::Misaligned:
    return "misaligned";
  case FindingKind::Uninitialised:
    return "uninitialised";
  case FindingKind::CopyInFlight:
    return "copy-in-flight";
  case FindingKind::Race:
    return "race";
  case FindingKind::RaceAcrossBlocks:
    return "race-across-blocks";
  case FindingKind::DivergentBarrier:
    return "divergent-barrier";
  case FindingKind::DivergentCollective:
    return "divergent-collective";
  case FindingKind::FloatAtomic:
    return "float-atomic";
  case FindingKind::BadArgument:
    return "bad-argument";
  }
  return "unknown";
}

static std::string format(const Dim3 &dim) { return fmt::format("({}, {}, {})", dim.x, dim.y, dim.z); }

static std::string format(const char *label, const Place &place) {
  const Site &site = place.site;
  std::string text = fmt::format("\n  {} block {}, thread {}", label, format(place.block), format(place.thread));
  if (!site.location.empty())
    text += fmt::format(", {}", site.location);
  if (site.line)
    text += fmt::format("\n    {}, line {}: {}", site.function, site.line, site.instruction);
  return text;
}

std::string format(const Finding &finding) {
  std::string text = fmt::format("{} in {}: {}", name(finding.kind), finding.kernel, finding.message);
  text += format("at:  ", finding.place);
  if (finding.other)
    text += format("with:", *finding.other);
  if (finding.count > 1)
    text += fmt::format("\n  {} times at this place", finding.count);
  return text;
}

void Findings::add(Finding finding) {
  auto same = std::find_if(list.begin(), list.end(), [&](const Finding &known) {
    return known.kind == finding.kind && known.place.site.line == finding.place.site.line &&
           known.other.has_value() == finding.other.has_value() &&
           (!known.other || known.other->site.line == finding.other->site.line);
  });
  if (same == list.end())
    list.push_back(std::move(finding));
  else
    ++same->count;
}

} // namespace bifocal::emulator
