// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CUDA_CUDADEVICE_H
#define BIFOCAL_RUNTIME_CUDA_CUDADEVICE_H

#include "runtime/core/Device.h"
#include "runtime/cuda/Driver.h"

#include <memory>

namespace bifocal {

/// A device over `driver`, e.g. that of an emulator.
std::unique_ptr<Device> makeCudaDevice(std::unique_ptr<cuda::Driver> driver);

/// The first NVIDIA GPU of this machine. Errors: those of `cuda::openCudaDriver`.
Result<std::unique_ptr<Device>> makeCudaDevice();

} // namespace bifocal
#endif
