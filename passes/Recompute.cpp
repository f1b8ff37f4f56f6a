// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/RowSchedule.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_RECOMPUTEPASS
#include "passes/Passes.h.inc"

namespace {

/// Whether a row op makes `value` at little more than the cost of its pass over memory. A dropout is none: it draws its
/// mask again. Statistics of rows take no memory worth a pass.
bool isCheap(Value value) {
  auto result = dyn_cast<OpResult>(value);
  return result && result.getResultNumber() == 0 &&
         isa<AddBiasOp, AddOp, GluOp, LayerNormOp, MaskPaddingOp, MulOp, ReluOp, RmsNormOp, SiluOp>(
             result.getOwner()) &&
         normGroups(result.getOwner()) == 1;
}

/// How to make a value again: row ops, and what stands outside for every value that they read; or why that cannot be.
struct Recipe {
  llvm::SmallSetVector<Operation *, 4> ops;
  llvm::MapVector<Value, Value> inputs;
  std::string problem;
};

/// Whether `op` is where the backward pass of a loss begins.
bool beginsBackward(Operation *op) {
  auto projected = dyn_cast<ProjectedCrossEntropyOp>(op);
  return projected ? static_cast<bool>(projected.getInputGrad()) : isa<CrossEntropyGradOp>(op);
}

/// The forward and backward ops of one function in program order.
class Timeline {
public:
  explicit Timeline(Block &block) {
    for (auto [index, op] : llvm::enumerate(block)) {
      positions[&op] = index;
      if (!loss && beginsBackward(&op))
        loss = &op;
    }
  }

  bool hasLoss() const { return loss; }
  bool isForward(Operation *op) const { return positions.lookup(op) < positions.lookup(loss); }

  /// The uses of `value` in the backward pass, and the first reader of these.
  SmallVector<OpOperand *> lateUses(Value value) const {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : value.getUses())
      if (positions.lookup(use.getOwner()) > positions.lookup(loss) &&
          !use.getOwner()->hasTrait<OpTrait::IsTerminator>())
        uses.push_back(&use);
    return uses;
  }
  Operation *firstReader(ArrayRef<OpOperand *> uses) const {
    return (*llvm::min_element(uses,
                               [&](OpOperand *a, OpOperand *b) {
                                 return positions.lookup(a->getOwner()) < positions.lookup(b->getOwner());
                               }))
        ->getOwner();
  }

  /// Whether reading `value` right before `reader` costs no memory: something reads it there or later anyway.
  bool isKept(Value value, Operation *reader) const {
    Operation *producer = value.getDefiningOp();
    if (!producer || isa<ParamRefOp>(producer))
      return true;
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      auto place = positions.find(user);
      return place != positions.end() && place->second >= positions.lookup(reader);
    });
  }
  bool areKept(ValueRange values, Operation *reader) const {
    return llvm::all_of(values, [&](Value value) { return isKept(value, reader); });
  }

private:
  /// Ops of before the pass; what it adds reads only what an op of these reads later.
  llvm::DenseMap<Operation *, unsigned> positions;
  Operation *loss = nullptr;
};

/// The result of `map` that is the `inner` value; null when it is not yielded.
Value yieldedAs(MapOp map, Value inner) {
  for (auto [value, result] : llvm::zip_equal(map.getBody().front().getTerminator()->getOperands(), map.getResults()))
    if (value == inner)
      return result;
  return nullptr;
}

/// Adds to `recipe` what makes `inner`, a value of the body of `map`, from values that are kept until `reader`. Where
/// it is the value wanted, its own place in memory does not count. Where there is no way, the recipe says why.
void trace(MapOp map, Value inner, bool wanted, const Timeline &timeline, Operation *reader, Recipe &recipe) {
  if (recipe.inputs.contains(inner))
    return;
  auto argument = dyn_cast<BlockArgument>(inner);
  Value outer = argument ? map.getInputs()[argument.getArgNumber()] : yieldedAs(map, inner);
  if (!wanted && outer && timeline.isKept(outer, reader)) {
    recipe.inputs[inner] = outer;
    return;
  }
  if (!isCheap(inner)) {
    recipe.problem = argument ? "nothing else reads an operand as late as " + describeOp(reader)
                              : describeOp(inner.getDefiningOp()) + " would run again";
    return;
  }
  for (Value operand : inner.getDefiningOp()->getOperands())
    if (trace(map, operand, /*wanted=*/false, timeline, reader, recipe); !recipe.problem.empty())
      return;
  recipe.ops.insert(inner.getDefiningOp());
}

/// The value in the body of a map that `value` is; itself where there is no map.
Value innerOf(OpResult value) {
  auto map = dyn_cast<MapOp>(value.getOwner());
  return map ? map.getBody().front().getTerminator()->getOperand(value.getResultNumber()) : Value(value);
}

/// Whether row ops make `value`, one with the rows of a sequence.
bool isRows(OpResult value) {
  auto inner = dyn_cast<OpResult>(innerOf(value));
  return inner && inner.getResultNumber() == 0 && !isColumnSum(inner) && isa<FusibleOpInterface>(inner.getOwner());
}

/// How to make `value`, a result of a map or of a row op, again right before `reader`.
Recipe findRecipe(OpResult value, const Timeline &timeline, Operation *reader) {
  Recipe recipe;
  Operation *producer = value.getOwner();
  if (auto map = dyn_cast<MapOp>(producer)) {
    trace(map, innerOf(value), /*wanted=*/true, timeline, reader, recipe);
    return recipe;
  }
  if (!isCheap(value))
    recipe.problem = describeOp(producer) + " would run again";
  else if (!timeline.areKept(producer->getOperands(), reader))
    recipe.problem = "nothing else reads an operand as late as " + describeOp(reader);
  recipe.ops.insert(producer);
  for (Value operand : producer->getOperands())
    recipe.inputs[operand] = operand;
  return recipe;
}

/// Writes the map of `recipe` that makes `value` again.
Value writeMap(OpBuilder &builder, OpResult value, const Recipe &recipe) {
  SmallVector<Value> outers;
  for (auto [in, outer] : recipe.inputs)
    outers.push_back(outer);
  auto again = builder.create<MapOp>(value.getLoc(), TypeRange(value.getType()), outers);
  OpBuilder body(builder.getContext());
  Block *block = body.createBlock(&again.getBody());
  IRMapping mapping;
  for (auto [in, outer] : recipe.inputs)
    mapping.map(in, block->addArgument(in.getType(), outer.getLoc()));
  for (Operation *op : recipe.ops)
    body.clone(*op, mapping);
  body.create<YieldOp>(value.getLoc(), mapping.lookup(innerOf(value)));
  return again.getResult(0);
}

/// The output of attention, whose gradient reads all operands anyway.
Value attendAgain(OpBuilder &builder, OpResult value, const Timeline &timeline, Operation *reader) {
  Operation *attention = value.getOwner();
  if (!isa<AttentionOp, DiffAttentionOp, RelativeAttentionOp>(attention) || value.getResultNumber() != 0 ||
      !timeline.areKept(attention->getOperands(), reader))
    return nullptr;
  return builder.clone(*attention)->getResult(0);
}

/// What a linear with glu writes, from its sums.
Value gateAgain(OpBuilder &builder, OpResult value, const Timeline &timeline, Operation *reader) {
  auto linear = dyn_cast<LinearOp>(value.getOwner());
  if (!linear || !isGated(linear.getActivation()) || value != linear.getOutput() || !linear.getPreactivation() ||
      !timeline.isKept(linear.getPreactivation(), reader))
    return nullptr;
  return builder.create<GluOp>(linear.getLoc(), value.getType(), linear.getPreactivation(),
                               gateOf(linear.getActivation()));
}

/// A part of a tensor is a view: the backward pass takes its own, so that the tensor counts as what it reads late.
void splitAgain(Block &block) {
  const Timeline timeline(block);
  if (!timeline.hasLoss())
    return;
  for (SplitOp split : llvm::to_vector(block.getOps<SplitOp>())) {
    if (!timeline.isForward(split))
      continue;
    SmallVector<OpOperand *> late;
    for (Value part : split.getOutputs())
      llvm::append_range(late, timeline.lateUses(part));
    if (late.empty())
      continue;
    OpBuilder builder(timeline.firstReader(late));
    auto again = cast<SplitOp>(builder.clone(*split));
    for (OpOperand *use : late)
      use->set(again.getOutputs()[cast<OpResult>(use->get()).getResultNumber()]);
  }
}

/// Goes through one function.
class Recomputation {
public:
  Recomputation(Block &block, bool attention, const Remarks &remarks)
      : block(block), timeline(block), attention(attention), remarks(remarks) {}

  void run() {
    if (!timeline.hasLoss())
      return;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      if (!timeline.isForward(&op))
        return;
      for (OpResult result : op.getResults())
        // What a recipe reads has to stay.
        if (SmallVector<OpOperand *> late = timeline.lateUses(result); !late.empty() && !read.contains(result))
          replace(result, late);
    }
  }

private:
  void replace(OpResult value, ArrayRef<OpOperand *> late) {
    Operation *reader = timeline.firstReader(late);
    OpBuilder builder(reader);
    Value again = attention ? attendAgain(builder, value, timeline, reader) : Value();
    if (!again)
      again = gateAgain(builder, value, timeline, reader);
    if (!again && isRows(value)) {
      const Recipe recipe = findRecipe(value, timeline, reader);
      if (!recipe.problem.empty())
        return remarks.stays(value.getOwner(), recipe.problem);
      again = writeMap(builder, value, recipe);
    }
    if (!again)
      return;
    for (Value operand : again.getDefiningOp()->getOperands())
      read.insert(operand);
    remarks.again(value.getOwner(), "for " + describeOp(reader));
    for (OpOperand *use : late)
      use->set(again);
  }

  Block &block;
  Timeline timeline;
  bool attention;
  const Remarks &remarks;
  llvm::DenseSet<Value> read;
};

class Recompute : public impl::RecomputePassBase<Recompute> {
public:
  using RecomputePassBase::RecomputePassBase;

  void runOnOperation() override {
    auto training = getOperation()->getAttrOfType<DictionaryAttr>("bifocal.training");
    Attribute setting = training ? training.get("recompute") : Attribute();
    auto text = dyn_cast_or_null<StringAttr>(setting);
    if (setting && (!text || !llvm::is_contained({"none", "rows", "attention"}, text.getValue()))) {
      getOperation().emitError(
          "expects `recompute` in 'bifocal.training' to be \"none\", \"rows\" or \"attention\", but got ")
          << setting;
      return signalPassFailure();
    }
    StringRef what = text ? text.getValue() : "rows";
    if (what == "none")
      return;
    Remarks report(remarks);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal()) {
        splitAgain(function.front());
        Recomputation(function.front(), what == "attention", report).run();
      }
  }
};

} // namespace
} // namespace bifocal
