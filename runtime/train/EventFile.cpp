// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/EventFile.h"

#include "runtime/core/File.h"
#include "runtime/core/Varint.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace bifocal {
namespace {

constexpr std::string_view prefix = "events.out.tfevents.";
constexpr size_t headerBytes = 12, footerBytes = 4; ///< length and its checksum; the checksum of the data

// Numbers of fields in tensorflow.Event, .Summary, .Summary.Value and .SessionLog.
enum EventField : uint32_t { wallTime = 1, stepNumber = 2, fileVersion = 3, summary = 5, sessionLog = 7 };
enum WireType : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr std::array<uint32_t, 256> makeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}

template <typename T> void appendRaw(std::string &out, T value) {
  out.append(reinterpret_cast<const char *>(&value), sizeof value);
}

void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 128; value >>= 7)
    out.push_back(static_cast<char>(value | 128));
  out.push_back(static_cast<char>(value));
}

void appendKey(std::string &out, uint32_t field, WireType type) { appendVarint(out, field << 3 | type); }

void appendBytes(std::string &out, uint32_t field, std::string_view value) {
  appendKey(out, field, bytes);
  appendVarint(out, value.size());
  out += value;
}

std::string beginEvent(int64_t step) {
  std::string event;
  appendKey(event, wallTime, fixed64);
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  appendRaw(event, now.count());
  appendKey(event, stepNumber, varint);
  appendVarint(event, static_cast<uint64_t>(step));
  return event;
}

std::string encode(const Scalar &scalar) {
  std::string value;
  appendBytes(value, 1, scalar.tag);
  appendKey(value, 2, fixed32);
  appendRaw(value, scalar.value);
  return value;
}

/// Checksums of data that may itself hold checksums are rotated and offset.
uint32_t maskedCrc(std::string_view data) {
  return std::rotr(crc32c(std::as_bytes(std::span(data))), 15) + 0xa282ead8u;
}

/// The step of an event; 0 where it has none, which is how protocol buffers write a 0.
int64_t stepOf(std::string_view event) {
  while (const std::optional<uint64_t> key = readVarint(event)) {
    const auto type = static_cast<WireType>(*key & 7);
    std::optional<uint64_t> value = type == varint || type == bytes ? readVarint(event) : 0;
    if (!value)
      return 0;
    if (*key >> 3 == stepNumber && type == varint)
      return static_cast<int64_t>(*value);
    const size_t size = type == bytes ? *value : type == fixed64 ? 8 : type == fixed32 ? 4 : 0;
    event.remove_prefix(std::min(size, event.size()));
  }
  return 0;
}

/// How much of an event file belongs to steps up to `step`, in whole records.
size_t lengthUpTo(std::string_view text, int64_t step) {
  size_t end = 0;
  while (text.size() - end >= headerBytes + footerBytes) {
    uint64_t length = 0;
    uint32_t crc = 0;
    const std::string_view rest = text.substr(end);
    std::memcpy(&length, rest.data(), sizeof length);
    std::memcpy(&crc, rest.data() + sizeof length, sizeof crc);
    if (crc != maskedCrc(rest.substr(0, sizeof length)) || length > rest.size() - headerBytes - footerBytes ||
        stepOf(rest.substr(headerBytes, length)) > step)
      break;
    end += headerBytes + length + footerBytes;
  }
  return end;
}

Status fileError(std::string_view action, const std::string &path, int error) {
  return {StatusCode::cannotRead, fmt::format("cannot {} '{}': {}", action, path, std::strerror(error))};
}

std::vector<std::filesystem::path> eventFiles(const std::string &folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto &entry : std::filesystem::directory_iterator(folder, error))
    if (entry.is_regular_file(error) && entry.path().filename().string().starts_with(prefix))
      files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

Status cutOff(const std::filesystem::path &path, int64_t step) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(path.string());
  if (!file.ok())
    return file.status();
  const std::span<const std::byte> bytes = (*file)->bytes();
  const size_t length = lengthUpTo({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, step);
  if (length < bytes.size() && ::truncate(path.c_str(), static_cast<off_t>(length)) != 0)
    return fileError("shorten", path.string(), errno);
  return {};
}

/// A name after those of all files that are there, whatever the clock says.
std::string nextName(const std::vector<std::filesystem::path> &files) {
  int64_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const std::filesystem::path &file : files) {
    const std::string name = file.filename().string().substr(prefix.size());
    int64_t other = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), other).ec == std::errc() && other < 9'999'999'999)
      seconds = std::max(seconds, other + 1);
  }
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) != 0 || host[0] == 0)
    std::strcpy(host, "localhost");
  return fmt::format("{}{:010}.{}.{}", prefix, seconds, host, ::getpid());
}

} // namespace

uint32_t crc32c(std::span<const std::byte> bytes) {
  static constexpr std::array<uint32_t, 256> table = makeCrcTable();
  uint32_t crc = ~0u;
  for (std::byte byte : bytes)
    crc = table[(crc ^ static_cast<uint32_t>(byte)) & 255] ^ crc >> 8;
  return ~crc;
}

bool EventFile::anyIn(const std::string &folder) { return !eventFiles(folder).empty(); }

Result<std::unique_ptr<EventFile>> EventFile::create(const std::string &folder, int64_t step) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    return fileError("create", folder, error.value());
  const std::vector<std::filesystem::path> files = eventFiles(folder);
  for (const std::filesystem::path &file : files)
    BIFOCAL_RETURN_IF_ERROR(cutOff(file, step));
  const std::string path = folder + "/" + nextName(files);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return fileError("create", path, errno);
  std::unique_ptr<EventFile> file(new EventFile(path, descriptor));
  std::string version = beginEvent(0);
  appendBytes(version, fileVersion, "brain.Event:2");
  BIFOCAL_RETURN_IF_ERROR(file->append(version));
  // Tells a TensorBoard that is running, and has read what was cut off, to forget it.
  std::string start, session = beginEvent(step + 1);
  appendKey(start, 1, varint);
  appendVarint(start, 1);
  appendBytes(session, sessionLog, start);
  BIFOCAL_RETURN_IF_ERROR(file->append(session));
  return file;
}

EventFile::~EventFile() { ::close(descriptor_); }

Status EventFile::write(int64_t step, std::span<const Scalar> scalars) {
  std::string values, event = beginEvent(step);
  for (const Scalar &scalar : scalars)
    appendBytes(values, 1, encode(scalar));
  appendBytes(event, summary, values);
  return append(event);
}

Status EventFile::append(const std::string &event) {
  std::string record;
  appendRaw(record, static_cast<uint64_t>(event.size()));
  appendRaw(record, maskedCrc(record));
  record += event;
  appendRaw(record, maskedCrc(event));
  for (size_t done = 0; done < record.size();) {
    const ssize_t written = ::write(descriptor_, record.data() + done, record.size() - done);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0) {
      const int error = errno;
      if (::ftruncate(descriptor_, size_) == 0)
        ::lseek(descriptor_, size_, SEEK_SET);
      return fileError("write", path_, error);
    }
    done += static_cast<size_t>(written);
  }
  size_ += static_cast<int64_t>(record.size());
  return {};
}

} // namespace bifocal
