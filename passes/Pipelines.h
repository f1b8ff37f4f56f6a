// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_PIPELINES_H
#define BIFOCAL_PASSES_PIPELINES_H

// A compilation is a chain of phases. Each phase between the first and the last is a list of passes whose first one
// states and checks what the phase expects, so a compilation can stop after any phase and resume from its output.

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/ArrayRef.h"
#include <optional>
#include <string>
#include <vector>

namespace bifocal {

enum class Phase {
  Import,        ///< From the spec to ops that say what the layers compute, every op with its place in the spec.
  Differentiate, ///< Backward passes and training steps appear as ordinary ops.
  Optimize,      ///< Ops are fused until no tensor reaches memory that could have stayed in a register.
  Schedule,      ///< Ops become kernel launches and products on buffers, all in one planned arena.
  Kernels,       ///< Every kernel gets machine-level code for every target.
  Artifact,      ///< Code, plans and parameters are packed into one file.
};

/// All phases, in order.
llvm::ArrayRef<Phase> allPhases();

/// `import`, `differentiate`, ...
llvm::StringRef phaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);

/// What the phase does, in one sentence.
llvm::StringRef phaseSummary(Phase phase);

struct PhaseOptions {
  /// Whether optimisations say where they fire, and where and why not.
  bool remarks = false;
  /// Whether CPUs get kernels, and which levels; empty for the default of the generator.
  bool cpu = true;
  std::vector<std::string> cpuLevels;
  /// Whether GPUs get kernels, and which architectures get machine code; empty for the emulator alone.
  bool cuda = false;
  std::vector<std::string> cudaArchitectures;
};

/// The passes of a phase as the text of a pipeline on the module; empty for `import` and `artifact`, which are no
/// pipelines.
std::string phasePipeline(Phase phase, const PhaseOptions &options = {});

/// Appends the passes of `phase`. Fails with a message on `errors` when one of them is not registered.
llvm::LogicalResult addPhase(mlir::OpPassManager &manager, Phase phase, const PhaseOptions &options,
                             llvm::raw_ostream &errors);

/// Registers the passes of this library, those upstream ones that phases use, and the pipelines
/// `bifocal-differentiate`, ... The pipeline `bifocal-kernels` also needs the passes of the code generators registered
/// when it is used.
void registerPipelines();

} // namespace bifocal
#endif
