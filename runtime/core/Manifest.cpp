// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Manifest.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/Json.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

namespace bifocal {
namespace {

InitializerSpec readInitializer(const nlohmann::json &json, JsonReader &owner, std::string where) {
  JsonReader reader(json, std::move(where));
  InitializerSpec init;
  using Kind = InitializerSpec::Kind;
  const std::pair<const char *, Kind> kinds[] = {
      {"zeros", Kind::zeros},           {"ones", Kind::ones},
      {"normal", Kind::normal},         {"xavier_uniform", Kind::xavierUniform},
      {"uniform", Kind::uniform},       {"constant", Kind::constant},
      {"sinusoidal", Kind::sinusoidal}, {"sinusoidal_distance", Kind::sinusoidalDistance},
      {"rotary_cos", Kind::rotaryCos},  {"rotary_sin", Kind::rotarySin}};
  const std::string kind = reader.string("kind");
  const auto *found =
      std::find_if(std::begin(kinds), std::end(kinds), [&](auto &entry) { return kind == entry.first; });
  if (found == std::end(kinds))
    reader.fail("kind", "expects zeros, ones, xavier_uniform, normal, uniform, constant, sinusoidal, "
                        "sinusoidal_distance, rotary_cos or rotary_sin");
  else
    init.kind = found->second;
  init.gain = reader.number("gain", 1.0);
  init.std = reader.number("std", 0.0);
  init.mean = reader.number("mean", 0.0);
  init.bound = reader.number("bound", 0.0);
  init.value = reader.number("value", 0.0);
  init.zeroRow = reader.integer("zero_row", -1);
  init.pad = reader.integer("pad", -1);
  init.base = reader.number("base", 0.0);
  if ((init.kind == Kind::rotaryCos || init.kind == Kind::rotarySin) && !(init.base >= 1))
    reader.fail("base", fmt::format("expects a number from 1, but got {}", init.base));
  owner.adopt(reader.status());
  return init;
}

Result<Parameter> readParameter(const nlohmann::json &json, std::string where) {
  JsonReader reader(json, where);
  Parameter parameter;
  parameter.name = reader.string("name");
  if (parameter.name.empty())
    reader.fail("name", "expects a name");
  if (reader.has("aliases")) {
    for (const nlohmann::json &alias : reader.array("aliases")) {
      if (!alias.is_string())
        reader.fail("aliases", "expects strings");
      else
        parameter.aliases.push_back(alias.get<std::string>());
    }
  }
  int64_t elements = 1;
  for (const nlohmann::json &extent : reader.array("shape")) {
    if (!extent.is_number_integer() || extent.get<int64_t>() < 1 ||
        __builtin_mul_overflow(elements, extent.get<int64_t>(), &elements))
      reader.fail("shape", "expects positive integers whose product fits in 64 bits");
    else
      parameter.shape.push_back(extent.get<int64_t>());
  }
  if (parameter.shape.size() > TensorView::maxRank)
    reader.fail("shape", fmt::format("expects at most {} axes", TensorView::maxRank));
  if (reader.string("dtype") != "f32")
    reader.fail("dtype", "expects f32, the only type in which parameters are kept");
  parameter.offset = reader.integer("offset");
  if (parameter.offset < 0 || parameter.offset % format::parameterAlignment != 0)
    reader.fail("offset",
                fmt::format("expects a multiple of {}, but got {}", format::parameterAlignment, parameter.offset));
  parameter.init = readInitializer(reader.object("init"), reader, where + ".init");
  parameter.trained = reader.boolean("trained", true);
  parameter.stored = reader.boolean("stored", true);
  if (!reader.status().ok())
    return reader.status();
  return parameter;
}

/// Parameters must lie in the slab without overlap, trained ones first, under distinct names.
Status checkSlab(const Manifest &manifest) {
  std::set<std::string_view> names;
  std::vector<const Parameter *> order;
  for (const Parameter &parameter : manifest.parameters) {
    const int64_t room = parameter.trained ? manifest.trainedElements : manifest.parameterElements;
    if (parameter.elements() > room || parameter.offset > room - parameter.elements())
      return {StatusCode::malformed, fmt::format("parameter '{}': expects its {} elements at {} to end within {}",
                                                 parameter.name, parameter.elements(), parameter.offset, room)};
    if (!parameter.trained && parameter.offset < manifest.trainedElements)
      return {StatusCode::malformed, fmt::format("parameter '{}': expects constants after the {} trained elements",
                                                 parameter.name, manifest.trainedElements)};
    if (!names.insert(parameter.name).second)
      return {StatusCode::malformed, fmt::format("parameter '{}': expects distinct names", parameter.name)};
    for (const std::string &alias : parameter.aliases)
      if (!names.insert(alias).second)
        return {StatusCode::malformed,
                fmt::format("parameter '{}': expects distinct names, but '{}' is used twice", parameter.name, alias)};
    order.push_back(&parameter);
  }
  std::sort(order.begin(), order.end(), [](auto *a, auto *b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i - 1]->offset + order[i - 1]->elements() > order[i]->offset)
      return {StatusCode::malformed,
              fmt::format("parameters '{}' and '{}' overlap", order[i - 1]->name, order[i]->name)};
  return {};
}

Result<StateInfo> readState(const nlohmann::json &json, const std::string &where, std::vector<std::string> &symbols) {
  JsonReader reader(json, where);
  StateInfo state;
  state.name = reader.string("name");
  const std::string type = reader.string("dtype");
  if (auto parsed = elementTypeByName(type))
    state.type = *parsed;
  else
    reader.fail("dtype", fmt::format("expects an element type, but got '{}'", type));
  for (const nlohmann::json &dim : reader.array("dims")) {
    // A new name in a dim declares a symbol: the states have no list of their own.
    if (dim.is_string() && std::find(symbols.begin(), symbols.end(), dim.get<std::string>()) == symbols.end())
      symbols.push_back(dim.get<std::string>());
    Result<Expression> parsed = Expression::parse(dim, symbols);
    reader.check("dims", parsed.status());
    if (parsed.ok())
      state.dims.push_back(parsed.take());
  }
  if (state.dims.size() > TensorView::maxRank)
    reader.fail("dims", fmt::format("expects at most {} axes", TensorView::maxRank));
  if (!reader.status().ok())
    return reader.status();
  return state;
}

} // namespace

int64_t Manifest::trainedParameters() const {
  int64_t count = 0;
  for (const Parameter &parameter : parameters)
    count += parameter.trained ? parameter.elements() : 0;
  return count;
}

std::array<int64_t, 4> Manifest::slabBytes(bool training) const {
  constexpr int64_t element = sizeof(float);
  const int64_t trained = training ? trainedElements * element : 0;
  return {parameterElements * element, trained, moments > 0 ? trained : 0, moments > 1 ? trained : 0};
}

Result<Manifest> Manifest::parse(std::string_view text) {
  Result<nlohmann::json> json = parseJson(text, format::manifestEntry);
  if (!json.ok())
    return json.status();
  JsonReader reader(*json, "manifest");
  // The version comes first: another format may differ in everything else.
  const int64_t version = reader.integer("format");
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  if (version != format::version)
    return Status(StatusCode::unsupported,
                  fmt::format("expects artifact format {}, but the file has format {}; compile it again",
                              format::version, version));
  Manifest manifest;
  manifest.compilerVersion = reader.string("bifocal");
  for (auto &[entry, digest] : reader.object("digest").items())
    if (!digest.is_string())
      reader.fail("digest", "expects hexadecimal strings");
    else
      manifest.digests[entry] = digest.get<std::string>();
  manifest.spec = reader.string("spec");
  manifest.specHash = reader.string("spec_hash");
  manifest.model = reader.object("model");
  manifest.training = reader.object("training");
  manifest.parameterElements = reader.integer("parameter_elements");
  manifest.trainedElements = reader.integer("trained_elements");
  if (manifest.trainedElements < 0 || manifest.parameterElements < manifest.trainedElements ||
      manifest.parameterElements > Manifest::mostParameters)
    reader.fail("parameter_elements", "expects 0 <= trained_elements <= parameter_elements <= 2^40");
  manifest.moments = reader.integer("moments", manifest.moments);
  if (manifest.moments < 0 || manifest.moments > 2)
    reader.fail("moments", fmt::format("expects 0 to 2, but got {}", manifest.moments));
  const nlohmann::json &parameters = reader.array("parameters"), &states = reader.array("states");
  BIFOCAL_RETURN_IF_ERROR(reader.status());

  for (const nlohmann::json &entry : parameters) {
    Result<Parameter> parameter =
        readParameter(entry, fmt::format("manifest.parameters[{}]", manifest.parameters.size()));
    if (!parameter.ok())
      return parameter.status();
    manifest.parameters.push_back(parameter.take());
  }
  BIFOCAL_RETURN_IF_ERROR(checkSlab(manifest));
  std::set<std::string> names;
  for (const nlohmann::json &entry : states) {
    Result<StateInfo> state =
        readState(entry, fmt::format("manifest.states[{}]", manifest.states.size()), manifest.stateSymbols);
    if (!state.ok())
      return state.status();
    if (!names.insert(state->name).second)
      return Status(StatusCode::malformed, fmt::format("state '{}': expects distinct names", state->name));
    manifest.states.push_back(state.take());
  }
  return manifest;
}

} // namespace bifocal
