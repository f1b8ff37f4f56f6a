// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Npy.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Result<HostTensor> tensor = parseNpy(bytesOf(data, size));
  if (!tensor.ok()) {
    expectReason(tensor.status());
    return 0;
  }
  expect(tensor->data.size() <= size, "a tensor is no larger than its file");
  for (int64_t i = 0; i < tensor->elements(); ++i)
    tensor->at(i);
  return 0;
}
