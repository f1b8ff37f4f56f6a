// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels load an element of an input once for all results of a vector of columns, in the order of the results; a
// row reduction makes a second pass over the row, for what depends on it. From this follows which result may overwrite
// which input.

#include "passes/InPlace.h"

#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

namespace {

/// Who reads the rows of the inputs when, in one row kernel.
class RowReads {
public:
  explicit RowReads(Operation *op) : op(op), ops(rowOps(op)) {
    for (Operation *inner : ops) {
      bool depends = isa<LayerNormOp, LayerNormGradOp, RmsNormOp, RmsNormGradOp>(inner);
      for (Value operand : inner->getOperands())
        depends |= operand.getDefiningOp() && dependents.contains(operand.getDefiningOp());
      if (depends)
        dependents.insert(inner);
    }
  }

  /// Whether all rows have one width: else an element of a result lies at another place than those that it is made of.
  bool haveOneWidth() const {
    return llvm::none_of(ops, [](Operation *inner) { return isa<GluOp, GluGradOp>(inner); });
  }

  /// The value inside of the kernel that stands for operand `index`.
  Value argument(unsigned index) const {
    if (auto map = dyn_cast<MapOp>(op))
      return map.getBody().getArgument(index);
    return op->getOperand(index);
  }

  /// Whether every read of `input` is one of its own row, element by element.
  bool isRowInput(Value input) const {
    for (OpOperand &use : input.getUses()) {
      Operation *user = use.getOwner();
      if (!llvm::is_contained(ops, user) || isSideOperand(user, use.getOperandNumber()))
        return false;
    }
    return true;
  }

  /// Whether `result` can be written over `input`.
  bool mayOverwrite(Value result, Value input) const {
    Operation *producer = result.getDefiningOp();
    if (!producer || !llvm::is_contained(ops, producer))
      return false;
    bool readLate = llvm::any_of(input.getUsers(), [&](Operation *user) { return dependents.contains(user); });
    // The first pass must be the only one that reads what it overwrites; in the last one the result reads it itself.
    if (!dependents.contains(producer))
      return !readLate && reads(producer, input);
    return !readLate || readsInLastPass(producer, input);
  }

private:
  bool reads(Operation *user, Value input) const {
    return llvm::any_of(user->getOperands(), [&](Value operand) {
      Operation *source = operand.getDefiningOp();
      return operand == input || (source && llvm::is_contained(ops, source) && reads(source, input));
    });
  }
  bool readsInLastPass(Operation *user, Value input) const {
    return llvm::any_of(user->getOperands(), [&](Value operand) {
      Operation *source = operand.getDefiningOp();
      return operand == input || (source && dependents.contains(source) && readsInLastPass(source, input));
    });
  }

  Operation *op;
  SmallVector<Operation *> ops;
  /// Ops that need the reduction over the row.
  llvm::DenseSet<Operation *> dependents;
};

} // namespace

SmallVector<InPlacePair> inPlacePairs(plan::KernelOp kernel) {
  Operation *op = &kernel.getBody().front().front();
  SmallVector<InPlacePair> pairs;
  std::optional<RowShape> shape = describeRows(op);
  if (!shape)
    return pairs;
  RowReads rows(op);
  if (!rows.haveOneWidth())
    return pairs;
  SmallVector<Value> outputs = rowOutputs(op);
  for (auto [index, output] : llvm::enumerate(outputs)) {
    if (isColumnSum(output) || lastAxis(output) != shape->width)
      continue;
    for (unsigned input = 0; input < op->getNumOperands(); ++input) {
      Value argument = rows.argument(input);
      // What lies in memory counts: inside of a map all floats are f32.
      if (op->getOperand(input).getType() == op->getResult(index).getType() && rows.isRowInput(argument) &&
          rows.mayOverwrite(output, argument))
        pairs.push_back({input, static_cast<unsigned>(op->getNumOperands() + index)});
    }
  }
  return pairs;
}

} // namespace bifocal
