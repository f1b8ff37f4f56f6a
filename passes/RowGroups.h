// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_ROWGROUPS_H
#define BIFOCAL_PASSES_ROWGROUPS_H

// Which row ops of a block go through memory together. A group holds ops over the same rows, at most one row reduction,
// and is convex when all groups are taken as single nodes: no path leaves a group and comes back.

#include "dialect/bifocal/BifocalOps.h"
#include "passes/Remarks.h"

namespace bifocal {

/// Whether `op` can be in a group: row-wise, on tensors that have rows.
bool isRowOp(mlir::Operation *op);

/// Whether `operand` is read row by row, unlike a table or a vector that all rows share.
bool isRowOperand(mlir::OpOperand &operand);

class RowGroups {
public:
  RowGroups(mlir::Block &block, const Remarks &remarks);

  /// Groups all row ops, each joining its producers from the latest to the earliest as far as the rules allow.
  void build();

  /// The ops and groups of the block in an order that respects values and effects; a group stands where its last
  /// member stood if it can. A single op is a unit of one. The terminator is left out.
  llvm::SmallVector<llvm::SmallVector<mlir::Operation *>> order() const;

private:
  struct Group {
    llvm::SmallVector<unsigned> members;
    mlir::Operation *reduction = nullptr;
  };

  void link();
  void join(unsigned op, unsigned producer);
  std::string whyNot(unsigned into, unsigned from) const;
  mlir::Operation *findDetour(unsigned a, unsigned b) const;

  mlir::Block &block;
  const Remarks &remarks;
  /// Ops by position, their readers and successors in effect order, and the group of each (initially its own).
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SmallVector<llvm::SmallVector<unsigned>> successors;
  llvm::DenseMap<mlir::Operation *, unsigned> positions;
  llvm::SmallVector<unsigned> groupOf;
  llvm::SmallVector<Group> groups;
};

} // namespace bifocal
#endif
