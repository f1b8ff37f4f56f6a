// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_ALLOCATIONCOUNTER_H
#define BIFOCAL_BENCH_ALLOCATIONCOUNTER_H

#include <cstdint>

namespace bifocal {

/// Heap allocations since the program started, over all threads, by who asked for them. A program that links this has
/// its malloc and operator new replaced by counting ones. Under a sanitizer nothing is counted.
struct AllocationCount {
  int64_t ours = 0;    ///< Bifocal, the standard library and the C library
  int64_t library = 0; ///< asked for by oneDNN, inside its calls
};

AllocationCount allocationCount();

/// False under a sanitizer, which needs malloc for itself.
bool allocationsAreCounted();

} // namespace bifocal
#endif
