// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Safetensors.h"
#include "test/Fuzz/Fuzz.h"

#include <vector>

using namespace bifocal;
using namespace bifocal::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::span<const std::byte> bytes = bytesOf(data, size);
  const Result<Safetensors> file = Safetensors::fromBytes(bytes);
  if (!file.ok()) {
    expectReason(file.status());
    return 0;
  }
  for (const auto &[name, entry] : file->tensors()) {
    expect(entry.data.data() >= bytes.data() && entry.data.data() + entry.data.size() <= bytes.data() + size,
           "tensors are within the file");
    std::vector<float> floats(static_cast<size_t>(entry.elements()));
    std::vector<int64_t> integers(floats.size());
    const bool isFloat = file->readFloats(name, floats).ok(), isInteger = file->readIntegers(name, integers).ok();
    expect(!(isFloat && isInteger), "a tensor has one type");
  }
  return 0;
}
