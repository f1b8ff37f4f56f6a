// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/RecurrentMemory.h"

#include "runtime/core/Json.h"
#include "runtime/core/Weights.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace bifocal {

static constexpr const char *memoryKey = "memory";

bool RecurrentMemory::isUsed(const Manifest &manifest) { return manifest.model.contains(memoryKey); }

int64_t RecurrentMemory::trimmedSteps(double span, int64_t ramp, int64_t most) {
  constexpr int64_t block = 64;
  const int64_t reach = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(span)) + ramp, 0, most);
  const int64_t trimmed = std::min(most - 1, most - reach) / block * block;
  return std::min(most, most - trimmed + block);
}

/// Where the spans of each layer lie.
Status RecurrentMemory::findSpans(const Manifest &manifest, const nlohmann::json &names) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const auto name = i < names.size() && names[i].is_string() ? names[i].get<std::string>() : std::string();
    const auto found = std::ranges::find(manifest.parameters, name, &Parameter::name);
    if (found == manifest.parameters.end())
      return {StatusCode::malformed, fmt::format("manifest.model.memory: expects the name of a parameter for the spans "
                                                 "of layer {}, but got '{}'",
                                                 i, name)};
    layers_[i].spanOffset = found->offset;
    layers_[i].sizes.resize(static_cast<size_t>(found->elements()));
  }
  return {};
}

Result<RecurrentMemory> RecurrentMemory::create(const Manifest &manifest, Use use, std::optional<int64_t> steps) {
  JsonReader model(manifest.model, "manifest.model");
  JsonReader reader(model.object(memoryKey), "manifest.model.memory");
  RecurrentMemory memory;
  memory.dim_ = reader.integer("dim");
  memory.mostDistance_ = reader.integer("max_distance", 0);
  memory.ramp_ = reader.integer("ramp", 0);
  memory.spanUnit_ = reader.integer("span", 0);
  const int64_t layers = reader.integer("layers"), own = reader.integer("steps");
  const int64_t evaluated = reader.integer("evaluation_steps", own);
  const bool fixed = reader.boolean("same_length", false);
  memory.beginsWithZeros_ = memory.spanUnit_ > 0;
  if (memory.dim_ < 1 || layers < 1 || layers > 1000 || own < 0 || evaluated < 0 || memory.ramp_ < 0)
    reader.fail("dim", "expects layers, and sizes that are not negative");
  if (!model.status().ok())
    return model.status();
  if (!reader.status().ok())
    return reader.status();
  memory.mostSteps_ = use == Use::training ? own : evaluated;
  if (steps && memory.beginsWithZeros_)
    return Status(StatusCode::usage, "expects no length of the memory where spans are adaptive: they say what is kept");
  if (steps && fixed && *steps != memory.mostSteps_)
    return Status(StatusCode::usage, fmt::format("expects a memory of {} steps, the same length that attention was "
                                                 "compiled for (same_length), but got {}",
                                                 memory.mostSteps_, *steps));
  memory.mostSteps_ = steps.value_or(memory.mostSteps_);
  memory.layers_.resize(static_cast<size_t>(layers));
  if (memory.beginsWithZeros_)
    BIFOCAL_RETURN_IF_ERROR(memory.findSpans(manifest, reader.array("spans")));
  return memory;
}

/// What is kept behind the next segment, by the spans as they are known.
void RecurrentMemory::choose(Layer &layer) const {
  layer.kept =
      layer.sizes.empty() ? mostSteps_ : trimmedSteps(*std::ranges::max_element(layer.sizes), ramp_, spanUnit_);
}

void RecurrentMemory::reset(int64_t rows, std::span<const float> parameters) {
  rows_ = rows;
  for (Layer &layer : layers_) {
    for (size_t head = 0; head < layer.sizes.size(); ++head)
      layer.sizes[head] = std::clamp(parameters[static_cast<size_t>(layer.spanOffset) + head], 0.0f, 1.0f) *
                          static_cast<float>(spanUnit_);
    choose(layer);
    layer.steps = beginsWithZeros_ ? layer.kept : 0;
    layer.memory.assign(static_cast<size_t>(rows_ * layer.steps * dim_), 0.0f);
  }
}

Status RecurrentMemory::addInputs(int64_t rows, int64_t segment, std::vector<TensorView> &inputs) {
  // Without a step it has no rows of its own.
  if (std::ranges::all_of(layers_, [](const Layer &layer) { return layer.steps == 0; }))
    rows_ = rows;
  if (rows != rows_)
    return {StatusCode::usage,
            fmt::format("expects segments of the {} rows that the memory has, but got {}", rows_, rows)};
  segment_ = segment;
  for (Layer &layer : layers_) {
    if (mostDistance_ > 0 && layer.steps + segment > mostDistance_)
      return {StatusCode::usage, fmt::format("expects a memory and a segment of at most {} steps together, the "
                                             "distances of the model (max_positions), but got {} + {}",
                                             mostDistance_, layer.steps, segment)};
    inputs.emplace_back(ElementType::f32, std::initializer_list<int64_t>{rows_, layer.steps, dim_},
                        layer.memory.data());
  }
  return {};
}

void RecurrentMemory::addOutputs(std::vector<TensorView> &outputs) {
  for (Layer &layer : layers_) {
    layer.states.resize(static_cast<size_t>(rows_ * segment_ * dim_));
    outputs.emplace_back(ElementType::f32, std::initializer_list<int64_t>{rows_, segment_, dim_}, layer.states.data());
  }
  for (Layer &layer : layers_)
    if (!layer.sizes.empty())
      outputs.emplace_back(ElementType::f32, std::initializer_list<int64_t>{static_cast<int64_t>(layer.sizes.size())},
                           layer.sizes.data());
}

void RecurrentMemory::advance() {
  for (Layer &layer : layers_) {
    choose(layer);
    const int64_t known = layer.steps + segment_, kept = beginsWithZeros_ ? layer.kept : std::min(layer.kept, known);
    // A span that has grown beyond what is known meets zeros, as at the beginning.
    const int64_t zeros = std::max<int64_t>(kept - known, 0), fresh = std::min(kept, segment_);
    const int64_t old = kept - zeros - fresh;
    next_.assign(static_cast<size_t>(rows_ * kept * dim_), 0.0f);
    for (int64_t row = 0; row < rows_; ++row) {
      const auto to = next_.begin() + (row * kept + zeros) * dim_;
      const auto oldEnd = layer.memory.begin() + (row + 1) * layer.steps * dim_;
      const auto freshEnd = layer.states.begin() + (row + 1) * segment_ * dim_;
      std::copy(freshEnd - fresh * dim_, freshEnd, std::copy(oldEnd - old * dim_, oldEnd, to));
    }
    std::swap(layer.memory, next_);
    layer.steps = kept;
  }
}

std::optional<SpanStatistics> RecurrentMemory::spans() const {
  if (!beginsWithZeros_)
    return std::nullopt;
  SpanStatistics statistics;
  size_t heads = 0;
  for (const Layer &layer : layers_)
    for (float size : layer.sizes) {
      statistics.mean += size;
      statistics.largest = std::max<double>(statistics.largest, size);
      ++heads;
    }
  statistics.mean /= static_cast<double>(std::max<size_t>(heads, 1));
  return statistics;
}

std::vector<SafetensorsItem> RecurrentMemory::items() {
  std::vector<SafetensorsItem> items;
  for (size_t i = 0; i < layers_.size(); ++i)
    if (!layers_[i].memory.empty())
      items.push_back({fmt::format("{}{}", memoryPrefix, i),
                       ElementType::f32,
                       {rows_, layers_[i].steps, dim_},
                       layers_[i].memory.data()});
  return items;
}

Status RecurrentMemory::restore(const Safetensors &file, const std::string &path) {
  rows_ = 0;
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer &layer = layers_[i];
    const std::string name = fmt::format("{}{}", memoryPrefix, i);
    layer.memory.clear();
    layer.steps = 0;
    const Safetensors::Entry *entry = file.find(name);
    // Without a step there is nothing to write.
    if (!entry)
      continue;
    if (entry->shape.size() != 3 || entry->shape[2] != dim_ || (rows_ != 0 && entry->shape[0] != rows_))
      return {StatusCode::malformed, fmt::format("'{}': tensor '{}' expects the shape [rows, steps, {}] with the rows "
                                                 "of all layers, but has [{}]",
                                                 path, name, dim_, fmt::join(entry->shape, ", "))};
    rows_ = entry->shape[0];
    layer.steps = entry->shape[1];
    layer.memory.resize(static_cast<size_t>(entry->elements()));
    BIFOCAL_RETURN_IF_ERROR(file.readFloats(name, layer.memory));
  }
  return {};
}

} // namespace bifocal
