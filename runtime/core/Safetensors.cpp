// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Safetensors.h"

#include "runtime/core/Json.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <xxhash.h>

namespace bifocal {
namespace {

constexpr size_t lengthBytes = 8;
constexpr uint64_t maxHeader = 100'000'000;
constexpr const char *digestKey = "bifocal.digest";

struct TypeName {
  const char *text;
  ElementType type;
};
constexpr TypeName typeNames[] = {{"F32", ElementType::f32}, {"F16", ElementType::f16}, {"BF16", ElementType::bf16},
                                  {"I64", ElementType::i64}, {"I32", ElementType::i32}, {"BOOL", ElementType::i1},
                                  {"U8", ElementType::i1}};

Status malformed(std::string message) { return {StatusCode::malformed, std::move(message)}; }

/// The XXH3 of bytes that come in pieces.
class Digest {
public:
  Digest() : state_(XXH3_createState()) { XXH3_128bits_reset(state_); }
  Digest(const Digest &) = delete;
  Digest &operator=(const Digest &) = delete;
  ~Digest() { XXH3_freeState(state_); }

  Digest &add(std::span<const std::byte> bytes) {
    XXH3_128bits_update(state_, bytes.data(), bytes.size());
    return *this;
  }
  std::string str() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_);
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  }

private:
  XXH3_state_t *state_;
};

/// A non-negative int64, or nothing.
std::optional<int64_t> natural(const nlohmann::json &json) {
  if (!json.is_number_unsigned() || json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    return std::nullopt;
  return json.get<int64_t>();
}

/// nlohmann keeps the last of two equal keys; a file with both is ambiguous and refused.
bool hasDuplicateKeys(std::string_view text) {
  std::vector<std::set<std::string>> open;
  bool duplicate = false;
  const auto callback = [&](int, nlohmann::json::parse_event_t event, nlohmann::json &parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start)
      open.emplace_back();
    else if (event == Event::object_end)
      open.pop_back();
    else if (event == Event::key)
      duplicate |= !open.back().insert(parsed.get<std::string>()).second;
    return true;
  };
  const nlohmann::json parsed = nlohmann::json::parse(text, callback, false);
  return duplicate;
}

Result<Safetensors::Entry> readEntry(const std::string &name, const nlohmann::json &json,
                                     std::span<const std::byte> data) {
  JsonReader reader(json, fmt::format("tensor '{}'", name));
  Safetensors::Entry entry;
  const std::string type = reader.string("dtype");
  const auto *found =
      std::find_if(std::begin(typeNames), std::end(typeNames), [&](auto &known) { return type == known.text; });
  if (reader.status().ok() && found == std::end(typeNames))
    return Status(StatusCode::unsupported,
                  fmt::format("tensor '{}': expects F32, F16, BF16, I64, I32, BOOL or U8, but got '{}'", name, type));
  int64_t bytes = found == std::end(typeNames) ? 1 : static_cast<int64_t>(byteSize(found->type));
  for (const nlohmann::json &extent : reader.array("shape")) {
    const std::optional<int64_t> value = natural(extent);
    if (!value || __builtin_mul_overflow(bytes, *value, &bytes))
      reader.fail("shape", "expects integers >= 0 whose product fits in 64 bits");
    else
      entry.shape.push_back(*value);
  }
  const nlohmann::json &offsets = reader.array("data_offsets");
  const std::optional<int64_t> begin = offsets.size() == 2 ? natural(offsets[0]) : std::nullopt;
  const std::optional<int64_t> end = offsets.size() == 2 ? natural(offsets[1]) : std::nullopt;
  if (!begin || !end || *begin > *end || static_cast<uint64_t>(*end) > data.size())
    reader.fail("data_offsets", fmt::format("expects [begin, end] within the {} bytes of data", data.size()));
  else if (*end - *begin != bytes)
    reader.fail("data_offsets",
                fmt::format("expects the {} bytes that type and shape need, but got {}", bytes, *end - *begin));
  if (!reader.status().ok())
    return reader.status();
  entry.type = found->type;
  entry.data = data.subspan(static_cast<size_t>(begin.value_or(0)), static_cast<size_t>(bytes));
  return entry;
}

/// Tensors, sorted by place, must follow each other without holes up to the end of the data.
Status checkCoverage(const Safetensors &file, std::span<const std::byte> data) {
  std::vector<const std::pair<const std::string, Safetensors::Entry> *> order;
  for (const auto &entry : file.tensors())
    order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](auto *a, auto *b) {
    return std::pair(a->second.data.data(), a->second.data.size()) <
           std::pair(b->second.data.data(), b->second.data.size());
  });
  const std::byte *expected = data.data();
  for (const auto *entry : order) {
    if (entry->second.data.data() != expected)
      return malformed(
          fmt::format("tensor '{}': expects its data at byte {}, right after its predecessor's, but it is at {}",
                      entry->first, expected - data.data(), entry->second.data.data() - data.data()));
    expected += entry->second.data.size();
  }
  if (expected != data.data() + data.size())
    return malformed(fmt::format("expects {} bytes of data, but the file has {}", expected - data.data(), data.size()));
  return {};
}

} // namespace

float floatFromBfloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

float floatFromHalf(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = (bits >> 10) & 31,
                 fraction = bits & 1023;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0)
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  // Subnormal: fraction * 2^-24, exact in f32.
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

Result<Safetensors> Safetensors::open(const std::string &path) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::openOrRead(path);
  if (!file.ok())
    return file.status();
  Result<Safetensors> result = fromBytes((*file)->bytes());
  if (!result.ok())
    return Status(result.status().code(), fmt::format("'{}': {}", path, result.status().message()));
  result->file_ = file.take();
  return result;
}

Result<Safetensors> Safetensors::fromBytes(std::span<const std::byte> bytes) {
  uint64_t length = 0;
  if (bytes.size() < lengthBytes)
    return malformed(
        fmt::format("expects a safetensors file of at least {} bytes, but got {}", lengthBytes, bytes.size()));
  std::memcpy(&length, bytes.data(), lengthBytes);
  if (length > maxHeader || length > bytes.size() - lengthBytes)
    return malformed(fmt::format("expects a header of at most {} bytes, but its length is {}",
                                 std::min<uint64_t>(maxHeader, bytes.size() - lengthBytes), length));
  const std::string_view text(reinterpret_cast<const char *>(bytes.data()) + lengthBytes, length);
  const std::span<const std::byte> data = bytes.subspan(lengthBytes + length);
  if (text.empty() || text.front() != '{')
    return malformed("expects the header to start with '{'");
  Result<nlohmann::json> json = parseJson(text, "the header");
  if (!json.ok())
    return json.status();
  if (hasDuplicateKeys(text))
    return malformed("expects every name in the header once");
  Safetensors file;
  file.data_ = data;
  for (const auto &[name, value] : json->items()) {
    if (name == "__metadata__") {
      if (!value.is_object())
        return malformed("__metadata__: expects an object");
      for (const auto &[key, item] : value.items()) {
        if (!item.is_string())
          return malformed(fmt::format("__metadata__.{}: expects a string", key));
        file.metadata_[key] = item.get<std::string>();
      }
      continue;
    }
    Result<Entry> entry = readEntry(name, value, data);
    if (!entry.ok())
      return entry.status();
    file.tensors_.emplace(name, entry.take());
  }
  BIFOCAL_RETURN_IF_ERROR(checkCoverage(file, data));
  return file;
}

const Safetensors::Entry *Safetensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

Status Safetensors::checkDigest() const {
  const auto expected = metadata_.find(digestKey);
  if (expected == metadata_.end())
    return {};
  if (const std::string actual = Digest().add(data_).str(); actual != expected->second)
    return malformed(fmt::format("expects data with the digest {} of its metadata, but they have {}: the file is "
                                 "damaged, or was changed by a program that kept the metadata",
                                 expected->second, actual));
  return {};
}

Status Safetensors::readFloats(std::string_view name, std::span<float> values) const {
  const Entry *entry = find(name);
  if (!entry)
    return malformed(fmt::format("expects the tensor '{}'", name));
  if (static_cast<size_t>(entry->elements()) != values.size())
    return malformed(
        fmt::format("tensor '{}': expects {} elements, but got {}", name, values.size(), entry->elements()));
  if (entry->type == ElementType::f32) {
    if (!values.empty())
      std::memcpy(values.data(), entry->data.data(), entry->data.size());
    return {};
  }
  if (entry->type != ElementType::f16 && entry->type != ElementType::bf16)
    return malformed(
        fmt::format("tensor '{}': expects f32, f16 or bf16, but got {}", name, bifocal::name(entry->type)));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, entry->data.data() + 2 * i, 2);
    values[i] = entry->type == ElementType::f16 ? floatFromHalf(bits) : floatFromBfloat(bits);
  }
  return {};
}

Status Safetensors::readIntegers(std::string_view name, std::span<int64_t> values) const {
  const Entry *entry = find(name);
  if (!entry)
    return malformed(fmt::format("expects the tensor '{}'", name));
  if (entry->type != ElementType::i64 && entry->type != ElementType::i32)
    return malformed(fmt::format("tensor '{}': expects i64 or i32, but got {}", name, bifocal::name(entry->type)));
  if (static_cast<size_t>(entry->elements()) != values.size())
    return malformed(
        fmt::format("tensor '{}': expects {} elements, but got {}", name, values.size(), entry->elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    int32_t narrow = 0;
    if (entry->type == ElementType::i64)
      std::memcpy(&values[i], entry->data.data() + 8 * i, 8);
    else
      std::memcpy(&narrow, entry->data.data() + 4 * i, 4), values[i] = narrow;
  }
  return {};
}

Status writeSafetensors(const std::string &path, std::span<const SafetensorsItem> items,
                        const std::map<std::string, std::string> &metadata) {
  nlohmann::json header = nlohmann::json::object();
  header["__metadata__"] = metadata;
  Digest digest;
  size_t offset = 0;
  std::vector<size_t> sizes;
  for (const SafetensorsItem &item : items) {
    size_t bytes = byteSize(item.type);
    for (int64_t extent : item.shape)
      bytes *= static_cast<size_t>(extent);
    const auto *type =
        std::find_if(std::begin(typeNames), std::end(typeNames), [&](auto &known) { return known.type == item.type; });
    if (item.name == "__metadata__" || header.contains(item.name))
      return {StatusCode::usage, fmt::format("expects distinct names, but '{}' is there twice", item.name)};
    header[item.name] = {{"dtype", type->text}, {"shape", item.shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
    sizes.push_back(bytes);
    digest.add({static_cast<const std::byte *>(item.data), bytes});
  }
  header["__metadata__"][digestKey] = digest.str();
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  // Trailing spaces are allowed and align the data for readers that map the file.
  text.append((64 - (lengthBytes + text.size()) % 64) % 64, ' ');
  Result<std::unique_ptr<AtomicFile>> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  const uint64_t length = text.size();
  BIFOCAL_RETURN_IF_ERROR((*file)->write(std::as_bytes(std::span(&length, 1))));
  BIFOCAL_RETURN_IF_ERROR((*file)->write(std::as_bytes(std::span(text))));
  for (size_t i = 0; i < items.size(); ++i)
    BIFOCAL_RETURN_IF_ERROR((*file)->write({static_cast<const std::byte *>(items[i].data), sizes[i]}));
  return (*file)->commit();
}

} // namespace bifocal
