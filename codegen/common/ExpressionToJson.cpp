// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/common/ExpressionToJson.h"

using namespace mlir;
using nlohmann::json;

namespace bifocal {

json expressionToJson(AffineExpr expression, ArrayRef<std::string> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return constant.getValue();
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expression);
  const char *op = "+";
  switch (expression.getKind()) {
  case AffineExprKind::Add:
    op = "+";
    break;
  case AffineExprKind::Mul:
    op = "*";
    break;
  case AffineExprKind::Mod:
    op = "mod";
    break;
  case AffineExprKind::FloorDiv:
    op = "floordiv";
    break;
  case AffineExprKind::CeilDiv:
    op = "ceildiv";
    break;
  default:
    llvm_unreachable("size expressions have no dims");
  }
  return json::array({op, expressionToJson(binary.getLHS(), symbols), expressionToJson(binary.getRHS(), symbols)});
}

} // namespace bifocal
