// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/PlanReader.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace bifocal {

constexpr std::array<std::string_view, 9> regionNames = {"arena", "parameter", "gradient", "moment1", "moment2",
                                                         "state", "input",     "output",   "panels"};

Status EntryReader::read(const nlohmann::json &json) {
  JsonReader reader(json, fmt::format("plan.entries.{}", entry_.name));
  BIFOCAL_RETURN_IF_ERROR(readSymbols(reader));
  readArguments(reader, "inputs", entry_.inputs);
  readArguments(reader, "outputs", entry_.outputs);
  readClasses(reader);
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  const nlohmann::json &buffers = reader.array("buffers");
  for (size_t i = 0; i < buffers.size(); ++i)
    BIFOCAL_RETURN_IF_ERROR(readBuffer(buffers[i], fmt::format("{}.buffers[{}]", reader.where(), i)));
  BIFOCAL_RETURN_IF_ERROR(readSteps(reader.array("steps"), reader.where() + ".steps", false, entry_.steps));
  return reader.status();
}

Status EntryReader::readSymbols(JsonReader &reader) {
  for (const nlohmann::json &symbol : reader.array("symbols")) {
    if (!symbol.is_string() || symbol.get<std::string>().empty() || symbol.get<std::string>() == format::windowSymbol)
      reader.fail("symbols", "expects names other than W");
    else if (std::find(entry_.symbols.begin(), entry_.symbols.end(), symbol.get<std::string>()) != entry_.symbols.end())
      reader.fail("symbols", "expects distinct names");
    else
      entry_.symbols.push_back(symbol.get<std::string>());
  }
  entry_.symbols.emplace_back(format::windowSymbol);
  return reader.status();
}

Expression EntryReader::expression(JsonReader &reader, const char *key, const nlohmann::json &json, bool window) {
  Result<Expression> parsed = Expression::parse(json, names(window));
  reader.check(key, parsed.status());
  return parsed.ok() ? parsed.take() : Expression();
}

std::vector<Expression> EntryReader::expressions(JsonReader &reader, const char *key, bool window) {
  std::vector<Expression> result;
  for (const nlohmann::json &json : reader.array(key))
    result.push_back(expression(reader, key, json, window));
  return result;
}

ElementType EntryReader::elementType(JsonReader &reader) {
  const std::string text = reader.string("dtype");
  if (auto type = elementTypeByName(text))
    return *type;
  reader.fail("dtype", fmt::format("expects an element type, but got '{}'", text));
  return ElementType::f32;
}

void EntryReader::readArguments(JsonReader &owner, const char *key, std::vector<PlanArgument> &arguments) {
  for (const nlohmann::json &json : owner.array(key)) {
    JsonReader reader(json, fmt::format("[{}]", arguments.size()));
    PlanArgument argument;
    argument.name = reader.string("name");
    argument.type = elementType(reader);
    argument.dims = expressions(reader, "dims", false);
    if (argument.dims.size() > TensorView::maxRank)
      reader.fail("dims", fmt::format("expects at most {} axes", TensorView::maxRank));
    owner.check(key, reader.status());
    arguments.push_back(std::move(argument));
  }
}

void EntryReader::readClasses(JsonReader &reader) {
  entry_.classes = expressions(reader, "classes", false);
  for (const nlohmann::json &peak : reader.array("peak")) {
    const bool valid = peak.is_number_integer() && peak.get<int64_t>() >= 0;
    if (!valid)
      reader.fail("peak", "expects integers >= 0");
    entry_.peak.push_back(valid ? peak.get<int64_t>() : 0);
  }
  if (entry_.peak.size() != entry_.classes.size())
    return reader.fail("peak", fmt::format("expects one number per class, but got {} for {} classes",
                                           entry_.peak.size(), entry_.classes.size()));
  // The classes whose value is known here; `arenaBytes` checks all.
  int64_t total = 0, bytes = 0;
  for (size_t c = 0; c < entry_.classes.size(); ++c)
    if (const std::optional<int64_t> value = entry_.classes[c].constant())
      if (*value > INT64_MAX - format::classAlignment ||
          __builtin_mul_overflow(entry_.peak[c], format::roundUpToClass(*value), &bytes) ||
          __builtin_add_overflow(total, bytes, &total))
        reader.fail("peak", fmt::format("expects an arena whose size fits in 64 bits, but class {} has {} bytes for "
                                        "each of {} units",
                                        c, entry_.peak[c], *value));
}

/// Some columns of the rows of a buffer before it.
Status EntryReader::readView(JsonReader &reader) {
  const int64_t whole = reader.integer("view_of");
  const int64_t column = reader.integer("column"), width = reader.integer("width"), row = reader.integer("row");
  if (whole < 0 || static_cast<size_t>(whole) >= entry_.buffers.size() ||
      entry_.buffers[static_cast<size_t>(whole)].row != 0 ||
      entry_.buffers[static_cast<size_t>(whole)].region == Region::panels)
    reader.fail("view_of", fmt::format("expects the id of an earlier buffer with rows, but got {}", whole));
  // Bounds, so that places in rows do not overflow.
  if (row < 1 || row > INT32_MAX)
    reader.fail("row", fmt::format("expects from 1 to {}, but got {}", INT32_MAX, row));
  else if (width < 1 || width > row)
    reader.fail("width", fmt::format("expects from 1 to {}, but got {}", row, width));
  else if (column < 0 || column > row - width)
    reader.fail("column", fmt::format("expects from 0 to {}, but got {}", row - width, column));
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  PlanBuffer view = entry_.buffers[static_cast<size_t>(whole)];
  view.column = column * static_cast<int64_t>(byteSize(view.type));
  view.width = width, view.row = row;
  entry_.buffers.push_back(view);
  return {};
}

Status EntryReader::readBuffer(const nlohmann::json &json, const std::string &where) {
  JsonReader reader(json, where);
  if (!reader.member("view_of").is_null())
    return readView(reader);
  PlanBuffer buffer;
  const std::string region = reader.string("region");
  const auto found = std::find(regionNames.begin(), regionNames.end(), region);
  if (found == regionNames.end())
    reader.fail("region", fmt::format("expects one of {}, but got '{}'", fmt::join(regionNames, ", "), region));
  else
    buffer.region = static_cast<Region>(found - regionNames.begin());
  buffer.type = elementType(reader);
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  switch (buffer.region) {
  case Region::arena:
    readArenaExtent(reader, buffer);
    break;
  case Region::parameter:
    readSlabExtent(reader, buffer, manifest_.parameterElements);
    break;
  case Region::gradient:
  case Region::moment1:
  case Region::moment2: {
    entry_.needsTraining = true;
    const auto order = static_cast<int64_t>(buffer.region) - static_cast<int64_t>(Region::gradient);
    readSlabExtent(reader, buffer, order <= manifest_.moments ? manifest_.trainedElements : 0);
    break;
  }
  case Region::state:
    readStateIndex(reader, buffer);
    break;
  case Region::input:
    readIndex(reader, buffer, entry_.inputs);
    break;
  case Region::output:
    readIndex(reader, buffer, entry_.outputs);
    break;
  case Region::panels:
    readPanelExtent(reader, buffer);
    break;
  }
  entry_.buffers.push_back(buffer);
  return reader.status();
}

void EntryReader::readPanelExtent(JsonReader &reader, PlanBuffer &buffer) {
  buffer.offset = reader.integer("offset");
  buffer.size = reader.integer("size");
  int64_t end = 0;
  if (buffer.offset < 0 || buffer.offset % format::cacheLine != 0)
    reader.fail("offset",
                fmt::format("expects a multiple of {} that is >= 0, but got {}", format::cacheLine, buffer.offset));
  else if (buffer.size < 0 || __builtin_add_overflow(buffer.offset, buffer.size, &end))
    reader.fail("size", fmt::format("expects from 0 to {}, but got {}", INT64_MAX - buffer.offset, buffer.size));
  else
    entry_.panelBytes = std::max(entry_.panelBytes, end);
}

void EntryReader::readArenaExtent(JsonReader &reader, PlanBuffer &buffer) {
  const int64_t index = reader.integer("class");
  buffer.offset = reader.integer("offset");
  buffer.size = reader.integer("size");
  if (index < 0 || static_cast<size_t>(index) >= entry_.classes.size())
    return reader.fail("class", fmt::format("expects a class below {}, but got {}", entry_.classes.size(), index));
  buffer.index = static_cast<size_t>(index);
  if (buffer.offset < 0 || buffer.offset % format::bufferAlignment != 0)
    reader.fail("offset", fmt::format("expects a multiple of {}, but got {}", format::bufferAlignment, buffer.offset));
  const int64_t peak = entry_.peak[buffer.index];
  if (buffer.size < 0 || buffer.size > peak || buffer.offset > peak - buffer.size)
    reader.fail("size", fmt::format("expects the {} bytes at {} to end within the {} of class {}", buffer.size,
                                    buffer.offset, peak, index));
}

void EntryReader::readSlabExtent(JsonReader &reader, PlanBuffer &buffer, int64_t elements) {
  buffer.offset = reader.integer("offset");
  buffer.size = reader.integer("size");
  const int64_t bytes = elements * int64_t{sizeof(float)};
  if (buffer.offset < 0 || buffer.offset % int64_t{sizeof(float)} != 0)
    reader.fail("offset", fmt::format("expects a multiple of 4, but got {}", buffer.offset));
  if (buffer.size < 0 || buffer.size > bytes || buffer.offset > bytes - buffer.size)
    reader.fail("size", fmt::format("expects the {} bytes at {} to end within the slab of {}", buffer.size,
                                    buffer.offset, bytes));
}

void EntryReader::readStateIndex(JsonReader &reader, PlanBuffer &buffer) {
  const std::string name = reader.string("name");
  const auto found = std::find_if(manifest_.states.begin(), manifest_.states.end(),
                                  [&](const StateInfo &state) { return state.name == name; });
  if (found == manifest_.states.end())
    reader.fail("name", fmt::format("expects a state of the manifest, but got '{}'", name));
  else
    buffer.index = static_cast<size_t>(found - manifest_.states.begin());
}

void EntryReader::readIndex(JsonReader &reader, PlanBuffer &buffer, const std::vector<PlanArgument> &arguments) {
  const int64_t index = reader.integer("index");
  if (index < 0 || static_cast<size_t>(index) >= arguments.size())
    return reader.fail("index", fmt::format("expects an index below {}, but got {}", arguments.size(), index));
  buffer.index = static_cast<size_t>(index);
  if (arguments[buffer.index].type != buffer.type)
    reader.fail("dtype", fmt::format("expects {} as '{}' has, but got {}", bifocal::name(arguments[buffer.index].type),
                                     arguments[buffer.index].name, bifocal::name(buffer.type)));
}

BufferRef EntryReader::reference(JsonReader &reader, const char *key, const nlohmann::json &json, bool window) {
  BufferRef result;
  int64_t id = -1;
  if (json.is_number_integer()) {
    id = json.get<int64_t>();
  } else if (json.is_object() && window) {
    JsonReader inner(json, key);
    id = inner.integer("id");
    result.rowBytes = inner.integer("row_bytes");
    reader.check(key, inner.status());
    // Rows times this must not overflow.
    if (result.rowBytes < 0 || result.rowBytes > INT32_MAX)
      reader.fail(key, fmt::format("expects row_bytes from 0 to {}, but got {}", INT32_MAX, result.rowBytes));
  }
  if (id < 0 || static_cast<size_t>(id) >= entry_.buffers.size())
    reader.fail(key, fmt::format("expects a buffer id below {}, but got {}", entry_.buffers.size(), json.dump()));
  else
    result.id = static_cast<size_t>(id);
  return result;
}

BufferRef EntryReader::whole(JsonReader &reader, const char *key, bool window) {
  const BufferRef result = reference(reader, key, reader.member(key), window);
  if (reader.status().ok() && entry_.buffers[result.id].row != 0)
    reader.fail(key, fmt::format("expects a whole buffer, but {} is a view", result.id));
  return result;
}

std::vector<BufferRef> EntryReader::references(JsonReader &reader, const char *key, bool window) {
  std::vector<BufferRef> result;
  for (const nlohmann::json &json : reader.array(key))
    result.push_back(reference(reader, key, json, window));
  return result;
}

Result<Plan> Plan::parse(std::string_view text, const Manifest &manifest) {
  Result<nlohmann::json> json = parseJson(text, format::planEntry);
  if (!json.ok())
    return json.status();
  JsonReader reader(*json, "plan");
  Plan plan;
  for (auto &[name, entry] : reader.object("entries").items()) {
    plan.entries.emplace_back().name = name;
    BIFOCAL_RETURN_IF_ERROR(EntryReader(manifest, plan.entries.back()).read(entry));
  }
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  return plan;
}

} // namespace bifocal
