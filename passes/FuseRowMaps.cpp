// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"
#include "passes/RowGroups.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_FUSEROWMAPSPASS
#include "passes/Passes.h.inc"

namespace {

/// linear(x, w, b) -> add_bias(linear(x, w), b), one add_bias for each reader, where all readers are row ops.
void splitBias(LinearOp linear, const Remarks &remarks) {
  if (!linear.getBias() || linear.getActivation() != Activation::none || linear.getOutput().use_empty())
    return;
  SmallVector<OpOperand *> uses;
  for (OpOperand &use : linear.getOutput().getUses()) {
    if (!isRowOp(use.getOwner()) || !isRowOperand(use)) {
      remarks.kept(linear, "the bias stays, " + describeOp(use.getOwner()) + " reads the result");
      return;
    }
    uses.push_back(&use);
  }
  Value bias = linear.getBias();
  linear.getBiasMutable().clear();
  for (OpOperand *use : uses) {
    OpBuilder builder(use->getOwner());
    use->set(builder.create<AddBiasOp>(linear.getLoc(), linear.getOutput().getType(), linear.getOutput(), bias));
  }
}

/// Creates the map of `members`, in their order, at the builder's place.
void buildMap(OpBuilder &builder, ArrayRef<Operation *> members, const Remarks &remarks) {
  llvm::SmallSetVector<Value, 8> inputs;
  SmallVector<Value> outputs;
  SmallVector<Location> locations;
  std::string names;
  for (Operation *op : members) {
    locations.push_back(op->getLoc());
    names += (names.empty() ? "" : ", ") + op->getName().stripDialect().str();
    for (Value operand : op->getOperands())
      if (!llvm::is_contained(members, operand.getDefiningOp()))
        inputs.insert(operand);
    for (Value result : op->getResults())
      if (otherReader(result, members))
        outputs.push_back(result);
  }
  auto map =
      builder.create<MapOp>(builder.getFusedLoc(locations), ValueRange(outputs).getTypes(), inputs.getArrayRef());
  Block *body = builder.createBlock(&map.getBody());
  IRMapping mapping;
  for (Value input : inputs)
    mapping.map(input, body->addArgument(input.getType(), input.getLoc()));
  for (Operation *op : members)
    builder.clone(*op, mapping);
  SmallVector<Value> yielded;
  for (Value output : outputs)
    yielded.push_back(mapping.lookup(output));
  builder.create<YieldOp>(map.getLoc(), yielded);
  builder.setInsertionPointAfter(map);
  for (auto [output, result] : llvm::zip_equal(outputs, map.getResults()))
    output.replaceAllUsesWith(result);
  for (Operation *op : llvm::reverse(members))
    op->erase();
  remarks.fused(map, names);
}

class FuseRowMaps : public impl::FuseRowMapsPassBase<FuseRowMaps> {
public:
  using FuseRowMapsPassBase::FuseRowMapsPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    Block &block = getOperation().front();
    for (LinearOp linear : llvm::to_vector(block.getOps<LinearOp>()))
      splitBias(linear, report);
    RowGroups groups(block, report);
    groups.build();
    OpBuilder builder(block.getTerminator());
    for (ArrayRef<Operation *> unit : groups.order()) {
      builder.setInsertionPoint(block.getTerminator());
      if (unit.size() > 1)
        buildMap(builder, unit, report);
      else
        unit.front()->moveBefore(block.getTerminator());
    }
  }
};

} // namespace
} // namespace bifocal
