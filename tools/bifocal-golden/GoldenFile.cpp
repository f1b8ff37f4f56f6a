// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/GoldenFile.h"

#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

const GoldenTensor &GoldenFile::operator[](const std::string &name) const {
  static const GoldenTensor empty;
  auto found = tensors.find(name);
  return found == tensors.end() ? empty : found->second;
}

int64_t GoldenFile::integer(const char *name, int64_t fallback) const {
  auto found = hparams.find(name);
  return found != hparams.end() && found->is_number_integer() ? found->get<int64_t>() : fallback;
}

bool GoldenFile::flag(const char *name) const {
  auto found = hparams.find(name);
  return found != hparams.end() && found->is_boolean() && found->get<bool>();
}

static Result<std::string> readAll(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    return Status(StatusCode::cannotRead, fmt::format("cannot read `{}`", path));
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

Result<json> golden::readJson(const std::string &path) {
  Result<std::string> text = readAll(path);
  if (!text.ok())
    return text.status();
  json parsed = json::parse(*text, nullptr, false);
  if (parsed.is_discarded())
    return Status(StatusCode::malformed, fmt::format("`{}` is not JSON", path));
  return parsed;
}

/// Copies one tensor out of the data part; false when its entry does not fit the file.
static bool readTensor(const json &entry, std::string_view data, GoldenTensor &tensor) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets"))
    return false;
  tensor.shape = entry["shape"].get<std::vector<int64_t>>();
  auto offsets = entry["data_offsets"].get<std::vector<uint64_t>>();
  std::string type = entry["dtype"].get<std::string>();
  size_t count = 1, size = type == "F32" ? 4 : type == "I64" ? 8 : type == "U8" ? 1 : 0;
  for (int64_t dim : tensor.shape)
    count *= static_cast<size_t>(dim);
  if (size == 0 || offsets.size() != 2 || offsets[1] > data.size() || offsets[0] > offsets[1] ||
      offsets[1] - offsets[0] != count * size)
    return false;
  const char *from = data.data() + offsets[0];
  if (type == "F32") {
    tensor.values.resize(count);
    std::memcpy(tensor.values.data(), from, count * size);
    return true;
  }
  tensor.integers.resize(count);
  if (type == "I64")
    std::memcpy(tensor.integers.data(), from, count * size);
  else
    for (size_t i = 0; i < count; ++i)
      tensor.integers[i] = static_cast<unsigned char>(from[i]);
  return true;
}

Result<GoldenFile> golden::readGoldenFile(const std::string &path) {
  Result<std::string> bytes = readAll(path);
  if (!bytes.ok())
    return bytes.status();
  Status malformed(StatusCode::malformed,
                   fmt::format("`{}` is not a safetensors file of F32, I64 and U8 tensors", path));
  uint64_t headerSize = 0;
  if (bytes->size() < 8)
    return malformed;
  std::memcpy(&headerSize, bytes->data(), 8);
  if (headerSize > bytes->size() - 8)
    return malformed;
  json header = json::parse(bytes->substr(8, headerSize), nullptr, false);
  if (!header.is_object())
    return malformed;
  std::string_view data = std::string_view(*bytes).substr(8 + headerSize);
  GoldenFile file;
  for (auto &[name, entry] : header.items()) {
    if (name == "__metadata__") {
      // The two sets of files name it differently.
      file.hparams = json::parse(entry.value(entry.contains("hparams") ? "hparams" : "config", "{}"), nullptr, false);
      continue;
    }
    if (!readTensor(entry, data, file.tensors[name]))
      return malformed;
  }
  if (!file.hparams.is_object())
    return malformed;
  return file;
}

GoldenTensor golden::swapFirstAxes(const GoldenTensor &tensor) {
  GoldenTensor result = tensor;
  if (tensor.shape.size() < 2)
    return result;
  std::swap(result.shape[0], result.shape[1]);
  int64_t outer = tensor.shape[0], inner = tensor.shape[1];
  int64_t row = static_cast<int64_t>(tensor.values.size()) / std::max<int64_t>(1, outer * inner);
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t j = 0; j < inner; ++j)
      std::copy_n(&tensor.values[(i * inner + j) * row], row, &result.values[(j * outer + i) * row]);
  return result;
}
