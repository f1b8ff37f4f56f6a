// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/ReverseMode.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace bifocal {

bool isTrained(ParamOp parameter) { return !parameter.getFrozen() && !parameter.getTransient(); }

void eraseUnread(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
}

static bool isFloatTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

ReverseMode::ReverseMode(Block &block, ValueRange sources, bool parameters)
    : block(block), builder(block.getTerminator()) {
  active.insert(sources.begin(), sources.end());
  for (Operation &op : block) {
    bool onPath = llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); });
    if (auto reference = dyn_cast<ParamRefOp>(op); reference && parameters) {
      auto parameter = SymbolTable::lookupNearestSymbolFrom<ParamOp>(reference, reference.getParamAttr());
      onPath = parameter && isTrained(parameter);
    }
    if (onPath)
      for (Value result : op.getResults())
        if (isFloatTensor(result))
          active.insert(result);
  }
}

Value &ReverseMode::slotOf(Value value) {
  if (auto reference = value.getDefiningOp<ParamRefOp>())
    return parameterGradients[reference.getParamAttr()];
  return valueGradients[value];
}

Value ReverseMode::gradientOf(Value value) const {
  if (auto reference = value.getDefiningOp<ParamRefOp>())
    return gradientOfParameter(reference.getParamAttr());
  return valueGradients.lookup(value);
}

Value ReverseMode::gradientOfParameter(Attribute parameter) const { return parameterGradients.lookup(parameter); }

void ReverseMode::addGradient(Value value, Value gradient) {
  Value &slot = slotOf(value);
  if (!slot) {
    slot = gradient;
    return;
  }
  // A table that is read several times: the scatter of this reader starts from the sum so far.
  auto scatter = gradient.getDefiningOp<EmbeddingGradOp>();
  if (scatter && !scatter.getInitial() && gradient.use_empty()) {
    scatter.getInitialMutable().assign(slot);
    slot = gradient;
    return;
  }
  slot = builder.create<AddOp>(gradient.getLoc(), gradient.getType(), slot, gradient);
}

LogicalResult ReverseMode::visit(Operation *op) {
  SmallVector<Value> resultGrads;
  for (Value result : op->getResults())
    resultGrads.push_back(valueGradients.lookup(result));
  bool onPath = llvm::any_of(op->getOperands(), [&](Value operand) { return active.contains(operand); });
  if (!onPath || llvm::none_of(resultGrads, [](Value gradient) { return bool(gradient); }))
    return success();
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return op->emitOpError("expects an op with a gradient between a parameter and the loss, but this op has none");
  SmallVector<Value> operandGrads;
  if (failed(differentiable.buildGradient(builder, resultGrads, operandGrads)))
    return op->emitOpError("expects a form of the op that has a gradient, but this one has none");
  for (auto [operand, gradient] : llvm::zip_equal(op->getOperands(), operandGrads))
    if (gradient && active.contains(operand))
      addGradient(operand, gradient);
  return success();
}

LogicalResult ReverseMode::run() {
  // Snapshot: the gradient ops are written into the same block.
  SmallVector<Operation *> forward;
  for (Operation &op : block.without_terminator())
    forward.push_back(&op);
  for (Operation *op : llvm::reverse(forward))
    if (op->getNumResults() != 0 && failed(visit(op)))
      return failure();
  return success();
}

} // namespace bifocal
