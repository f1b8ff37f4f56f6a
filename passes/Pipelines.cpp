// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Pipelines.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace bifocal {

namespace {
struct PhaseEntry {
  Phase phase;
  StringLiteral name, summary;
};
} // namespace

static constexpr Phase phases[] = {Phase::Import,   Phase::Differentiate, Phase::Optimize,
                                   Phase::Schedule, Phase::Kernels,       Phase::Artifact};

static constexpr PhaseEntry entries[] = {
    {Phase::Import, "import", "from the spec to ops that say what the layers compute"},
    {Phase::Differentiate, "differentiate", "write backward passes and training steps as ordinary ops"},
    {Phase::Optimize, "optimize",
     "fuse ops so that tensors stay out of memory, and choose what memory holds in 16 bits"},
    {Phase::Schedule, "schedule", "turn ops into launches and products on buffers of one planned arena"},
    {Phase::Kernels, "kernels", "write machine-level code of every kernel for every target"},
    {Phase::Artifact, "artifact", "pack code, plans and parameters into one file"}};

ArrayRef<Phase> allPhases() { return phases; }

StringRef phaseName(Phase phase) { return entries[static_cast<unsigned>(phase)].name; }

StringRef phaseSummary(Phase phase) { return entries[static_cast<unsigned>(phase)].summary; }

std::optional<Phase> parsePhase(StringRef name) {
  const auto *entry = llvm::find_if(entries, [&](const PhaseEntry &entry) { return entry.name == name; });
  return entry == std::end(entries) ? std::nullopt : std::optional(entry->phase);
}

/// `flags` on every function, each with the option that turns remarks on.
static std::string onFunctions(ArrayRef<StringRef> flags, const PhaseOptions &options) {
  return "func.func(" +
         llvm::join(llvm::map_range(flags,
                                    [&](StringRef flag) {
                                      bool upstream = !flag.starts_with("bifocal-");
                                      return flag.str() + (upstream || !options.remarks ? "" : "{remarks=true}");
                                    }),
                    ",") +
         ")";
}

/// The pass that writes kernels for `device`, as far as it is `wanted`.
static std::string generator(bool wanted, StringRef device, StringRef option, ArrayRef<std::string> values) {
  if (!wanted)
    return "";
  const std::string pass = (",bifocal-generate-" + device + "-kernels").str();
  return values.empty() ? pass : pass + "{" + option.str() + "=" + llvm::join(values, ",") + "}";
}

std::string phasePipeline(Phase phase, const PhaseOptions &options) {
  const std::string remarks = options.remarks ? "{remarks=true}" : "";
  switch (phase) {
  case Phase::Differentiate:
    return "bifocal-verify-differentiate-input," + onFunctions({"bifocal-fuse-taps-into-conv"}, options) +
           ",bifocal-insert-gradients";
  case Phase::Optimize:
    return "bifocal-verify-optimize-input," +
           onFunctions({"canonicalize", "cse", "bifocal-fold-padding-masks", "bifocal-fuse-projected-cross-entropy",
                        "bifocal-fuse-activation-into-linear", "bifocal-fuse-row-maps", "bifocal-fuse-optimizer", "cse",
                        "canonicalize"},
                       options) +
           ",bifocal-recompute" + remarks + ",bifocal-apply-precision" + remarks + ",bifocal-quantize-linears" +
           remarks;
  case Phase::Schedule:
    return "bifocal-verify-schedule-input,bifocal-lower-to-plan,bifocal-assign-memory,bifocal-verify-memory";
  case Phase::Kernels:
    return "bifocal-verify-kernels-input,bifocal-verify-memory" +
           generator(options.cpu, "cpu", "levels", options.cpuLevels) +
           generator(options.cuda, "cuda", "architectures", options.cudaArchitectures);
  case Phase::Import:
  case Phase::Artifact:
    return "";
  }
  llvm_unreachable("every phase has a case");
}

LogicalResult addPhase(OpPassManager &manager, Phase phase, const PhaseOptions &options, raw_ostream &errors) {
  return parsePassPipeline(phasePipeline(phase, options), manager, errors);
}

void registerPipelines() {
  registerBifocalPasses();
  registerCanonicalizerPass();
  registerCSEPass();
  for (Phase phase : phases) {
    if (phasePipeline(phase).empty())
      continue;
    registerPassPipeline(
        ("bifocal-" + phaseName(phase)).str(), phaseSummary(phase),
        [phase](OpPassManager &manager, StringRef, function_ref<LogicalResult(const Twine &)> onError) {
          std::string message;
          llvm::raw_string_ostream stream(message);
          return failed(addPhase(manager, phase, {}, stream)) ? onError(message) : success();
        },
        [](function_ref<void(const mlir::detail::PassOptions &)>) {});
  }
}

} // namespace bifocal
