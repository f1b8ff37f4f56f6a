// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_REVERSEMODE_H
#define BIFOCAL_PASSES_REVERSEMODE_H

// Reverse mode over one block. A gradient is seeded at some results, flows against the order of the ops, and is
// collected at arguments and parameters. Each contribution is added as soon as it exists, in the order in which readers
// are met.

#include "dialect/bifocal/BifocalOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace bifocal {

class ReverseMode {
public:
  /// Differentiates `block`; gradient ops are written before its terminator. What depends on `sources`, or on a trained
  /// parameter when `parameters` is true, is on the path.
  ReverseMode(mlir::Block &block, mlir::ValueRange sources, bool parameters);

  /// Adds `gradient` to what flows into `value`.
  void addGradient(mlir::Value value, mlir::Value gradient);

  /// Walks all ops from the last to the first. An op on the path without a gradient is an error at that op.
  llvm::LogicalResult run();

  /// The gradient of `value`, null where none flows. References to one parameter share theirs.
  mlir::Value gradientOf(mlir::Value value) const;
  mlir::Value gradientOfParameter(mlir::Attribute parameter) const;

private:
  llvm::LogicalResult visit(mlir::Operation *op);
  mlir::Value &slotOf(mlir::Value value);

  mlir::Block &block;
  mlir::OpBuilder builder;
  llvm::DenseSet<mlir::Value> active;
  llvm::DenseMap<mlir::Value, mlir::Value> valueGradients;
  llvm::DenseMap<mlir::Attribute, mlir::Value> parameterGradients;
};

/// Erases the ops of `block` that are pure and that nothing reads, last to first.
void eraseUnread(mlir::Block &block);

/// Whether the update changes the parameter.
bool isTrained(ParamOp parameter);

} // namespace bifocal
#endif
