// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-emulate/Arguments.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fmt/format.h>
#include <optional>

namespace bifocal::tools {

static constexpr ElementType types[] = {{"f32", 4}, {"f64", 8}, {"bf16", 2}, {"i8", 1}, {"i32", 4}, {"i64", 8}};
constexpr size_t mostBytes = size_t{1} << 32;

template <typename T> static void put(char *place, T value) { std::memcpy(place, &value, sizeof value); }

static void writeElement(char *place, std::string_view type, double value) {
  if (type == "f32")
    put(place, static_cast<float>(value));
  else if (type == "f64")
    put(place, value);
  else if (type == "bf16") {
    uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
    put(place, static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
  } else if (type == "i8")
    put(place, static_cast<int8_t>(static_cast<int64_t>(value)));
  else if (type == "i32")
    put(place, static_cast<int32_t>(static_cast<int64_t>(value)));
  else
    put(place, static_cast<int64_t>(value));
}

template <typename T> static T get(const char *place) {
  T value;
  std::memcpy(&value, place, sizeof value);
  return value;
}

static std::string readElement(const char *place, std::string_view type) {
  if (type == "f32")
    return fmt::format("{}", get<float>(place));
  if (type == "f64")
    return fmt::format("{}", get<double>(place));
  if (type == "bf16")
    return fmt::format("{}", std::bit_cast<float>(uint32_t{get<uint16_t>(place)} << 16));
  if (type == "i8")
    return fmt::format("{}", get<int8_t>(place));
  if (type == "i32")
    return fmt::format("{}", get<int32_t>(place));
  return fmt::format("{}", get<int64_t>(place));
}

/// Numbers of a fixed sequence: SplitMix64, then Box and Muller's transform.
class Sequence {
public:
  double normal() {
    double radius = std::sqrt(-2 * std::log(uniform())), angle = 6.283185307179586 * uniform();
    return radius * std::cos(angle);
  }
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

private:
  double uniform() { return static_cast<double>((next() >> 11) + 1) * 0x1p-53; }
  uint64_t state = 1;
};

static bool fillBuffer(Argument &argument, std::string_view fill) {
  if (fill.empty() || fill == "undefined")
    return true;
  Sequence sequence;
  bool isFloat = argument.type.name.find('f') != std::string_view::npos;
  auto element = [&](size_t index) -> std::optional<double> {
    if (fill == "zeros")
      return 0;
    if (fill == "ones")
      return 1;
    if (fill == "iota")
      return static_cast<double>(index);
    if (fill == "random")
      return isFloat ? sequence.normal() : static_cast<double>(sequence.next() % 256);
    return std::nullopt;
  };
  argument.content.resize(argument.bytes());
  for (size_t index = 0; index < argument.count; ++index) {
    std::optional<double> value = element(index);
    if (!value)
      return false;
    writeElement(&argument.content[index * argument.type.bytes], argument.type.name, *value);
  }
  return true;
}

template <typename T> static bool parseNumber(std::string_view text, T &value) {
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && rest == text.data() + text.size();
}

Result<Argument> parseArgument(std::string_view text) {
  auto wrong = [&](std::string_view why) {
    return Status(StatusCode::usage,
                  fmt::format("--arg {}: {}; expects name=type[count]:fill or name=type:value, e.g. x=f32[4096]:random "
                              "or n=i32:4096",
                              text, why));
  };
  size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos)
    return wrong("no name");
  Argument argument;
  argument.name = text.substr(0, equals);
  std::string_view rest = text.substr(equals + 1);
  size_t colon = rest.find(':');
  std::string_view type = rest.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
  size_t bracket = type.find('[');
  auto known = std::find_if(std::begin(types), std::end(types),
                            [&](const ElementType &each) { return each.name == type.substr(0, bracket); });
  if (known == std::end(types))
    return wrong("the type is none of f32, f64, bf16, i8, i32, i64");
  argument.type = *known;
  if (bracket != std::string_view::npos) {
    argument.isBuffer = true;
    std::string_view count = type.substr(bracket + 1);
    if (!count.ends_with(']') || !parseNumber(count.substr(0, count.size() - 1), argument.count) ||
        argument.count > mostBytes / argument.type.bytes)
      return wrong("no count of elements in brackets");
    if (!fillBuffer(argument, value))
      return wrong("the fill is none of zeros, ones, iota, random, undefined");
    return argument;
  }
  double number = 0;
  if (!parseNumber(value, number))
    return wrong("the value is no number");
  argument.content.resize(argument.type.bytes);
  writeElement(argument.content.data(), argument.type.name, number);
  return argument;
}

std::string printElements(const Argument &argument, const char *memory) {
  std::string line = argument.name + ":";
  for (size_t index = 0; index < argument.count; ++index)
    line += " " + readElement(memory + index * argument.type.bytes, argument.type.name);
  return line + "\n";
}

} // namespace bifocal::tools
