// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_EMULATEDDRIVER_H
#define BIFOCAL_CODEGEN_EMULATOR_EMULATEDDRIVER_H

#include "codegen/emulator/Launch.h"
#include "runtime/core/Device.h"
#include "runtime/cuda/Driver.h"

#include <memory>

namespace bifocal::emulator {

/// A GPU that is the emulator. A launch may access its own buffers and nothing else; the first launch with findings
/// fails with all of them. Products are computed by the host, element by element as a chain of fused multiply-adds.
std::unique_ptr<cuda::Driver> makeEmulatedDriver(const LaunchOptions &options = {});

/// The device `cuda-emu`: the device `cuda` over this driver.
std::unique_ptr<Device> makeEmulatedDevice(const LaunchOptions &options = {});

} // namespace bifocal::emulator
#endif
