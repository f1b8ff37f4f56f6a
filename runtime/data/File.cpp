// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/File.h"

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

Status cannot(std::string_view verb, const std::string &path, int error) {
  return Status(StatusCode::cannotRead, fmt::format("cannot {} '{}': {}", verb, path, std::strerror(error)));
}

/// Makes a rename durable.
void syncFolder(const std::string &path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return;
  ::fsync(folder);
  ::close(folder);
}

} // namespace

Result<std::string> readFile(const std::string &path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return cannot("read", path, errno);
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0) {
      const int error = errno;
      ::close(descriptor);
      return cannot("read", path, error);
    }
    if (count == 0)
      break;
    content.append(buffer, static_cast<size_t>(count));
  }
  ::close(descriptor);
  return content;
}

std::vector<std::string> splitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r')
      line.remove_suffix(1);
    lines.emplace_back(line);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

Result<std::vector<std::string>> readLines(const std::string &path) {
  Result<std::string> text = readFile(path);
  if (!text.ok())
    return text.status();
  return splitLines(*text);
}

void FileWriter::write(const void *data, size_t bytes) {
  const char *next = static_cast<const char *>(data);
  while (bytes > 0 && error_ == 0) {
    const ssize_t count = ::write(descriptor_, next, bytes);
    if (count < 0) {
      if (errno != EINTR)
        error_ = errno;
      continue;
    }
    next += count;
    bytes -= static_cast<size_t>(count);
  }
}

Status writeFileAtomically(const std::string &path, const std::function<void(FileWriter &)> &produce) {
  const std::string temporary = path + ".partial";
  const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return cannot("write", temporary, errno);
  FileWriter writer(descriptor);
  produce(writer);
  int error = writer.error();
  if (error == 0 && ::fsync(descriptor) != 0)
    error = errno;
  if (::close(descriptor) != 0 && error == 0)
    error = errno;
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0)
    error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    return cannot("write", path, error);
  }
  syncFolder(path);
  return Status();
}

Status writeFileAtomically(const std::string &path, std::string_view content) {
  return writeFileAtomically(path, [&](FileWriter &writer) { writer.write(content); });
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return cannot("read", path, errno);
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    const int error = S_ISREG(info.st_mode) ? errno : EINVAL;
    ::close(descriptor);
    return cannot("read", path, error);
  }
  MappedFile file;
  if (info.st_size > 0) {
    void *memory = ::mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (memory == MAP_FAILED) {
      const int error = errno;
      ::close(descriptor);
      return cannot("map", path, error);
    }
    file.bytes_ = {static_cast<const std::byte *>(memory), static_cast<size_t>(info.st_size)};
  }
  ::close(descriptor);
  return Result<MappedFile>(std::move(file));
}

MappedFile::MappedFile(MappedFile &&other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty())
    ::munmap(const_cast<std::byte *>(bytes_.data()), bytes_.size());
}

} // namespace bifocal
