// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_FUZZ_FUZZ_H
#define BIFOCAL_TEST_FUZZ_FUZZ_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifocal::fuzz {

/// What libFuzzer gives, as bytes and as text.
inline std::span<const std::byte> bytesOf(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const std::byte *>(data), size};
}
inline std::string_view textOf(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

/// Ends the process unless `holds`: libFuzzer keeps the input.
void expect(bool holds, const char *what);

/// A loader that refuses says why, and with a code of its documentation.
void expectReason(const Status &status);

/// A file in memory with these bytes, for loaders that want a path. Every call gives the same path with new bytes.
std::string fileInMemory(std::span<const std::byte> bytes);

/// A folder in memory, gone at the end of the process.
struct Folder {
  Folder();
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;
  ~Folder();

  /// Makes `name` a file of these bytes.
  void write(const std::string &name, std::span<const std::byte> bytes) const;

  std::string path = "/dev/shm/bifocal-fuzz-XXXXXX";
};

} // namespace bifocal::fuzz
#endif
