// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

SmallVector<FlatSymbolRefAttr> namedStates(Operation *op) {
  return llvm::TypeSwitch<Operation *, SmallVector<FlatSymbolRefAttr>>(op)
      .Case<LightConvStepOp, DynamicConvStepOp>(
          [](auto step) { return SmallVector<FlatSymbolRefAttr>{step.getCacheAttr()}; })
      .Case<AttentionStepOp, DiffAttentionStepOp, RelativeAttentionStepOp>([](auto step) {
        return SmallVector<FlatSymbolRefAttr>{step.getKeyCacheAttr(), step.getValueCacheAttr()};
      })
      .Case([](CrossAttentionStepOp step) {
        return SmallVector<FlatSymbolRefAttr>{step.getKeysAttr(), step.getValuesAttr(), step.getMaskAttr()};
      })
      .Case<StateReadOp, StateWriteOp>([](auto op) { return SmallVector<FlatSymbolRefAttr>{op.getStateAttr()}; })
      .Default([](Operation *) { return SmallVector<FlatSymbolRefAttr>{}; });
}

SmallVector<Operation *> drawingOps(Operation *op) {
  SmallVector<Operation *> result;
  op->walk<WalkOrder::PreOrder>([&](Operation *inner) {
    auto rate = inner->getAttrOfType<FloatAttr>("drop_rate");
    if (isa<DropoutOp>(inner) || (rate && !rate.getValue().isZero()))
      result.push_back(inner);
  });
  return result;
}

SymbolicDims launchSymbols(Operation *op) {
  SymbolicDims symbols;
  unsigned next = 0;
  auto dimsOf = [&](Type type) {
    Dims dims;
    for (int64_t size : cast<ShapedType>(type).getShape())
      dims.push_back(ShapedType::isDynamic(size) ? getAffineSymbolExpr(next++, op->getContext())
                                                 : getAffineConstantExpr(size, op->getContext()));
    return dims;
  };
  for (Type type : op->getOperandTypes())
    symbols.operands.push_back(dimsOf(type));
  for (Type type : op->getResultTypes())
    symbols.results.push_back(dimsOf(type));
  for (FlatSymbolRefAttr name : namedStates(op))
    if (auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(op, name))
      symbols.states.push_back(dimsOf(state.getType()));
  return symbols;
}

int64_t dynamicDims(Operation *op) {
  SymbolicDims symbols = launchSymbols(op);
  int64_t count = 0;
  for (auto *group : {&symbols.operands, &symbols.results, &symbols.states})
    for (const Dims &dims : *group)
      count += llvm::count_if(dims, [](AffineExpr dim) { return isa<AffineSymbolExpr>(dim); });
  return count;
}

bool isNarrow(Type type) {
  auto element = dyn_cast<FloatType>(getElementTypeOrSelf(type));
  return element && element.getWidth() < 32;
}

KernelSchedule scheduleKernel(Operation *op) {
  for (auto schedule : {scheduleAdaptive, scheduleAttention, scheduleConv, scheduleDense, scheduleLoss, scheduleOptim,
                        scheduleRecurrent, scheduleSearch})
    if (std::optional<KernelSchedule> result = schedule(op))
      return *result;
  // No stages: the generators report the op, with its place.
  KernelSchedule none;
  none.family = "unknown";
  return none;
}

} // namespace bifocal
