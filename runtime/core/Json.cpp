// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Json.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal {
namespace {

constexpr size_t maxNesting = 100;
const nlohmann::json nullJson;
const nlohmann::json emptyArray = nlohmann::json::array();
const nlohmann::json emptyObject = nlohmann::json::object();

/// The deepest nesting of brackets outside strings.
size_t nesting(std::string_view text) {
  size_t depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      i += c == '\\';
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

} // namespace

Result<nlohmann::json> parseJson(std::string_view text, std::string_view what) {
  if (nesting(text) > maxNesting)
    return Status(StatusCode::malformed, fmt::format("expects {} to nest at most {} levels", what, maxNesting));
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_discarded())
    return json;
  // Only the library's exception says where.
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error &error) {
    return Status(StatusCode::malformed, fmt::format("expects {} to be JSON, which it is not from byte {} of {} on",
                                                     what, std::min(error.byte, text.size()), text.size()));
  } catch (const nlohmann::json::out_of_range &) {
    return Status(StatusCode::malformed, fmt::format("expects the numbers of {} to be at most 1.8e308", what));
  }
  return json;
}

std::string foundJson(const nlohmann::json *value) {
  if (!value)
    return "it is missing";
  constexpr size_t longest = 60;
  std::string text = value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > longest)
    text.replace(longest, std::string::npos, "...");
  return "got " + text;
}

JsonReader::JsonReader(const nlohmann::json &object, std::string where) : json_(object), where_(std::move(where)) {
  if (!object.is_object())
    status_ = {StatusCode::malformed, fmt::format("{}: expects an object", where_)};
}

const nlohmann::json *JsonReader::find(const char *key) const {
  if (!json_.is_object())
    return nullptr;
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

bool JsonReader::has(const char *key) const { return find(key) != nullptr; }

const nlohmann::json &JsonReader::member(const char *key) const {
  const nlohmann::json *value = find(key);
  return value ? *value : nullJson;
}

void JsonReader::fail(const char *key, std::string_view rule) {
  if (status_.ok())
    status_ = {StatusCode::malformed, fmt::format("{}.{}: {}", where_, key, rule)};
}

void JsonReader::check(const char *key, const Status &status) {
  if (!status.ok())
    fail(key, status.message());
}

int64_t JsonReader::integer(const char *key) {
  const nlohmann::json *value = find(key);
  if (!value || !value->is_number_integer() ||
      (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))) {
    fail(key, "expects a 64-bit integer, but " + foundJson(value));
    return 0;
  }
  return value->get<int64_t>();
}

int64_t JsonReader::integer(const char *key, int64_t absent) { return find(key) ? integer(key) : absent; }

double JsonReader::number(const char *key, double absent) {
  const nlohmann::json *value = find(key);
  if (!value)
    return absent;
  if (!value->is_number()) {
    fail(key, "expects a number, but " + foundJson(value));
    return absent;
  }
  return value->get<double>();
}

bool JsonReader::boolean(const char *key, bool absent) {
  const nlohmann::json *value = find(key);
  if (!value)
    return absent;
  if (!value->is_boolean()) {
    fail(key, "expects true or false, but " + foundJson(value));
    return absent;
  }
  return value->get<bool>();
}

std::string JsonReader::string(const char *key) {
  const nlohmann::json *value = find(key);
  if (!value || !value->is_string()) {
    fail(key, "expects a string, but " + foundJson(value));
    return {};
  }
  return value->get<std::string>();
}

std::string JsonReader::string(const char *key, std::string_view absent) {
  return find(key) ? string(key) : std::string(absent);
}

const nlohmann::json &JsonReader::array(const char *key) {
  const nlohmann::json *value = find(key);
  if (value && value->is_array())
    return *value;
  fail(key, "expects an array, but " + foundJson(value));
  return emptyArray;
}

const nlohmann::json &JsonReader::object(const char *key) {
  const nlohmann::json *value = find(key);
  if (value && value->is_object())
    return *value;
  fail(key, "expects an object, but " + foundJson(value));
  return emptyObject;
}

} // namespace bifocal
