// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_IMPORT_H
#define BIFOCAL_FRONTEND_IMPORT_H

#include "frontend/Spec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace bifocal {

/// The module of a translation model: parameters, states and the functions @loss, @evaluate, @forward, @encode,
/// @encode_distances, @decode_step, @decode_candidates and @decode_short_list, as far as the model has them, with the
/// module attributes `bifocal.spec`, `bifocal.model` and `bifocal.training`. Loads the dialects that it needs into
/// `context`.
mlir::OwningOpRef<mlir::ModuleOp> importSpec(const Spec &spec, mlir::MLIRContext &context);

} // namespace bifocal
#endif
