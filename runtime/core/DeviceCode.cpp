// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/DeviceCode.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/Json.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

namespace bifocal {
namespace {

constexpr std::array<std::pair<std::string_view, DeviceCode::Kind>, 3> suffixes = {
    {{format::bitcodeSuffix, DeviceCode::Kind::bitcode},
     {format::ptxSuffix, DeviceCode::Kind::ptx},
     {format::cubinSuffix, DeviceCode::Kind::cubin}}};

int64_t bounded(JsonReader &reader, const char *key, int64_t least, int64_t most) {
  const int64_t value = reader.integer(key);
  if (value < least || value > most)
    reader.fail(key, fmt::format("expects from {} to {}, but got {}", least, most, value));
  return value;
}

std::vector<int64_t> positions(JsonReader &reader, const char *key) {
  std::vector<int64_t> result;
  for (const nlohmann::json &position : reader.array(key)) {
    if (!position.is_number_unsigned() || position.get<uint64_t>() > INT32_MAX)
      reader.fail(key, "expects positions in the launch");
    else
      result.push_back(position.get<int64_t>());
  }
  return result;
}

Result<ResourceReport> readResources(const nlohmann::json &json, std::string where) {
  JsonReader reader(json, std::move(where));
  ResourceReport resources;
  const std::pair<const char *, int64_t &> members[] = {
      {"registers", resources.registers},       {"shared_bytes", resources.sharedBytes},
      {"spill_bytes", resources.spillBytes},    {"stack_bytes", resources.stackBytes},
      {"instructions", resources.instructions}, {"mma", resources.mma}};
  for (const auto &[key, member] : members)
    member = bounded(reader, key, 0, INT32_MAX);
  if (!reader.status().ok())
    return reader.status();
  return resources;
}

Result<DeviceKernel> readKernel(const nlohmann::json &json, const std::string &where) {
  JsonReader reader(json, where);
  DeviceKernel kernel;
  kernel.name = reader.string("name");
  kernel.function = reader.string("function");
  kernel.warps = bounded(reader, "warps", 1, format::mostWarps);
  kernel.sharedBytes = bounded(reader, "shared_bytes", 0, format::mostSharedBytes);
  kernel.buffers = positions(reader, "buffers");
  kernel.sizes = positions(reader, "sizes");
  if (reader.has("tiles")) {
    Result<Expression> tiles = Expression::parse(reader.member("tiles"), format::launchSizeNames());
    if (tiles.ok())
      kernel.tiles = tiles.take();
    else
      reader.fail("tiles", tiles.status().message());
  }
  if (reader.has("resources"))
    for (const auto &[architecture, resources] : reader.object("resources").items()) {
      Result<ResourceReport> parsed = readResources(resources, fmt::format("{}.resources.{}", where, architecture));
      reader.adopt(parsed.status());
      if (parsed.ok())
        kernel.resources[architecture] = *parsed;
    }
  if (!reader.status().ok())
    return reader.status();
  return kernel;
}

} // namespace

Result<std::vector<DeviceKernel>> DeviceCode::parseTable(std::string_view text) {
  Result<nlohmann::json> json = parseJson(text, format::kernelTableEntry);
  if (!json.ok())
    return json.status();
  JsonReader reader(*json, "kernel table");
  std::vector<DeviceKernel> kernels;
  const nlohmann::json &list = reader.array("kernels");
  for (size_t i = 0; i < list.size(); ++i) {
    Result<DeviceKernel> kernel = readKernel(list[i], fmt::format("kernels[{}]", i));
    if (!kernel.ok())
      return kernel.status();
    kernels.push_back(kernel.take());
  }
  BIFOCAL_RETURN_IF_ERROR(reader.status());
  std::ranges::sort(kernels, {}, &DeviceKernel::name);
  for (size_t i = 1; i < kernels.size(); ++i)
    if (kernels[i - 1].name == kernels[i].name)
      return Status(StatusCode::malformed,
                    fmt::format("kernel table: expects distinct names, but '{}' is there twice", kernels[i].name));
  return kernels;
}

bool DeviceCode::parseName(std::string_view entry, Image &image) {
  if (!entry.starts_with(format::kernelPrefix))
    return false;
  for (const auto &[suffix, kind] : suffixes)
    if (entry.ends_with(suffix)) {
      entry.remove_prefix(format::kernelPrefix.size());
      entry.remove_suffix(suffix.size());
      image.kind = kind;
      image.architecture = entry;
      return true;
    }
  return false;
}

const DeviceKernel *DeviceCode::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(kernels, name, {}, &DeviceKernel::name);
  return found != kernels.end() && found->name == name ? &*found : nullptr;
}

const DeviceCode::Image *DeviceCode::find(Kind kind, std::string_view architecture) const {
  const auto found = std::ranges::find_if(
      images, [&](const Image &image) { return image.kind == kind && image.architecture == architecture; });
  return found != images.end() ? &*found : nullptr;
}

} // namespace bifocal
