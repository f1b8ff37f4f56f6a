// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/NamedDims.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

AffineExpr NamedDims::symbol(StringRef name) {
  auto *place = llvm::find(symbols, name);
  if (place == symbols.end()) {
    symbols.push_back(name.str());
    place = std::prev(symbols.end());
  }
  return getAffineSymbolExpr(place - symbols.begin(), context);
}

Dims NamedDims::named(Type type, ArrayAttr names) {
  Dims result;
  for (auto [axis, size] : llvm::enumerate(cast<ShapedType>(type).getShape()))
    result.push_back(ShapedType::isDynamic(size) ? symbol(cast<StringAttr>(names[axis]).getValue())
                                                 : getAffineConstantExpr(size, context));
  return result;
}

ArrayAttr NamedDims::namesOf(const Dims &dims) const {
  Builder builder(context);
  SmallVector<Attribute> names;
  for (AffineExpr dim : dims) {
    auto symbol = dyn_cast<AffineSymbolExpr>(dim);
    if (!symbol && !isa<AffineConstantExpr>(dim))
      return nullptr;
    names.push_back(builder.getStringAttr(symbol ? symbols[symbol.getPosition()] : ""));
  }
  return builder.getArrayAttr(names);
}

LogicalResult NamedDims::infer() {
  for (BlockArgument argument : function.getArguments())
    dims[argument] =
        named(argument.getType(), function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), "bifocal.dims"));
  for (Operation &op : function.front())
    for (FlatSymbolRefAttr name : namedStates(&op))
      if (auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(&op, name))
        named(state.getType(), state.getDims());
  for (Operation &op : function.front().without_terminator()) {
    if (auto read = dyn_cast<StateReadOp>(op)) {
      auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(read, read.getStateAttr());
      dims[read.getValue()] = named(state.getType(), state.getDims());
      continue;
    }
    SmallVector<Dims> operands, results;
    for (Value operand : op.getOperands())
      operands.push_back(of(operand));
    if (auto shaped = dyn_cast<SymbolicShapeOpInterface>(op))
      shaped.inferSymbolicDims(operands, results);
    else
      for (Type type : op.getResultTypes()) {
        if (!cast<ShapedType>(type).hasStaticShape())
          return op.emitOpError("expects symbolic shapes for a result with dynamic axes");
        results.push_back(dimsOfType(type, {}));
      }
    for (auto [result, resultDims] : llvm::zip_equal(op.getResults(), results))
      dims[result] = resultDims;
  }
  return success();
}

} // namespace bifocal
