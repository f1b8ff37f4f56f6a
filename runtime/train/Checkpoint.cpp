// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/Checkpoint.h"

#include "runtime/core/Json.h"
#include "runtime/core/Safetensors.h"
#include "runtime/core/Weights.h"

#include <charconv>
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

/// 64-bit numbers that JSON readers elsewhere may round are hexadecimal text.
std::string hexadecimal(uint64_t value) { return fmt::format("{:016x}", value); }

uint64_t fromHexadecimal(JsonReader &reader, const char *key) {
  const std::string text = reader.string(key);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size())
    reader.fail(key, fmt::format("expects 16 hexadecimal digits, but got '{}'", text));
  return value;
}

std::string stateText(const TrainingState &state) {
  nlohmann::json json = {{"format", 1},
                         {"updates", state.updates},
                         {"epoch", state.epoch},
                         {"cursor", state.cursor},
                         {"draws", state.draws},
                         {"batches", state.batches},
                         {"validations", state.validations},
                         {"validations_since_best", state.validationsSinceBest},
                         {"validated_at", state.validatedAt},
                         {"best_loss", state.bestLoss},
                         {"seed", hexadecimal(state.seed)},
                         {"data_digest", hexadecimal(state.dataDigest)},
                         {"spec_hash", state.specHash},
                         {"options", state.options}};
  if (state.validationDigest)
    json["validation_digest"] = hexadecimal(*state.validationDigest);
  return json.dump();
}

Result<TrainingState> parseState(const std::string &text, const std::string &path) {
  Result<nlohmann::json> json = parseJson(text, path);
  if (!json.ok())
    return json.status();
  JsonReader reader(*json, path + ": training state");
  if (const int64_t format = reader.integer("format"); format != 1)
    reader.fail("format", fmt::format("expects 1, but got {}", format));
  TrainingState state;
  const auto count = [&reader](const char *key, int64_t lowest) {
    const int64_t value = reader.integer(key);
    // No training counts so far, and what counts on does not overflow.
    constexpr int64_t most = int64_t{1} << 53;
    if (value < lowest || value > most)
      reader.fail(key, fmt::format("expects {} {}, but got {}", value < lowest ? "at least" : "at most",
                                   value < lowest ? lowest : most, value));
    return value;
  };
  state.updates = count("updates", 0);
  state.epoch = count("epoch", 1);
  state.cursor = count("cursor", 0);
  state.draws = count("draws", 0);
  state.batches = count("batches", 1);
  state.validations = count("validations", 0);
  state.validationsSinceBest = count("validations_since_best", 0);
  state.validatedAt = count("validated_at", -1);
  state.bestLoss = reader.number("best_loss", 0);
  state.seed = fromHexadecimal(reader, "seed");
  state.dataDigest = fromHexadecimal(reader, "data_digest");
  if (reader.has("validation_digest"))
    state.validationDigest = fromHexadecimal(reader, "validation_digest");
  state.specHash = reader.string("spec_hash");
  if (reader.has("options"))
    for (const auto &[name, value] : reader.object("options").items()) {
      if (!value.is_string())
        reader.fail("options", fmt::format("expects the value of '{}' as a string", name));
      else
        state.options[name] = value.get<std::string>();
    }
  if (state.cursor >= state.batches)
    reader.fail("cursor", fmt::format("expects less than {} batches, but got {}", state.batches, state.cursor));
  if (!reader.status().ok())
    return reader.status();
  return state;
}

/// Reads a moment into its part of a slab; the name of the file goes into messages.
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

Status writeCheckpoint(const std::string &path, const Manifest &manifest, Session &session,
                       const TrainingState &state) {
  std::vector<SafetensorsItem> items;
  addParameters(manifest, session, items);
  for (size_t order : {0, 1})
    for (const Parameter &parameter : manifest.parameters)
      if (parameter.trained)
        items.push_back({momentOf(order, parameter), ElementType::f32, parameter.shape,
                         valuesOf(parameter, momentSlab(session, order)).data()});
  return writeSafetensors(
      path, items,
      {{"format", "pt"}, {std::string(specHashKey), manifest.specHash}, {std::string(stateKey), stateText(state)}});
}

Result<TrainingState> readCheckpoint(const std::string &path, const Manifest &manifest, Session &session) {
  const Result<Safetensors> file = Safetensors::open(path);
  if (!file.ok())
    return file.status();
  const auto text = file->metadata().find(std::string(stateKey));
  if (text == file->metadata().end())
    return Status(StatusCode::malformed, fmt::format("'{}' has weights but no training state to continue from", path));
  Result<TrainingState> state = parseState(text->second, path);
  if (!state.ok())
    return state.status();
  if (state->specHash != manifest.specHash)
    return state; // The caller says what differs; the tensors would only say so less clearly.
  for (const Status &status : {readParameters(manifest, session.parameters(), *file), file->checkDigest()})
    if (!status.ok())
      return Status(status.code(), fmt::format("'{}': {}", path, status.message()));
  for (size_t order : {0, 1})
    for (const Parameter &parameter : manifest.parameters)
      if (parameter.trained)
        BIFOCAL_RETURN_IF_ERROR(readInto(*file, path, momentOf(order, parameter), parameter.shape,
                                         valuesOf(parameter, momentSlab(session, order))));
  return state;
}

} // namespace bifocal
