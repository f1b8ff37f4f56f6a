// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_FILE_H
#define BIFOCAL_RUNTIME_DATA_FILE_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// The whole content of a file.
Result<std::string> readFile(const std::string &path);

/// The lines of UTF-8 text without their ends (\n or \r\n). A last line needs no end.
std::vector<std::string> splitLines(std::string_view text);

/// The lines of a file.
Result<std::vector<std::string>> readLines(const std::string &path);

/// Writes pieces of a file; the first error sticks and is reported by `writeFileAtomically`.
class FileWriter {
public:
  explicit FileWriter(int descriptor) : descriptor_(descriptor) {}
  void write(const void *data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  bool failed() const { return error_ != 0; }
  int error() const { return error_; }

private:
  int descriptor_;
  int error_ = 0;
};

/// Creates or replaces `path` so that a reader, and a machine that stops at any moment, sees the old or the new content
/// and nothing between: writes to a file beside it, syncs, renames.
Status writeFileAtomically(const std::string &path, const std::function<void(FileWriter &)> &produce);
Status writeFileAtomically(const std::string &path, std::string_view content);

/// A file mapped for reading.
class MappedFile {
public:
  static Result<MappedFile> open(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

private:
  MappedFile() = default;
  std::span<const std::byte> bytes_;
};

} // namespace bifocal
#endif
