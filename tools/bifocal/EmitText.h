// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_EMITTEXT_H
#define BIFOCAL_TOOLS_BIFOCAL_EMITTEXT_H

#include "mlir/IR/BuiltinOps.h"
#include "passes/Pipelines.h"
#include "runtime/core/Status.h"

#include <string>
#include <vector>

namespace bifocal::tools {

/// What `compile --emit` can write: `artifact`, the IR of a phase, or forms of kernels.
const std::vector<std::string> &emittedForms();
/// Whether `form` is made of kernels, and not of the IR of any phase.
bool isOfKernels(const std::string &form);

/// Whether `target`, which gave `phases`, has kernels of that form.
Status checkEmitted(const std::string &form, const std::string &target, const PhaseOptions &phases);

/// The kernels of `module` as `form` says: `llvm`, the IR of every machine that has kernels; `asm`, the assembly of the
/// CPUs; `ptx`, that of the GPUs; `cubin`, the machine code of one GPU. Parts of different machines begin with a
/// comment that names theirs. Errors: a form that no kernel of the module has, several GPUs for `cubin`, no ptxas.
Result<std::string> emitKernels(mlir::ModuleOp module, const std::string &form);

} // namespace bifocal::tools
#endif
