// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_ALLOCATIONCOUNTER_H
#define BIFOCAL_BENCH_ALLOCATIONCOUNTER_H

#include <cstdint>
#include <string>

namespace bifocal {

/// Heap allocations since the program started, over all threads and libraries but for those of `setDriversApart`. A
/// program that links this has its malloc and operator new replaced by counting ones. Under a sanitizer nothing is
/// counted.
int64_t allocationCount();

/// Where the last of these was called from: a library or program, and how far behind its beginning.
std::string lastAllocation();

/// From here on what the NVIDIA driver and its libraries of products allocate for themselves is counted apart.
void setDriversApart();
int64_t driverAllocationCount();

/// False under a sanitizer, which needs malloc for itself.
bool allocationsAreCounted();

} // namespace bifocal
#endif
