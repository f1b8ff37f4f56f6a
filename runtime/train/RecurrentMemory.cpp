// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/RecurrentMemory.h"

#include "runtime/core/Weights.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal {

int64_t RecurrentMemory::trimmedSteps(int64_t reach, int64_t most) {
  constexpr int64_t block = 64;
  const int64_t trimmed = std::min(most - 1, most - reach) / block * block;
  return std::min(most, most - trimmed + block);
}

Result<RecurrentMemory> RecurrentMemory::create(const Manifest &manifest, Use use, std::optional<int64_t> steps) {
  Result<MemorySettings> settings = MemorySettings::read(manifest);
  if (!settings.ok())
    return settings.status();
  RecurrentMemory memory(settings.take());
  const MemorySettings &known = memory.settings_;
  memory.mostSteps_ = use == Use::training ? known.steps : known.evaluationSteps;
  if (steps && known.hasSpans())
    return Status(StatusCode::usage, "expects no length of the memory where spans are adaptive: they say what is kept");
  if (steps && known.sameLength && *steps != memory.mostSteps_)
    return Status(StatusCode::usage, fmt::format("expects a memory of {} steps, the same length that attention was "
                                                 "compiled for (same_length), but got {}",
                                                 memory.mostSteps_, *steps));
  memory.mostSteps_ = steps.value_or(memory.mostSteps_);
  memory.layers_.resize(static_cast<size_t>(known.layers));
  for (size_t i = 0; i < known.spans.size(); ++i)
    memory.layers_[i].sizes.resize(static_cast<size_t>(known.spans[i].heads));
  return memory;
}

/// What is kept behind the next segment, by the spans as they are known.
void RecurrentMemory::choose(Layer &layer) const {
  layer.kept = layer.sizes.empty()
                   ? mostSteps_
                   : trimmedSteps(settings_.reachOf(*std::ranges::max_element(layer.sizes)), settings_.longestSpan);
}

void RecurrentMemory::reset(int64_t rows, std::span<const float> parameters) {
  rows_ = rows;
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer &layer = layers_[i];
    for (size_t head = 0; head < layer.sizes.size(); ++head)
      layer.sizes[head] = settings_.spanOf(i, static_cast<int64_t>(head), parameters);
    choose(layer);
    layer.steps = settings_.hasSpans() ? layer.kept : 0;
    layer.memory.assign(static_cast<size_t>(rows_ * layer.steps * settings_.dim), 0.0f);
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
    if (settings_.mostDistance > 0 && layer.steps + segment > settings_.mostDistance)
      return {StatusCode::usage, fmt::format("expects a memory and a segment of at most {} steps together, the "
                                             "distances of the model (max_positions), but got {} + {}",
                                             settings_.mostDistance, layer.steps, segment)};
    inputs.emplace_back(ElementType::f32, std::initializer_list<int64_t>{rows_, layer.steps, settings_.dim},
                        layer.memory.data());
  }
  return {};
}

void RecurrentMemory::addOutputs(std::vector<TensorView> &outputs) {
  for (Layer &layer : layers_) {
    layer.states.resize(static_cast<size_t>(rows_ * segment_ * settings_.dim));
    outputs.emplace_back(ElementType::f32, std::initializer_list<int64_t>{rows_, segment_, settings_.dim},
                         layer.states.data());
  }
  for (Layer &layer : layers_)
    if (!layer.sizes.empty())
      outputs.emplace_back(ElementType::f32, std::initializer_list<int64_t>{static_cast<int64_t>(layer.sizes.size())},
                           layer.sizes.data());
}

void RecurrentMemory::advance() {
  for (Layer &layer : layers_) {
    choose(layer);
    const int64_t known = layer.steps + segment_,
                  kept = settings_.hasSpans() ? layer.kept : std::min(layer.kept, known);
    // A span that has grown beyond what is known meets zeros, as at the beginning.
    const int64_t zeros = std::max<int64_t>(kept - known, 0), fresh = std::min(kept, segment_);
    const int64_t old = kept - zeros - fresh;
    next_.assign(static_cast<size_t>(rows_ * kept * settings_.dim), 0.0f);
    for (int64_t row = 0; row < rows_; ++row) {
      const auto to = next_.begin() + (row * kept + zeros) * settings_.dim;
      const auto oldEnd = layer.memory.begin() + (row + 1) * layer.steps * settings_.dim;
      const auto freshEnd = layer.states.begin() + (row + 1) * segment_ * settings_.dim;
      std::copy(freshEnd - fresh * settings_.dim, freshEnd, std::copy(oldEnd - old * settings_.dim, oldEnd, to));
    }
    std::swap(layer.memory, next_);
    layer.steps = kept;
  }
}

std::optional<SpanStatistics> RecurrentMemory::spans() const {
  if (!settings_.hasSpans())
    return std::nullopt;
  SpanStatistics statistics;
  for (const Layer &layer : layers_) {
    double sum = 0;
    for (float size : layer.sizes) {
      sum += size;
      statistics.largest = std::max(statistics.largest, static_cast<double>(settings_.reachOf(size)));
    }
    statistics.mean += static_cast<double>(settings_.reachOf(sum / static_cast<double>(layer.sizes.size())));
  }
  statistics.mean /= static_cast<double>(layers_.size());
  return statistics;
}

std::vector<SafetensorsItem> RecurrentMemory::items() {
  std::vector<SafetensorsItem> items;
  for (size_t i = 0; i < layers_.size(); ++i)
    if (!layers_[i].memory.empty())
      items.push_back({fmt::format("{}{}", memoryPrefix, i),
                       ElementType::f32,
                       {rows_, layers_[i].steps, settings_.dim},
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
    if (entry->shape.size() != 3 || entry->shape[2] != settings_.dim || (rows_ != 0 && entry->shape[0] != rows_))
      return {StatusCode::malformed, fmt::format("'{}': tensor '{}' expects the shape [rows, steps, {}] with the rows "
                                                 "of all layers, but has [{}]",
                                                 path, name, settings_.dim, fmt::join(entry->shape, ", "))};
    rows_ = entry->shape[0];
    layer.steps = entry->shape[1];
    layer.memory.resize(static_cast<size_t>(entry->elements()));
    BIFOCAL_RETURN_IF_ERROR(file.readFloats(name, layer.memory));
  }
  return {};
}

} // namespace bifocal
