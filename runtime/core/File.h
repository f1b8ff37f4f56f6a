// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_FILE_H
#define BIFOCAL_RUNTIME_CORE_FILE_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bifocal {

/// Reads a whole file; "-" is stdin. Files above `limit` bytes are refused.
Result<std::vector<std::byte>> readFile(const std::string &path, size_t limit = size_t{1} << 32);

/// A file mapped for reading. Pages come from the page cache as they are touched, so a large file takes no memory.
class MappedFile {
public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string &path);
  /// As `open`; what cannot be mapped, such as a pipe, is read as `readFile` does. "-" is stdin.
  static Result<std::shared_ptr<const MappedFile>> openOrRead(const std::string &path);
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  explicit MappedFile(std::vector<std::byte> read) : read_(std::move(read)), bytes_(read_) {}
  std::vector<std::byte> read_; ///< of a file that is not mapped
  std::span<const std::byte> bytes_;
};

/// Writes a file so that readers, and a machine that loses power, see the old content or the new one and nothing in
/// between: the bytes go to a temporary file beside it, which `commit` syncs and renames. Without a commit nothing
/// stays. A link is followed; a pipe or a device, such as /dev/null, is written as it is.
class AtomicFile {
public:
  static Result<std::unique_ptr<AtomicFile>> create(const std::string &path);
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  Status commit();

private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}
  std::string path_, temporary_; ///< no temporary: the path itself is written
  int descriptor_;
};

/// AtomicFile in one call.
Status writeFileAtomically(const std::string &path, std::span<const std::byte> bytes);

} // namespace bifocal
#endif
