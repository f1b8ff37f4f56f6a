// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_CPUDEVICE_H
#define BIFOCAL_RUNTIME_CPU_CPUDEVICE_H

#include "runtime/core/Device.h"

#include <memory>
#include <string>

namespace bifocal {

struct CpuOptions {
  int threads = 0;        ///< 0: as many as OpenMP would take (OMP_NUM_THREADS, or all cores)
  std::string level = {}; ///< empty: the best level of the artifact that this CPU has
};

/// This machine's processor: kernels are loaded from the artifact's shared object, products too.
std::unique_ptr<Device> makeCpuDevice(const CpuOptions &options = {});

/// Whether this CPU has all instructions of a level ("x86-64-v3", "x86-64-v4").
bool cpuHasLevel(std::string_view level);

} // namespace bifocal
#endif
