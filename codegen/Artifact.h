// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_ARTIFACT_H
#define BIFOCAL_CODEGEN_ARTIFACT_H

#include "mlir/IR/BuiltinOps.h"
#include "runtime/core/Status.h"

#include <string>

namespace bifocal {

/// The bytes of `model.bifocal` (docs/Artifact.md) for a module that the phase `kernels` has left: its plans, its
/// parameters and states, one shared object per nested module of kernels, and the images of those for GPUs. Equal
/// modules give equal bytes.
Result<std::string> writeArtifact(mlir::ModuleOp module);

} // namespace bifocal
#endif
