// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/MemorySettings.h"

#include "runtime/core/Json.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace bifocal {

static constexpr const char *memoryKey = "memory";

bool MemorySettings::isUsed(const Manifest &manifest) { return manifest.model.contains(memoryKey); }

/// Where the spans of each layer lie.
static Status findSpans(const Manifest &manifest, const nlohmann::json &names, MemorySettings &settings) {
  for (size_t i = 0; i < static_cast<size_t>(settings.layers); ++i) {
    const auto name = i < names.size() && names[i].is_string() ? names[i].get<std::string>() : std::string();
    const auto found = std::ranges::find(manifest.parameters, name, &Parameter::name);
    if (found == manifest.parameters.end())
      return {StatusCode::malformed, fmt::format("manifest.model.memory: expects the name of a parameter for the spans "
                                                 "of layer {}, but got '{}'",
                                                 i, name)};
    settings.spans.push_back({found->offset, found->elements()});
  }
  return {};
}

Result<MemorySettings> MemorySettings::read(const Manifest &manifest) {
  JsonReader model(manifest.model, "manifest.model");
  JsonReader reader(model.object(memoryKey), "manifest.model.memory");
  MemorySettings settings;
  settings.dim = reader.integer("dim");
  settings.layers = reader.integer("layers");
  settings.steps = reader.integer("steps");
  settings.evaluationSteps = reader.integer("evaluation_steps", settings.steps);
  settings.clampLength = reader.integer("clamp_length", 0);
  settings.sameLength = reader.boolean("same_length", false);
  settings.mostDistance = reader.integer("max_distance", 0);
  settings.longestSpan = reader.integer("span", 0);
  settings.ramp = reader.integer("ramp", 0);
  // What specs may ask for; sums of these overflow nowhere.
  constexpr int64_t most = int64_t{1} << 24;
  for (const auto &[key, value] : {std::pair("steps", settings.steps),
                                   {"evaluation_steps", settings.evaluationSteps},
                                   {"span", settings.longestSpan},
                                   {"ramp", settings.ramp}})
    if (value > most)
      reader.fail(key, fmt::format("expects at most {}, but got {}", most, value));
  if (settings.dim < 1 || settings.layers < 1 || settings.layers > 1000 || settings.steps < 0 ||
      settings.evaluationSteps < 0 || settings.ramp < 0)
    reader.fail("dim", "expects layers, and sizes that are not negative");
  if (!model.status().ok())
    return model.status();
  if (!reader.status().ok())
    return reader.status();
  if (settings.hasSpans())
    BIFOCAL_RETURN_IF_ERROR(findSpans(manifest, reader.array("spans"), settings));
  return settings;
}

float MemorySettings::spanOf(float part, int64_t longest) {
  return part > 0 ? std::min(part, 1.0f) * static_cast<float>(longest) : 0.0f;
}

float MemorySettings::spanOf(size_t layer, int64_t head, std::span<const float> parameters) const {
  return spanOf(parameters[static_cast<size_t>(spans[layer].offset + head)], longestSpan);
}

int64_t MemorySettings::reachOf(double span) const {
  return std::clamp<int64_t>(static_cast<int64_t>(std::ceil(span)) + ramp, 0, longestSpan);
}

} // namespace bifocal
