// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_EMULATOR_H
#define BIFOCAL_CODEGEN_EMULATOR_EMULATOR_H

// Executes kernels for NVIDIA GPUs on the host: the very LLVM IR that goes into the NVPTX backend, one fiber for each
// thread, with every access to memory checked. It finds what a GPU would only show as a wrong number: accesses out of
// bounds, races of threads and of blocks, reads of what nobody wrote or of copies under way, barriers and collectives
// that not all threads reach.
//
// Not covered: instruction selection and ptxas, orders of memory weaker than the one checked, and the last bits of
// approximate instructions (computed exactly here).

#include "codegen/emulator/CheckedMemory.h"
#include "codegen/emulator/Launch.h"
#include "runtime/core/Status.h"

#include <memory>
#include <string_view>

namespace bifocal::emulator {

/// The kernels of one module, ready to run.
class Emulator {
public:
  /// `ir` is LLVM bitcode or text for NVPTX; `name` is for messages. Kernels may access what `memory` knows, which
  /// outlives the emulator. Errors: what is no IR, and every intrinsic or function that the emulator does not know.
  static Result<std::unique_ptr<Emulator>> load(std::string_view ir, std::string_view name, CheckedMemory &memory);
  ~Emulator();

  std::vector<std::string> kernels() const;
  /// The module as text; lines of findings count in it.
  const std::string &text() const;

  /// Runs all blocks of a launch, one after the other, and returns what was found; empty for a clean kernel. Errors: a
  /// kernel that is not there, other parameters than it has, and launches that no GPU accepts.
  Result<std::vector<Finding>> launch(const Launch &launch, const LaunchOptions &options = {});

private:
  struct Code;
  explicit Emulator(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code;
};

} // namespace bifocal::emulator
#endif
