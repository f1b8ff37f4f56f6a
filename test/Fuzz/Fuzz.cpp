// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Fuzz/Fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <unistd.h>

namespace bifocal::fuzz {

void expect(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "expects that %s\n", what);
  std::abort();
}

void expectReason(const Status &status) {
  expect(!status.message().empty(), "an error has a message");
  switch (status.code()) {
  case StatusCode::diagnostics:
  case StatusCode::usage:
  case StatusCode::malformed:
  case StatusCode::unsupported:
    return;
  default:
    expect(false, "content is at fault, and nothing else");
  }
}

std::string fileInMemory(std::span<const std::byte> bytes) {
  static const int descriptor = ::memfd_create("fuzz", MFD_CLOEXEC);
  expect(::ftruncate(descriptor, 0) == 0 &&
             ::pwrite(descriptor, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
         "there is room for a file in memory");
  return "/proc/self/fd/" + std::to_string(descriptor);
}

Folder::Folder() { expect(::mkdtemp(path.data()) != nullptr, "there is room in memory for a folder"); }

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

void Folder::write(const std::string &name, std::span<const std::byte> bytes) const {
  const int file = ::open((path + "/" + name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  expect(::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "the folder can be written");
  ::close(file);
}

} // namespace bifocal::fuzz
