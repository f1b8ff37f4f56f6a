// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_TRAININGATTRIBUTES_H
#define BIFOCAL_FRONTEND_TRAININGATTRIBUTES_H

#include "frontend/Spec.h"
#include "mlir/IR/Builders.h"

namespace bifocal {

/// What the runtime has to know to train, as docs/Artifact.md lists it: criterion, schedule, optimizer, batches.
mlir::DictionaryAttr trainingAttribute(const Spec &spec, mlir::Builder &builder);

/// The optimizer's op and its attributes.
mlir::DictionaryAttr updateAttribute(const OptimizerSpec &optimizer, mlir::Builder &builder);

} // namespace bifocal
#endif
