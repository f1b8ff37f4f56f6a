// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/TrainingState.h"

#include "runtime/core/Json.h"

#include <charconv>
#include <fmt/format.h>

namespace bifocal {

/// 64-bit numbers that JSON readers elsewhere may round are hexadecimal text.
static std::string hexadecimal(uint64_t value) { return fmt::format("{:016x}", value); }

static uint64_t fromHexadecimal(JsonReader &reader, const char *key) {
  const std::string text = reader.string(key);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size())
    reader.fail(key, fmt::format("expects 16 hexadecimal digits, but got '{}'", text));
  return value;
}

std::string TrainingState::text() const {
  nlohmann::json json = {{"format", 1},
                         {"updates", updates},
                         {"epoch", epoch},
                         {"cursor", cursor},
                         {"draws", draws},
                         {"batches", batches},
                         {"validations", validations},
                         {"validations_since_best", validationsSinceBest},
                         {"validated_at", validatedAt},
                         {"best_loss", bestLoss},
                         {"seed", hexadecimal(seed)},
                         {"data_digest", hexadecimal(dataDigest)},
                         {"spec_hash", specHash},
                         {"options", options}};
  if (validationDigest)
    json["validation_digest"] = hexadecimal(*validationDigest);
  return json.dump();
}

Result<TrainingState> TrainingState::parse(const std::string &text, const std::string &where) {
  Result<nlohmann::json> json = parseJson(text, where);
  if (!json.ok())
    return json.status();
  JsonReader reader(*json, where + ": training state");
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

} // namespace bifocal
