// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Artifact.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/File.h"

#include <fmt/format.h>
#include <xxhash.h>
#include <zip.h>

namespace bifocal {
namespace {

Status malformed(std::string message) { return {StatusCode::malformed, std::move(message)}; }

/// A zip archive over bytes that somebody else holds.
class Archive {
public:
  static Result<std::unique_ptr<Archive>> open(std::span<const std::byte> bytes) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    zip_t *archive = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : nullptr;
    if (!archive) {
      Status status = malformed(fmt::format("expects a zip archive: {}", zip_error_strerror(&error)));
      if (source)
        zip_source_free(source);
      zip_error_fini(&error);
      return status;
    }
    zip_error_fini(&error);
    return std::unique_ptr<Archive>(new Archive(archive, bytes.size()));
  }
  Archive(const Archive &) = delete;
  Archive &operator=(const Archive &) = delete;
  ~Archive() { zip_discard(archive_); }

  std::vector<std::string> entries() const {
    std::vector<std::string> names;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive_, 0); ++i)
      if (const char *name = zip_get_name(archive_, static_cast<zip_uint64_t>(i), 0))
        names.emplace_back(name);
    return names;
  }

  bool has(const std::string &name) const { return zip_name_locate(archive_, name.c_str(), 0) >= 0; }

  /// The content of an entry; to be read once.
  Result<std::vector<std::byte>> read(const std::string &name) {
    zip_stat_t info;
    if (zip_stat(archive_, name.c_str(), 0, &info) != 0)
      return malformed(fmt::format("expects the entry '{}'", name));
    constexpr zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if ((info.valid & needed) != needed || info.comp_method != ZIP_CM_STORE)
      return malformed(fmt::format("expects the entry '{}' to be stored, not compressed", name));
    // Stored entries that share no bytes cannot be larger than the archive: a bound before anything is allocated.
    if (info.size > unread_)
      return malformed(fmt::format("expects the {} bytes of '{}' among the {} that other entries leave of the archive",
                                   info.size, name, unread_));
    unread_ -= info.size;
    std::vector<std::byte> bytes(info.size);
    zip_file_t *file = zip_fopen(archive_, name.c_str(), 0);
    if (!file)
      return malformed(fmt::format("expects the entry '{}' to be readable: {}", name, zip_strerror(archive_)));
    zip_uint64_t used = 0;
    zip_int64_t got = 0;
    while (used < info.size && (got = zip_fread(file, bytes.data() + used, info.size - used)) > 0)
      used += static_cast<zip_uint64_t>(got);
    // libzip compares the checksum only when the end of the entry is read.
    std::byte end;
    const bool complete = used == info.size && zip_fread(file, &end, 1) == 0;
    zip_fclose(file);
    if (!complete)
      return malformed(fmt::format("expects the {} bytes of '{}' to match their checksum", info.size, name));
    return bytes;
  }

private:
  Archive(zip_t *archive, size_t size) : archive_(archive), unread_(size) {}
  zip_t *archive_;
  size_t unread_; ///< bytes of the archive that no entry was read from
};

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

Result<std::vector<std::byte>> readChecked(Archive &archive, const Manifest &manifest, const std::string &name) {
  Result<std::vector<std::byte>> bytes = archive.read(name);
  if (!bytes.ok())
    return bytes.status();
  const auto expected = manifest.digests.find(name);
  if (expected == manifest.digests.end())
    return malformed(fmt::format("expects a digest for '{}' in the manifest", name));
  if (const std::string actual = digest(*bytes); actual != expected->second)
    return malformed(fmt::format("expects '{}' to have the digest {}, but it has {}: the file is damaged", name,
                                 expected->second, actual));
  return bytes;
}

} // namespace

std::string digest(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

Result<std::shared_ptr<const Artifact>> Artifact::open(const std::string &path) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::openOrRead(path);
  if (!file.ok())
    return file.status();
  Result<std::shared_ptr<const Artifact>> artifact = fromBytes((*file)->bytes());
  if (!artifact.ok())
    return Status(artifact.status().code(), fmt::format("'{}': {}", path, artifact.status().message()));
  return artifact;
}

Result<std::shared_ptr<const Artifact>> Artifact::fromBytes(std::span<const std::byte> bytes) {
  Result<std::unique_ptr<Archive>> opened = Archive::open(bytes);
  if (!opened.ok())
    return opened.status();
  Archive &archive = **opened;
  std::shared_ptr<Artifact> artifact(new Artifact);

  Result<std::vector<std::byte>> manifestText = archive.read(std::string(format::manifestEntry));
  if (!manifestText.ok())
    return manifestText.status();
  Result<Manifest> manifest = Manifest::parse(text(*manifestText));
  if (!manifest.ok())
    return manifest.status();
  artifact->manifest_ = manifest.take();

  Result<std::vector<std::byte>> planText = readChecked(archive, artifact->manifest_, std::string(format::planEntry));
  if (!planText.ok())
    return planText.status();
  Result<Plan> plan = Plan::parse(text(*planText), artifact->manifest_);
  if (!plan.ok())
    return plan.status();
  artifact->plan_ = plan.take();

  for (const std::string &name : archive.entries()) {
    DeviceCode::Image image;
    const std::string_view view = name;
    const bool isObject = view.starts_with(format::hostPrefix) && view.ends_with(format::hostSuffix);
    const bool isTable = view == format::kernelTableEntry, isImage = DeviceCode::parseName(view, image);
    if (!isObject && !isTable && !isImage)
      continue;
    Result<std::vector<std::byte>> content = readChecked(archive, artifact->manifest_, name);
    if (!content.ok())
      return content.status();
    if (isTable) {
      Result<std::vector<DeviceKernel>> kernels = DeviceCode::parseTable(text(*content));
      if (!kernels.ok())
        return kernels.status();
      artifact->deviceCode_.kernels = kernels.take();
    } else if (isImage) {
      image.bytes = content.take();
      artifact->deviceCode_.images.push_back(std::move(image));
    } else {
      const size_t length = view.size() - format::hostPrefix.size() - format::hostSuffix.size();
      artifact->hostObjects_.push_back({std::string(view.substr(format::hostPrefix.size(), length)), content.take()});
    }
  }
  // An entry that the manifest has a digest for must be there: it may be what this machine needs.
  for (const auto &[name, unused] : artifact->manifest_.digests)
    if (!archive.has(name))
      return malformed(fmt::format("expects the entry '{}' that the manifest lists", name));
  return std::shared_ptr<const Artifact>(std::move(artifact));
}

} // namespace bifocal
