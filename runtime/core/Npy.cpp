// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Npy.h"

#include "runtime/core/File.h"
#include "runtime/core/Safetensors.h"

#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace bifocal {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

Status malformed(std::string message) { return {StatusCode::malformed, std::move(message)}; }

/// The text after `'key':` in the header dictionary, or empty.
std::string_view valueOf(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos)
    return {};
  const size_t colon = header.find(':', at);
  if (colon == std::string_view::npos)
    return {};
  const size_t begin = header.find_first_not_of(' ', colon + 1);
  return begin == std::string_view::npos ? std::string_view() : header.substr(begin);
}

Result<std::vector<int64_t>> parseShape(std::string_view text) {
  const size_t close = text.find(')');
  if (text.empty() || text.front() != '(' || close == std::string_view::npos)
    return malformed(fmt::format("expects a 'shape' tuple in the npy header, but got '{}'", text.substr(0, 40)));
  std::vector<int64_t> shape;
  const char *cursor = text.data() + 1, *end = text.data() + close;
  while (cursor < end) {
    if (*cursor == ' ' || *cursor == ',') {
      ++cursor;
      continue;
    }
    int64_t extent = -1;
    const auto [next, error] = std::from_chars(cursor, end, extent);
    if (error != std::errc() || extent < 0)
      return malformed(fmt::format("expects integers >= 0 in the npy shape, but got '{}'",
                                   std::string_view(cursor, static_cast<size_t>(end - cursor)).substr(0, 40)));
    shape.push_back(extent);
    cursor = next;
  }
  return shape;
}

struct Source {
  const char *text;
  ElementType type;
  size_t bytes;
};
constexpr Source sources[] = {{"<f4", ElementType::f32, 4}, {"<f8", ElementType::f32, 8}, {"<f2", ElementType::f16, 2},
                              {"<i4", ElementType::i32, 4}, {"<i8", ElementType::i64, 8}, {"|b1", ElementType::i1, 1},
                              {"|u1", ElementType::i1, 1}};

} // namespace

HostTensor HostTensor::zeros(ElementType type, std::vector<int64_t> shape) {
  HostTensor tensor{type, std::move(shape), {}};
  size_t bytes = byteSize(type);
  for (int64_t extent : tensor.shape)
    bytes *= static_cast<size_t>(extent);
  tensor.data.resize(bytes);
  return tensor;
}

TensorView HostTensor::view() {
  TensorView view;
  view.type = type;
  view.data = data.data();
  for (int64_t extent : shape)
    view.extents[view.rank++] = extent;
  return view;
}

double HostTensor::at(int64_t index) const {
  const std::byte *from = data.data() + static_cast<size_t>(index) * byteSize(type);
  const auto load = [from](auto value) {
    std::memcpy(&value, from, sizeof value);
    return value;
  };
  switch (type) {
  case ElementType::f32:
    return load(0.0f);
  case ElementType::i32:
    return load(int32_t{0});
  case ElementType::i64:
    return static_cast<double>(load(int64_t{0}));
  case ElementType::i1:
    return load(uint8_t{0});
  case ElementType::f16:
    return floatFromHalf(load(uint16_t{0}));
  case ElementType::bf16:
    return floatFromBfloat(load(uint16_t{0}));
  }
  return 0.0;
}

void HostTensor::set(int64_t index, double value) {
  std::byte *to = data.data() + static_cast<size_t>(index) * byteSize(type);
  const auto store = [to](auto converted) { std::memcpy(to, &converted, sizeof converted); };
  switch (type) {
  case ElementType::f32:
    return store(static_cast<float>(value));
  case ElementType::i32:
    return store(static_cast<int32_t>(value));
  case ElementType::i64:
    return store(static_cast<int64_t>(value));
  case ElementType::i1:
    return store(static_cast<uint8_t>(value));
  default:
    return;
  }
}

Result<HostTensor> parseNpy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (bytes.size() < 12 || !text.starts_with(magic))
    return malformed("expects an npy file, which starts with \\x93NUMPY");
  const unsigned version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3)
    return Status(StatusCode::unsupported, fmt::format("expects npy format 1, 2 or 3, but got {}", version));
  uint32_t length = 0;
  std::memcpy(&length, text.data() + 8, version == 1 ? 2 : 4);
  const size_t start = version == 1 ? 10 : 12;
  if (length > text.size() - start)
    return malformed(
        fmt::format("expects an npy header of at most {} bytes, but its length is {}", text.size() - start, length));
  const std::string_view header = text.substr(start, length);
  const std::string_view description = valueOf(header, "descr");
  const Source *source = nullptr;
  for (const Source &known : sources)
    if (description.size() >= 5 && description.substr(1, 3) == known.text &&
        (description[0] == '\'' || description[0] == '"'))
      source = &known;
  if (description.empty())
    return malformed("expects a 'descr' in the npy header, but there is none");
  if (!source)
    return Status(StatusCode::unsupported,
                  fmt::format("expects <f4, <f8, <f2, <i4, <i8, |b1 or |u1, but the npy header has {}",
                              description.substr(0, description.find(','))));
  if (!valueOf(header, "fortran_order").starts_with("False"))
    return Status(StatusCode::unsupported, "expects an npy file in C order: 'fortran_order': False");
  Result<std::vector<int64_t>> shape = parseShape(valueOf(header, "shape"));
  if (!shape.ok())
    return shape.status();
  int64_t size = static_cast<int64_t>(source->bytes);
  for (int64_t extent : *shape)
    if (__builtin_mul_overflow(size, extent, &size))
      return malformed("expects an npy shape whose size fits in 64 bits");
  const std::span<const std::byte> content = bytes.subspan(start + length);
  if (static_cast<uint64_t>(size) != content.size())
    return malformed(fmt::format("expects {} bytes of npy data, but got {}", size, content.size()));
  HostTensor tensor = HostTensor::zeros(source->type, shape.take());
  if (source->bytes == byteSize(source->type)) {
    if (size > 0)
      std::memcpy(tensor.data.data(), content.data(), content.size());
    return tensor;
  }
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    double value;
    std::memcpy(&value, content.data() + 8 * i, 8);
    tensor.set(i, value);
  }
  return tensor;
}

Result<HostTensor> readNpy(const std::string &path) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::openOrRead(path);
  if (!file.ok())
    return file.status();
  Result<HostTensor> tensor = parseNpy((*file)->bytes());
  if (!tensor.ok())
    return Status(tensor.status().code(), fmt::format("'{}': {}", path, tensor.status().message()));
  return tensor;
}

Status writeNpy(const std::string &path, const HostTensor &tensor) {
  const char *type = nullptr;
  for (const Source &source : sources)
    if (source.type == tensor.type && source.bytes == byteSize(tensor.type) && !type)
      type = source.text;
  if (!type)
    return {StatusCode::unsupported, fmt::format("expects a type that npy has, but got {}", name(tensor.type))};
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", type,
                                   fmt::join(tensor.shape, ", "), tensor.shape.size() == 1 ? "," : "");
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const uint16_t length = static_cast<uint16_t>(header.size());
  std::string text = fmt::format("{}\x01{}{}{}{}", magic, '\0', static_cast<char>(length & 255),
                                 static_cast<char>(length >> 8), header);
  text.append(reinterpret_cast<const char *>(tensor.data.data()), tensor.data.size());
  return writeFileAtomically(path, std::as_bytes(std::span(text)));
}

} // namespace bifocal
