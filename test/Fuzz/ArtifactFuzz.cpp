// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Artifact.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// The archive. What is in it is under checksums and digests, which hide it from chance: see PlanFuzz.cpp.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(bytesOf(data, size));
  if (!artifact.ok()) {
    expectReason(artifact.status());
    return 0;
  }
  size_t bytes = 0;
  for (const Artifact::HostObject &object : (*artifact)->hostObjects())
    bytes += object.bytes.size();
  expect(bytes <= size, "no entry of an archive is larger than the archive");
  return 0;
}
