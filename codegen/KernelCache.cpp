// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/KernelCache.h"

#include "codegen/cuda/PtxAssembler.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "runtime/core/File.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <link.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <sys/stat.h>
#include <xxhash.h>

using namespace mlir;
using nlohmann::json;
namespace fs = std::filesystem;

namespace bifocal {

constexpr StringLiteral suffix = ".kernels";
constexpr uintmax_t mostBytes = uintmax_t{1} << 30;

static std::string digestOf(StringRef bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

/// Tells versions of a program apart without reading it.
static std::string identityOf(const std::string &path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return path;
  return fmt::format("{} {} {}.{:09}", path, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

/// This program with every library that it has loaded, LLVM's among them, and the linker.
static std::string identityOfCompiler() {
  std::string text = identityOf("/proc/self/exe") + "\n" + identityOf(BIFOCAL_LINKER) + "\n";
  ::dl_iterate_phdr(
      [](dl_phdr_info *object, size_t, void *text) {
        if (object->dlpi_name && *object->dlpi_name)
          *static_cast<std::string *>(text) += identityOf(object->dlpi_name) + "\n";
        return 0;
      },
      &text);
  return text;
}

KernelCache::KernelCache() {
  const char *given = std::getenv("BIFOCAL_CACHE_DIR"), *cache = std::getenv("XDG_CACHE_HOME"),
             *home = std::getenv("HOME");
  if (given)
    folder = given;
  else if (cache && *cache)
    folder = std::string(cache) + "/bifocal";
  else if (home && *home)
    folder = std::string(home) + "/.cache/bifocal";
}

/// Empty where the kernels cannot be written as bytecode.
static std::string keyOf(Operation *kernels, StringRef target) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << BIFOCAL_VERSION << '\n' << identityOfCompiler() << target << '\n';
  if (llvm::Expected<std::string> ptxas = findPtxas())
    stream << identityOf(*ptxas) << '\n';
  else
    llvm::consumeError(ptxas.takeError());
  if (failed(writeBytecodeToFile(kernels, stream)))
    return "";
  return digestOf(text);
}

/// A file is its digest and the files in CBOR.
static std::optional<KernelFiles> read(const std::string &path) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return std::nullopt;
  const std::span<const std::byte> bytes = (*file)->bytes();
  const StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  constexpr size_t digestLength = 32;
  if (text.size() < digestLength || digestOf(text.drop_front(digestLength)) != text.take_front(digestLength))
    return std::nullopt;
  const json content = json::from_cbor(text.begin() + digestLength, text.end(), /*strict=*/true,
                                       /*allow_exceptions=*/false);
  if (!content.is_object())
    return std::nullopt;
  KernelFiles files;
  for (const auto &[name, value] : content.items()) {
    if (!value.is_binary())
      return std::nullopt;
    files[name].assign(value.get_binary().begin(), value.get_binary().end());
  }
  return files;
}

static std::string written(const KernelFiles &files) {
  json content = json::object();
  for (const auto &[name, bytes] : files)
    content[name] = json::binary({bytes.begin(), bytes.end()});
  std::string text;
  json::to_cbor(content, text);
  return digestOf(text) + text;
}

/// Makes room: the files that were not used for the longest time go.
static void forgetOldest(const std::string &folder) {
  struct Entry {
    fs::file_time_type time;
    uintmax_t bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  uintmax_t total = 0;
  std::error_code error;
  for (const fs::directory_entry &file : fs::directory_iterator(folder, error))
    if (file.path().extension() == suffix.str()) {
      entries.push_back({file.last_write_time(error), file.file_size(error), file.path()});
      total += entries.back().bytes;
    }
  llvm::sort(entries, [](const Entry &a, const Entry &b) { return a.time < b.time; });
  for (const Entry &entry : entries) {
    if (total <= mostBytes)
      return;
    fs::remove(entry.path, error);
    total -= entry.bytes;
  }
}

llvm::Expected<KernelFiles> KernelCache::get(Operation *kernels, StringRef target,
                                             llvm::function_ref<llvm::Expected<KernelFiles>()> make) const {
  const std::string key = folder.empty() ? "" : keyOf(kernels, target);
  if (key.empty())
    return make();
  const std::string path = folder + "/" + key + suffix.str();
  std::error_code ignored;
  if (std::optional<KernelFiles> files = read(path)) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
    return std::move(*files);
  }
  llvm::Expected<KernelFiles> files = make();
  if (!files)
    return files;
  fs::create_directories(folder, ignored);
  const std::string text = written(*files);
  if (writeFileAtomically(path, std::as_bytes(std::span(text))).ok())
    forgetOldest(folder);
  return files;
}

} // namespace bifocal
