// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_PLANTOJSON_H
#define BIFOCAL_CODEGEN_PLANTOJSON_H

#include "dialect/plan/PlanOps.h"
#include "mlir/IR/BuiltinOps.h"
#include <nlohmann/json.hpp>

namespace bifocal {

/// `plan.json` of docs/Artifact.md: every `plan.entry` of `module`.
nlohmann::json planToJson(mlir::ModuleOp module);

/// An attribute of the module (dictionaries, lists, numbers, strings) as JSON.
nlohmann::json attributeToJson(mlir::Attribute attribute);

} // namespace bifocal
#endif
