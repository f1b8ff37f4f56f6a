// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/common/Devices.h"

#include "runtime/cuda/CudaDevice.h"
#if BIFOCAL_HAS_EMULATOR
#include "codegen/emulator/EmulatedDriver.h"
#endif

#include <CLI/CLI.hpp>

namespace bifocal::tools {

void DeviceOptions::add(CLI::App &verb) {
  verb.add_option("--device", device,
                  "cpu; cuda: the first NVIDIA GPU; cuda-emu: the same kernels on the CPU, every access checked")
      ->check(CLI::IsMember({"cpu", "cuda", "cuda-emu"}))
      ->capture_default_str()
      ->group("Device");
  verb.add_option("--threads", cpu.threads, "Threads of the CPU; 0: all cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group("Device");
  verb.add_option("--level", cpu.level, "CPU level of the kernels, e.g. x86-64-v3; default: the best there is")
      ->group("Device");
}

Result<std::unique_ptr<Device>> DeviceOptions::open() const {
  if (device == "cpu")
    return makeCpuDevice(cpu);
  if (device == "cuda")
    return makeCudaDevice();
#if BIFOCAL_HAS_EMULATOR
  return emulator::makeEmulatedDevice();
#else
  return Status(StatusCode::deviceUnavailable, "the emulator of GPUs needs LLVM, which is not part of this program");
#endif
}

} // namespace bifocal::tools
