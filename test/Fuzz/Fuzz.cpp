// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Fuzz/Fuzz.h"

#include <cstdio>
#include <cstdlib>
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

} // namespace bifocal::fuzz
