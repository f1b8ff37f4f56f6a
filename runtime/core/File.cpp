// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/File.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bifocal {
namespace {

Status fileError(const char *action, const std::string &path) {
  return {StatusCode::cannotRead, fmt::format("cannot {} '{}': {}", action, path, std::strerror(errno))};
}

/// A pipe or a device, which keeps nothing and which a rename would turn into a file.
bool isStream(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/// Where a link leads: a rename would put a file in place of the link.
std::string withoutLinks(const std::string &path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error))
    return path;
  const std::filesystem::path target = std::filesystem::canonical(path, error);
  return error ? path : target.string();
}

/// Closes its descriptor on every way out.
struct Descriptor {
  int number = -1;
  explicit Descriptor(int number) : number(number) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (number > STDERR_FILENO)
      ::close(number);
  }
};

} // namespace

Result<std::vector<std::byte>> readFile(const std::string &path, size_t limit) {
  const Descriptor file(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number < 0)
    return fileError("open", path);
  std::vector<std::byte> bytes;
  struct stat info;
  const auto tooLarge = [&] {
    return Status(StatusCode::malformed, fmt::format("expects '{}' to have at most {} bytes", path, limit));
  };
  if (::fstat(file.number, &info) == 0 && info.st_size > 0) {
    if (static_cast<size_t>(info.st_size) > limit)
      return tooLarge();
    bytes.reserve(static_cast<size_t>(info.st_size) + 1);
  }
  size_t used = 0;
  for (;;) {
    constexpr size_t chunk = 1 << 16;
    bytes.resize(std::max(bytes.capacity(), used + chunk));
    const ssize_t got = ::read(file.number, bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fileError("read", path);
    used += static_cast<size_t>(got);
    if (used > limit)
      return tooLarge();
    if (got == 0)
      break;
  }
  bytes.resize(used);
  return bytes;
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string &path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number < 0)
    return fileError("open", path);
  struct stat info;
  if (::fstat(file.number, &info) != 0)
    return fileError("read", path);
  if (!S_ISREG(info.st_mode))
    return Status(StatusCode::cannotRead, fmt::format("expects '{}' to be a regular file", path));
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0)
    return std::shared_ptr<const MappedFile>(new MappedFile(std::span<const std::byte>()));
  void *address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED)
    return fileError("map", path);
  return std::shared_ptr<const MappedFile>(new MappedFile(std::span(static_cast<const std::byte *>(address), size)));
}

Result<std::shared_ptr<const MappedFile>> MappedFile::openOrRead(const std::string &path) {
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_regular_file(path, ignored))
    return open(path);
  Result<std::vector<std::byte>> bytes = readFile(path);
  if (!bytes.ok())
    return bytes.status();
  return std::shared_ptr<const MappedFile>(new MappedFile(bytes.take()));
}

MappedFile::~MappedFile() {
  if (read_.empty() && !bytes_.empty())
    ::munmap(const_cast<std::byte *>(bytes_.data()), bytes_.size());
}

Result<std::unique_ptr<AtomicFile>> AtomicFile::create(const std::string &given) {
  const std::string path = withoutLinks(given);
  if (isStream(path)) {
    const int stream = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (stream < 0)
      return fileError("open", path);
    return std::unique_ptr<AtomicFile>(new AtomicFile(path, /*temporary=*/"", stream));
  }
  std::string temporary = path + ".partial-XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0)
    return fileError("create a file beside", path);
  // mkostemp makes private files; what is committed has the rights that any new file would have.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor, 0666 & ~mask);
  return std::unique_ptr<AtomicFile>(new AtomicFile(path, std::move(temporary), descriptor));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0)
    return;
  ::close(descriptor_);
  if (!temporary_.empty())
    ::unlink(temporary_.c_str());
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return fileError("write", temporary_.empty() ? path_ : temporary_);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AtomicFile::commit() {
  if (temporary_.empty()) {
    if (::close(std::exchange(descriptor_, -1)) != 0)
      return fileError("close", path_);
    return {};
  }
  if (::fsync(descriptor_) != 0)
    return fileError("sync", temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return fileError("replace", path_);
  ::close(std::exchange(descriptor_, -1));
  // The rename itself is durable only when the folder is.
  std::string folder = std::filesystem::path(path_).parent_path().string();
  const Descriptor directory(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.number < 0 || ::fsync(directory.number) != 0)
    return fileError("sync the folder of", path_);
  return {};
}

Status writeFileAtomically(const std::string &path, std::span<const std::byte> bytes) {
  Result<std::unique_ptr<AtomicFile>> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  BIFOCAL_RETURN_IF_ERROR((*file)->write(bytes));
  return (*file)->commit();
}

} // namespace bifocal
