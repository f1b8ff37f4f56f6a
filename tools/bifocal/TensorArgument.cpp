// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/TensorArgument.h"

#include "runtime/core/Safetensors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>

namespace bifocal::tools {
namespace {

Status usage(std::string message) { return {StatusCode::usage, std::move(message)}; }

std::optional<double> parseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

/// Numbers become elements as they are, or not at all.
Status checkElement(ElementType type, double value) {
  struct Range {
    const char *name;
    double low, high;
  };
  // The largest double below 2^63: what is above it is no 64-bit integer.
  const Range range = type == ElementType::i32   ? Range{"32-bit integers", INT32_MIN, INT32_MAX}
                      : type == ElementType::i64 ? Range{"64-bit integers", -0x1p63, 0x1.fffffffffffffp62}
                                                 : Range{"0 or 1", 0, 1};
  const bool isInteger = type == ElementType::i32 || type == ElementType::i64 || type == ElementType::i1;
  if (isInteger && !(value >= range.low && value <= range.high && value == std::trunc(value)))
    return usage(fmt::format("expects {}, but got {}", range.name, value));
  return {};
}

/// "2x3xi32" and "1,2,3,4,5,6".
Result<HostTensor> parseInline(std::string_view type, std::string_view values) {
  std::vector<int64_t> shape;
  int64_t elements = 1;
  constexpr int64_t limit = int64_t{1} << 26;
  while (!type.empty() && type.front() >= '0' && type.front() <= '9') {
    int64_t extent = 0;
    const auto [end, error] = std::from_chars(type.data(), type.data() + type.size(), extent);
    if (error != std::errc() || end == type.data() + type.size() || *end != 'x')
      return usage(fmt::format("expects a type such as 2x3xi32, but got '{}'", type));
    if (__builtin_mul_overflow(elements, extent, &elements) || elements > limit)
      return usage(fmt::format("expects at most {} elements; a file may have more", limit));
    shape.push_back(extent);
    type.remove_prefix(static_cast<size_t>(end + 1 - type.data()));
  }
  const std::optional<ElementType> element = elementTypeByName(type);
  if (!element || *element == ElementType::f16 || *element == ElementType::bf16 || shape.size() > TensorView::maxRank)
    return usage(
        fmt::format("expects f32, i32, i64 or i1 after at most {} extents, but got '{}'", TensorView::maxRank, type));
  HostTensor tensor = HostTensor::zeros(*element, std::move(shape));
  int64_t count = 0;
  while (!values.empty()) {
    const size_t comma = std::min(values.find(','), values.size());
    const std::optional<double> value = parseNumber(values.substr(0, comma));
    if (!value)
      return usage(fmt::format("expects numbers, but got '{}'", values.substr(0, comma)));
    BIFOCAL_RETURN_IF_ERROR(checkElement(*element, *value));
    if (count < elements)
      tensor.set(count, *value);
    ++count;
    values.remove_prefix(std::min(values.size(), comma + 1));
  }
  if (count == 1)
    for (int64_t i = 1; i < elements; ++i)
      tensor.set(i, tensor.at(0));
  else if (count != elements)
    return usage(fmt::format("expects {} values or one for all, but got {}", elements, count));
  return tensor;
}

Result<HostTensor> readSafetensor(const std::string &path, const std::string &key) {
  Result<Safetensors> file = Safetensors::open(path);
  if (!file.ok())
    return file.status();
  const Safetensors::Entry *entry = file->find(key);
  if (!entry)
    return Status(StatusCode::malformed, fmt::format("'{}': expects the tensor '{}'", path, key));
  return HostTensor{entry->type, entry->shape, {entry->data.begin(), entry->data.end()}};
}

} // namespace

Result<std::pair<std::string, std::string>> splitAssignment(const std::string &text) {
  const size_t at = text.find('=');
  if (at == 0 || at == std::string::npos)
    return usage(fmt::format("expects name=value, but got '{}'", text));
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

Result<HostTensor> readTensorArgument(const std::string &text) {
  if (text.starts_with('@')) {
    const size_t colon = text.rfind(".safetensors:");
    if (colon == std::string::npos)
      return readNpy(text.substr(1));
    const size_t end = colon + std::string_view(".safetensors").size();
    return readSafetensor(text.substr(1, end - 1), text.substr(end + 1));
  }
  const size_t equals = text.find('=');
  if (equals == std::string::npos)
    return usage(fmt::format("expects @file.npy, @file.safetensors:key or 2x3xi32=1,2,..., but got '{}'", text));
  return parseInline(std::string_view(text).substr(0, equals), std::string_view(text).substr(equals + 1));
}

Result<HostTensor> convert(const HostTensor &tensor, ElementType type) {
  if (tensor.type == type)
    return tensor;
  HostTensor result = HostTensor::zeros(type, tensor.shape);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const double value = tensor.at(i);
    BIFOCAL_RETURN_IF_ERROR(checkElement(type, value));
    result.set(i, value);
  }
  return result;
}

std::string summary(const HostTensor &tensor) {
  const int64_t count = tensor.elements();
  if (tensor.shape.empty())
    return fmt::format("{} {:.9g}", name(tensor.type), tensor.at(0));
  std::string text = fmt::format("{}[{}]", name(tensor.type), fmt::join(tensor.shape, ", "));
  if (count == 0)
    return text;
  double low = tensor.at(0), high = low, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = std::min(low, tensor.at(i));
    high = std::max(high, tensor.at(i));
    sum += tensor.at(i);
  }
  text += fmt::format(" min {:.6g} max {:.6g} mean {:.6g}:", low, high, sum / static_cast<double>(count));
  for (int64_t i = 0; i < std::min<int64_t>(count, 8); ++i)
    text += fmt::format(" {:.6g}", tensor.at(i));
  return text + (count > 8 ? " ..." : "");
}

Result<Difference> compare(const HostTensor &actual, const HostTensor &expected, double rtol, double atol) {
  if (actual.shape != expected.shape)
    return Status(StatusCode::numericMismatch,
                  fmt::format("expects the shape [{}], but got [{}]", fmt::join(expected.shape, ", "),
                              fmt::join(actual.shape, ", ")));
  Difference worst;
  double worstExcess = -1;
  for (int64_t i = 0; i < actual.elements(); ++i) {
    const double a = actual.at(i), e = expected.at(i);
    if (a == e || (std::isnan(a) && std::isnan(e)))
      continue;
    const double difference = std::abs(a - e);
    const double excess = std::isfinite(difference) ? difference / (atol + rtol * std::abs(e) + 1e-300)
                                                    : std::numeric_limits<double>::infinity();
    worst.mismatches += excess > 1.0;
    if (excess > worstExcess) {
      worstExcess = excess;
      worst.index = i, worst.actual = a, worst.expected = e;
    }
  }
  return worst;
}

} // namespace bifocal::tools
