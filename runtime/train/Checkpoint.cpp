// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Checkpoint.h"

#include "runtime/core/Safetensors.h"
#include "runtime/core/Weights.h"

#include <fmt/format.h>

namespace bifocal {
namespace {

constexpr std::string_view stateKey = "bifocal.training_state";
constexpr std::string_view momentNames[] = {"moment1.", "moment2."};

std::string momentOf(size_t order, const Parameter &parameter) {
  return fmt::format("{}{}{}", optimizerPrefix, momentNames[order], parameter.name);
}

std::vector<std::string> namesOf(const Parameter &parameter) {
  std::vector<std::string> names{parameter.name};
  names.insert(names.end(), parameter.aliases.begin(), parameter.aliases.end());
  return names;
}

/// The part of a slab that belongs to a parameter.
std::span<float> valuesOf(const Parameter &parameter, std::span<float> slab) {
  return slab.subspan(static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.elements()));
}

void addParameters(const Manifest &manifest, Session &session, std::vector<SafetensorsItem> &items) {
  for (const Parameter &parameter : manifest.parameters)
    if (parameter.stored)
      for (std::string &name : namesOf(parameter))
        items.push_back(
            {std::move(name), ElementType::f32, parameter.shape, valuesOf(parameter, session.parameters()).data()});
}

std::span<float> momentSlab(Session &session, size_t order) {
  return order == 0 ? session.firstMoments() : session.secondMoments();
}

Status readInto(const Safetensors &file, const std::string &path, const std::string &name,
                const std::vector<int64_t> &shape, std::span<float> values) {
  const Safetensors::Entry *entry = file.find(name);
  if (!entry)
    return Status(StatusCode::malformed, fmt::format("'{}' expects a tensor '{}', which it does not have", path, name));
  if (entry->shape != shape)
    return Status(StatusCode::malformed, fmt::format("'{}': tensor '{}' expects the shape [{}], but has [{}]", path,
                                                     name, fmt::join(shape, ", "), fmt::join(entry->shape, ", ")));
  return file.readFloats(name, values);
}

} // namespace

Status writeWeights(const std::string &path, const Manifest &manifest, Session &session,
                    std::map<std::string, std::string> metadata) {
  std::vector<SafetensorsItem> items;
  addParameters(manifest, session, items);
  metadata.insert({{"format", "pt"}, {std::string(specHashKey), manifest.specHash}});
  return writeSafetensors(path, items, metadata);
}

Status writeCheckpoint(const std::string &path, const Manifest &manifest, Session &session, const TrainingState &state,
                       RecurrentMemory *memory) {
  std::vector<SafetensorsItem> items;
  addParameters(manifest, session, items);
  if (memory)
    for (SafetensorsItem &item : memory->items())
      items.push_back(std::move(item));
  for (size_t order = 0; order < static_cast<size_t>(manifest.moments); ++order)
    for (const Parameter &parameter : manifest.parameters)
      if (parameter.trained)
        items.push_back({momentOf(order, parameter), ElementType::f32, parameter.shape,
                         valuesOf(parameter, momentSlab(session, order)).data()});
  return writeSafetensors(
      path, items,
      {{"format", "pt"}, {std::string(specHashKey), manifest.specHash}, {std::string(stateKey), state.text()}});
}

Result<TrainingState> readCheckpoint(const std::string &path, const Manifest &manifest, Session &session,
                                     RecurrentMemory *memory) {
  const Result<Safetensors> file = Safetensors::open(path);
  if (!file.ok())
    return file.status();
  const auto text = file->metadata().find(std::string(stateKey));
  if (text == file->metadata().end())
    return Status(StatusCode::malformed, fmt::format("'{}' has weights but no training state to continue from", path));
  Result<TrainingState> state = TrainingState::parse(text->second, path);
  if (!state.ok())
    return state.status();
  if (state->specHash != manifest.specHash)
    return state; // The caller says what differs; the tensors would only say so less clearly.
  for (const Status &status : {readParameters(manifest, session.parameters(), *file), file->checkDigest()})
    if (!status.ok())
      return Status(status.code(), fmt::format("'{}': {}", path, status.message()));
  for (size_t order = 0; order < static_cast<size_t>(manifest.moments); ++order)
    for (const Parameter &parameter : manifest.parameters)
      if (parameter.trained)
        BIFOCAL_RETURN_IF_ERROR(readInto(*file, path, momentOf(order, parameter), parameter.shape,
                                         valuesOf(parameter, momentSlab(session, order))));
  if (memory)
    BIFOCAL_RETURN_IF_ERROR(memory->restore(*file, path));
  return state;
}

} // namespace bifocal
