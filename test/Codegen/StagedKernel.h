// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_STAGEDKERNEL_H
#define BIFOCAL_TEST_CODEGEN_STAGEDKERNEL_H

#include "codegen/cuda/WarpKernels.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bifocal::test {

/// The stages of one kernel for GPUs, ready to run on the emulated one or, where BIFOCAL_TEST_DEVICE=cuda, on the first
/// GPU of this machine.
class StagedKernel {
public:
  /// `kernels`: the stages in order. Null, with a message in `error`, when they cannot be lowered or loaded.
  static std::unique_ptr<StagedKernel> create(mlir::gpu::GPUModuleOp kernels, std::string &error);
  virtual ~StagedKernel() = default;

  struct Buffer {
    void *data;
    size_t bytes;
  };
  /// Runs stages of the given numbers of tiles, twice, which must give the same bits. Empty, or what was found.
  virtual std::string run(std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                          const std::vector<int64_t> &tiles) = 0;

protected:
  /// How one stage is launched.
  struct Launch {
    std::string kernel;
    uint32_t blocks = 0, threads = 0, sharedBytes = 0;
    std::vector<int64_t> buffers;   ///< positions of those that are its first parameters
    std::vector<void *> sizes;      ///< one pointer to each other parameter's value
    std::unique_ptr<int64_t> tiles; ///< the last one of these
  };
  size_t stageCount() const { return stages.size(); }
  const std::string &stageName(size_t stage) const { return stages[stage].name; }
  int64_t sharedBytes(size_t stage) const { return stages[stage].kernel.sharedBytes; }
  /// The launch of a stage, whose sizes are in `sizes`; no blocks where it has no tiles.
  Launch describe(size_t stage, const std::vector<int64_t> &sizes, int64_t tiles);

private:
  struct Stage {
    std::string name;
    WarpKernel kernel;
  };
  std::vector<Stage> stages;
};

} // namespace bifocal::test
#endif
