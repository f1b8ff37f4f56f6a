// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/KernelSchedule.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "llvm/ADT/EquivalenceClasses.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_APPLYPRECISIONPASS
#include "passes/Passes.h.inc"

namespace {

/// Ops whose operands and results may differ in their element type. All others have one type for their activations.
bool convertsElements(Operation *op) {
  return isa<MapOp, LinearOp, LinearInputGradOp, LinearWeightGradOp, ColumnSumOp, GluOp, GluGradOp, EmbeddingOp,
             EmbeddingGradOp, CrossEntropyOp, CrossEntropyGradOp, ProjectedCrossEntropyOp, AppendStepsOp,
             AppendStepsGradOp>(op);
}

/// Statistics of rows, which the backward pass reads.
bool isStatistic(Value value) {
  auto result = dyn_cast<OpResult>(value);
  if (!result)
    return false;
  if (auto map = dyn_cast<MapOp>(result.getOwner()))
    return isStatistic(map.getBody().front().getTerminator()->getOperand(result.getResultNumber()));
  return isa<LayerNormOp, AttentionOp, DiffAttentionOp, RelativeAttentionOp>(result.getOwner()) &&
         result.getResultNumber() > 0;
}

bool readsAsStatistic(OpOperand &operand) {
  if (isa<LayerNormGradOp>(operand.getOwner()))
    return operand.getOperandNumber() > 2;
  return llvm::TypeSwitch<Operation *, bool>(operand.getOwner())
      .Case<AttentionGradOp, DiffAttentionGradOp, RelativeAttentionGradOp>(
          [&](auto grad) { return operand.get() == grad.getLse(); })
      .Default(false);
}

bool isF32(Type type) { return getElementTypeOrSelf(type).isF32(); }

/// Whether memory may hold the state in 16 bits.
bool isActivation(StateOp state) {
  return isF32(state.getType()) && !cast<RankedTensorType>(state.getType()).hasStaticShape();
}

/// Whether memory may hold `value` in 16 bits: an activation or its gradient. What has no dynamic axis is a parameter,
/// its gradient, or a scalar.
bool isActivation(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isF32(type) && !type.hasStaticShape() && !isStatistic(value);
}

/// Which activations and states share an element type, and which have to stay f32.
class Policy {
public:
  explicit Policy(const Remarks &remarks) : remarks(remarks) {}

  void add(StateOp state) {
    if (isActivation(state))
      insert(state);
  }
  void add(func::FuncOp function);
  /// Gives every activation and state that is free to have it the type `narrow`.
  void apply(FloatType narrow);

private:
  using Key = const void *;

  static Key keyOf(Value value) { return value.getAsOpaquePointer(); }
  void insert(StateOp state) {
    states.push_back(state);
    classes.insert(state.getOperation());
  }
  void visit(Operation *op);
  SmallVector<Key> activationsOf(Operation *op);
  /// These stay f32, and what shares their type.
  void keep(Operation *op, ArrayRef<Key> keys, StringRef reason) {
    if (keys.empty())
      return;
    llvm::append_range(kept, keys);
    remarks.wide(op, reason);
  }

  const Remarks &remarks;
  llvm::EquivalenceClasses<Key> classes;
  SmallVector<Key> kept;
  SmallVector<Value> values;
  SmallVector<StateOp> states;
};

SmallVector<Policy::Key> Policy::activationsOf(Operation *op) {
  SmallVector<Key> keys;
  for (OpOperand &operand : op->getOpOperands())
    if (isActivation(operand.get()) && !readsAsStatistic(operand))
      keys.push_back(keyOf(operand.get()));
  for (Value result : op->getResults())
    if (isActivation(result))
      keys.push_back(keyOf(result));
  for (FlatSymbolRefAttr name : namedStates(op))
    if (auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(op, name); state && isActivation(state))
      keys.push_back(state.getOperation());
  return keys;
}

void Policy::visit(Operation *op) {
  for (Value result : op->getResults())
    if (isActivation(result)) {
      values.push_back(result);
      classes.insert(keyOf(result));
    }
  SmallVector<Key> keys = activationsOf(op);
  StringRef reason = op->hasTrait<OpTrait::ReturnLike>()                                         ? "the caller gets it"
                     : isa<CrossEntropyOp, CrossEntropyGradOp, LogSoftmaxOp, JoinClustersOp>(op) ? "logits"
                     : isa<BifocalDialect>(op->getDialect())                                     ? ""
                                                             : "an op of another dialect has it";
  if (!reason.empty())
    keep(op, keys, reason);
  else if (!convertsElements(op))
    for (Key key : keys)
      classes.unionSets(keys.front(), key);
}

void Policy::add(func::FuncOp function) {
  SmallVector<Key> given;
  for (BlockArgument argument : function.getArguments())
    if (isActivation(argument)) {
      classes.insert(keyOf(argument));
      given.push_back(keyOf(argument));
    }
  keep(function, given, "the caller gives it");
  for (Operation &op : function.front())
    visit(&op);
}

void Policy::apply(FloatType narrow) {
  llvm::DenseSet<Key> wide;
  for (Key key : kept)
    wide.insert(classes.getLeaderValue(key));
  auto isWide = [&](Key key) { return wide.contains(classes.getLeaderValue(key)); };
  for (Value value : values)
    if (!isWide(keyOf(value)))
      value.setType(cast<RankedTensorType>(value.getType()).clone(narrow));
  for (StateOp state : states)
    if (!isWide(state.getOperation()))
      state.setType(cast<RankedTensorType>(state.getType()).clone(narrow));
}

class ApplyPrecision : public impl::ApplyPrecisionPassBase<ApplyPrecision> {
public:
  using ApplyPrecisionPassBase::ApplyPrecisionPassBase;

  void runOnOperation() override {
    auto training = getOperation()->getAttrOfType<DictionaryAttr>("bifocal.training");
    Attribute precision = training ? training.get("precision") : Attribute();
    auto text = dyn_cast_or_null<StringAttr>(precision);
    // Products of 8 bits read and write f32: see QuantizeLinears.cpp.
    static constexpr StringRef wide[] = {"f32", "int8", "int8_weight_only"};
    if (!precision || (text && llvm::is_contained(wide, text.getValue())))
      return;
    if (!text || text != "bf16") {
      getOperation().emitError("expects the precision \"f32\", \"bf16\", \"int8\" or \"int8_weight_only\" in "
                               "'bifocal.training', but got ")
          << precision;
      return signalPassFailure();
    }
    Remarks report(remarks);
    Policy policy(report);
    for (auto state : getOperation().getOps<StateOp>())
      policy.add(state);
    for (auto function : getOperation().getOps<func::FuncOp>())
      policy.add(function);
    policy.apply(BFloat16Type::get(&getContext()));
  }
};

} // namespace
} // namespace bifocal
