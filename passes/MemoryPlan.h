// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_MEMORYPLAN_H
#define BIFOCAL_PASSES_MEMORYPLAN_H

#include "dialect/plan/PlanOps.h"
#include "llvm/ADT/MapVector.h"

namespace bifocal {

/// The first and the last step that names a buffer.
struct Lifetime {
  unsigned first, last;
  /// Of a workspace of a product within a step that is a loop: the number of the product there, from 1; else 0.
  unsigned product = 0;

  bool meets(const Lifetime &other) const {
    bool inTurn = product != 0 && other.product != 0 && product != other.product;
    return first <= other.last && other.first <= last && !inTurn;
  }
};

/// When the buffers of an entry live, and which of them may share a place although they meet.
class MemoryPlan {
public:
  explicit MemoryPlan(plan::EntryOp entry);

  /// The arena buffers that a step names, in order.
  const llvm::MapVector<mlir::Operation *, Lifetime> &lifetimes() const { return lives; }
  /// The input that a buffer may overwrite at the step that first writes the buffer and last reads the input, or null.
  plan::BufferOp overwritten(plan::BufferOp buffer) const;

  /// Sets offsets and peaks.
  llvm::LogicalResult assign();
  /// Says which live buffers overlap, if any do, or leave their class.
  llvm::LogicalResult verify();

private:
  void findTurns(plan::SlabsOp slabs);
  void findSharing(mlir::Operation *step, unsigned number, plan::KernelOp kernel, mlir::ValueRange buffers,
                   mlir::ValueRange kept);

  plan::EntryOp entry;
  llvm::MapVector<mlir::Operation *, Lifetime> lives;
  /// Result to input.
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> shared;
};

} // namespace bifocal
#endif
