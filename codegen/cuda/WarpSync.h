// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_WARPSYNC_H
#define BIFOCAL_CODEGEN_CUDA_WARPSYNC_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace bifocal {

/// Decides where the threads of a warp have to wait for each other: where one may read or write what another one wrote,
/// or write what another one reads.
///
/// Memory is told apart by the buffer or stack array that an address comes from. Two buffers of a launch may be the
/// same memory, where a kernel works in place: then vectors lie at the same places of both, lane by lane, but a scalar,
/// which all threads read and one writes, may be any element of them.
///
/// A copy (tile.copy) counts as a write of its target where it begins: nothing that was read there is overwritten too
/// early. That it has come is for a `tile.wait`, which synchronises the warp itself.
class WarpSync {
public:
  explicit WarpSync(mlir::func::FuncOp function);

  /// Whether the warp has to be synchronised before `access`, a load or a store of the function that is met in order;
  /// if so, all accesses so far count as ordered.
  bool needsSync(mlir::Operation &access);
  /// The warp has been synchronised by something else.
  void clear() { pending = State(); }

  /// What has happened since the warp was synchronised: to each root, and to all buffers of an element type.
  struct State {
    llvm::DenseMap<mlir::Value, unsigned> roots;
    llvm::DenseMap<mlir::Type, unsigned> buffers;
  };
  // Accesses inside of a loop meet those of the trip before; those behind a branch meet those of both sides.
  void enterLoop(mlir::Operation &loop);
  State state() const { return pending; }
  void restore(State earlier) { pending = std::move(earlier); }
  void merge(const State &other);

private:
  struct Access {
    mlir::Value root; ///< the buffer or the stack array
    mlir::Type element;
    bool isBuffer = false;
    unsigned kind = 0;
  };
  /// None for ops that access no memory, several for copies.
  static llvm::SmallVector<Access, 3> accessesOf(mlir::Operation &op);
  bool conflicts(const Access &access) const;
  void add(const Access &access);

  enum : unsigned { VectorRead = 1, VectorWritten = 2, ScalarRead = 4, ScalarWritten = 8 };
  State pending;
  /// Roots that are read and written in this function, or written by more than one op, and stack arrays: elements of
  /// others are written by one thread each.
  llvm::DenseSet<mlir::Value> ordered;
};

} // namespace bifocal
#endif
