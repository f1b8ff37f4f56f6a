// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_CPUDEVICE_H
#define BIFOCAL_RUNTIME_CPU_CPUDEVICE_H

#include "runtime/core/Device.h"

#include <memory>
#include <string>
#include <vector>

namespace bifocal {

struct CpuOptions {
  int threads = 0;        ///< 0: as many as OpenMP would take (OMP_NUM_THREADS, or all cores)
  std::string level = {}; ///< empty: the best level of the artifact that this CPU has
};

/// This machine's processor: kernels are loaded from the artifact's shared object, products too.
std::unique_ptr<Device> makeCpuDevice(const CpuOptions &options = {});

/// The levels of `format::hostLevels` that this CPU can run, the best last.
std::vector<std::string> runnableLevels();

/// The last of them; on a CPU that can run none, the lowest there is.
std::string nativeLevel();

/// Whether `level` is one of them.
bool cpuHasLevel(std::string_view level);

} // namespace bifocal
#endif
