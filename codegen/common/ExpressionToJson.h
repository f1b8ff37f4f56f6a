// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMMON_EXPRESSIONTOJSON_H
#define BIFOCAL_CODEGEN_COMMON_EXPRESSIONTOJSON_H

#include "mlir/IR/AffineExpr.h"
#include <nlohmann/json.hpp>

namespace bifocal {

/// A size expression over `symbols` as the tree of docs/Artifact.md.
nlohmann::json expressionToJson(mlir::AffineExpr expression, llvm::ArrayRef<std::string> symbols);

} // namespace bifocal
#endif
