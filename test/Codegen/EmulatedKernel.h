// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_EMULATEDKERNEL_H
#define BIFOCAL_TEST_CODEGEN_EMULATEDKERNEL_H

#include "codegen/cuda/WarpKernels.h"
#include "codegen/emulator/Emulator.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bifocal::test {

/// The stages of one kernel on the emulated GPU.
class EmulatedKernel {
public:
  /// `kernels`: the stages in order. Null, with a message in `error`, when they cannot be lowered or loaded.
  static std::unique_ptr<EmulatedKernel> create(mlir::gpu::GPUModuleOp kernels, std::string &error);

  struct Buffer {
    void *data;
    size_t bytes;
  };
  /// Runs stages of the given numbers of tiles, under two schedules that must give the same bits. Empty, or what was
  /// found.
  std::string run(std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                  const std::vector<int64_t> &tiles);

private:
  std::string runStage(size_t stage, std::span<const Buffer> buffers, const std::vector<int64_t> &sizes, int64_t tiles,
                       const emulator::LaunchOptions &options);

  struct Stage {
    std::string name;
    WarpKernel kernel;
  };
  std::vector<Stage> stages;
  emulator::CheckedMemory memory;
  std::unique_ptr<emulator::Emulator> emulator;
};

} // namespace bifocal::test
#endif
