// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/DeviceCode.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// The table of the kernels for GPUs.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Result<std::vector<DeviceKernel>> kernels = DeviceCode::parseTable(textOf(data, size));
  if (!kernels.ok()) {
    expectReason(kernels.status());
    return 0;
  }
  DeviceCode code;
  code.kernels = kernels.take();
  for (const DeviceKernel &kernel : code.kernels) {
    expect(code.find(kernel.name) == &kernel, "every kernel is found by its name");
    expect(kernel.warps >= 1 && kernel.warps <= format::mostWarps, "a block has warps, and not too many");
    expect(kernel.sharedBytes >= 0 && kernel.sharedBytes <= format::mostSharedBytes, "shared memory is there");
  }
  return 0;
}
