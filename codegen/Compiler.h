// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMPILER_H
#define BIFOCAL_CODEGEN_COMPILER_H

// A compilation is one walk through the phases of passes/Pipelines.h. It may begin after any of them with IR from a
// file, stop after any of them, and leave the IR of each in a folder.

#include "frontend/Spec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "passes/Pipelines.h"

#include <functional>

namespace bifocal {

struct CompileOptions {
  PhaseOptions phases;
  /// The phase whose output the module is; `Import` for what `importSpec` returns.
  Phase from = Phase::Import;
  /// The last phase to run, at most `Kernels`.
  Phase to = Phase::Kernels;
  /// Folder for the IR after each phase, as `1-import.mlir`, ...; empty for none. Made when it is not there.
  std::string dumpDirectory;
  /// Called for the pass manager of each phase, e.g. to turn on timing.
  std::function<void(mlir::PassManager &)> configure;
};

/// Loads all dialects that the phases use and makes all passes known.
void prepareContext(mlir::MLIRContext &context);

/// Reads MLIR text; errors go to the context's diagnostics and are named in the Status.
Result<mlir::OwningOpRef<mlir::ModuleOp>> parseModule(std::string_view text, std::string_view fileName,
                                                      mlir::MLIRContext &context);

/// Runs the phases after `options.from` up to `options.to` on `module`.
Status runPhases(mlir::ModuleOp module, const CompileOptions &options);

/// The module as text with locations, in the form that `parseModule` reads back.
std::string printModule(mlir::ModuleOp module);

/// `module` through all phases into the bytes of an artifact.
Result<std::string> compileModule(mlir::ModuleOp module, const CompileOptions &options = {});

/// A TOML spec into the bytes of an artifact. Problems of the spec come as `parseSpec` gives them.
Result<std::string> compileSpec(std::string_view text, std::string_view fileName, const CompileOptions &options = {});

} // namespace bifocal
#endif
