// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/CpuDevice.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace bifocal;

namespace {

// The caches of a decoder have room for hypotheses that are finished by then.
TEST(CpuDevice, sparseMemoryOfWhichLittleIsTouchedIsSmall) {
  constexpr size_t hugePage = 2 << 20, areas = 16;
  const std::unique_ptr<Device> device = makeCpuDevice({.threads = 1});
  // One more: a huge page may begin anywhere in the first one.
  const Result<std::unique_ptr<DeviceMemory>> memory = device->allocate((areas + 1) * hugePage, MemoryUse::sparse);
  ASSERT_TRUE(memory.ok()) << memory.status().message();
  for (size_t area = 0; area < areas; ++area)
    (*memory)->data()[area * hugePage] = std::byte(1);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident((*memory)->size() / page);
  ASSERT_EQ(::mincore((*memory)->data(), (*memory)->size(), resident.data()), 0);
  EXPECT_EQ(std::count(resident.begin(), resident.end(), 1), static_cast<std::ptrdiff_t>(areas));
}

} // namespace
