// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_REMARKS_H
#define BIFOCAL_PASSES_REMARKS_H

// What an optimisation says about a candidate: that it fired, or the reason why it did not.

#include "mlir/IR/Operation.h"
#include "llvm/ADT/Twine.h"

namespace bifocal {

/// `file:line:col` of `location`, or its printed form when it is no place in a file.
std::string describeLocation(mlir::Location location);

/// `'bifocal.add' at file:line:col`.
std::string describeOp(mlir::Operation *op);

/// Emits remarks when the pass was asked for them.
class Remarks {
public:
  explicit Remarks(bool enabled) : enabled(enabled) {}

  void fused(mlir::Operation *op, const llvm::Twine &what) const { say(op, "fused: " + what); }
  void kept(mlir::Operation *op, const llvm::Twine &why) const { say(op, "not fused: " + why); }
  void again(mlir::Operation *op, const llvm::Twine &what) const { say(op, "computed again: " + what); }
  void stays(mlir::Operation *op, const llvm::Twine &why) const { say(op, "not computed again: " + why); }
  void wide(mlir::Operation *op, const llvm::Twine &why) const { say(op, "stays f32: " + why); }

private:
  void say(mlir::Operation *op, const llvm::Twine &text) const {
    if (enabled)
      op->emitRemark(text);
  }
  bool enabled;
};

/// The first reader of `value` that is not `known`, in program order; null when there is none.
mlir::Operation *otherReader(mlir::Value value, llvm::ArrayRef<mlir::Operation *> known);

} // namespace bifocal
#endif
