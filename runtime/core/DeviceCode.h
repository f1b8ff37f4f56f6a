// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_DEVICECODE_H
#define BIFOCAL_RUNTIME_CORE_DEVICECODE_H

#include "runtime/core/Expression.h"
#include "runtime/core/Status.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// What ptxas says of a kernel for one architecture.
struct ResourceReport {
  int64_t registers = 0;    ///< of 32 bits, per thread
  int64_t sharedBytes = 0;  ///< static, per block
  int64_t spillBytes = 0;   ///< stored and loaded, per thread, over all places in the code
  int64_t stackBytes = 0;   ///< per thread
  int64_t instructions = 0; ///< in the code
  int64_t mma = 0;          ///< of these, products of matrices on tensor cores
};

/// How to launch a stage of a kernel on an NVIDIA GPU: each warp of a block works on one tile. The parameters of the
/// function are the addresses of some buffers of the launch, then some of its sizes and the number of tiles (i64).
struct DeviceKernel {
  std::string name;                                ///< `<kernel>.<stage>`, as for the CPU
  std::string function;                            ///< its name in the images
  int64_t warps = 0;                               ///< of a block
  int64_t sharedBytes = 0;                         ///< dynamic, of a block
  std::vector<int64_t> buffers, sizes;             ///< positions in the launch
  std::optional<Expression> tiles;                 ///< over the launch's sizes; none: as many as the plan says
  std::map<std::string, ResourceReport> resources; ///< by architecture
};

/// The kernels of an artifact for NVIDIA GPUs; empty without any.
struct DeviceCode {
  enum class Kind : uint8_t { bitcode, ptx, cubin };
  struct Image {
    Kind kind;
    std::string architecture; ///< e.g. `sm_90`; of bitcode the oldest that it is for
    std::vector<std::byte> bytes;
  };

  /// Reads `kernels/cuda.json`: names are there once, numbers in the range of a GPU.
  static Result<std::vector<DeviceKernel>> parseTable(std::string_view text);
  /// The kind and the architecture of an archive entry such as `kernels/sm_90.cubin`; false for others.
  static bool parseName(std::string_view entry, Image &image);

  const DeviceKernel *find(std::string_view name) const;
  const Image *find(Kind kind, std::string_view architecture) const;

  std::vector<DeviceKernel> kernels; ///< in the order of their names
  std::vector<Image> images;
};

} // namespace bifocal
#endif
