// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CUDATARGET_H
#define BIFOCAL_CODEGEN_CUDA_CUDATARGET_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace bifocal {

/// What kernel generators and the NVPTX backend must know about an architecture of NVIDIA GPUs. Properties of one card,
/// such as its number of multiprocessors, belong to the cost model.
struct CudaTarget {
  /// The architecture as ptxas and the artifact spell it: `sm_80` or `sm_90`.
  llvm::StringRef chip;
  /// Shared memory that one block may ask for at its launch, static and dynamic together.
  int64_t sharedBytes;

  /// The version of PTX, as LLVM spells a feature.
  static constexpr llvm::StringLiteral features = "+ptx80";
  static constexpr int64_t warpSize = 32;
  static constexpr int64_t threadsPerBlock = 1024;
  /// Registers of 32 bits.
  static constexpr int64_t registersPerThread = 255;
  static constexpr int64_t registersPerBlock = 65536;
  /// Shared memory whose size the kernel itself declares; what is beyond must be dynamic.
  static constexpr int64_t staticSharedBytes = 48 * 1024;

  /// The architecture called `name`; empty when there is no such architecture.
  static std::optional<CudaTarget> find(llvm::StringRef name) {
    if (name == "sm_80")
      return CudaTarget{"sm_80", 163 * 1024};
    if (name == "sm_90")
      return CudaTarget{"sm_90", 227 * 1024};
    return std::nullopt;
  }
};

} // namespace bifocal
#endif
