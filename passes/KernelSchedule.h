// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_KERNELSCHEDULE_H
#define BIFOCAL_PASSES_KERNELSCHEDULE_H

// How each op is cut into kernel stages and tiles, and what scratch memory it needs. The schedule phase sizes buffers
// and grids from it; the code generators of every target write the tiles that it promises. One source file per op
// family (ConvSchedule.cpp, AttentionSchedule.cpp, ...).

#include "dialect/bifocal/BifocalOps.h"

namespace bifocal {

/// f32 lanes of the widest vectors that kernels are written in: rows of scratch end with a whole one.
constexpr int64_t widestVector = 32;

/// Scratch memory of a launch: `units` (an expression over the launch's sizes, or a constant) times `bytesPerUnit`.
struct KernelScratch {
  mlir::AffineExpr units;
  int64_t bytesPerUnit;
};

struct KernelSchedule {
  /// For reports and for the choice of a generator: the stem of the family's files, e.g. `light_conv`.
  std::string family;
  /// Tiles of each stage, in order. Symbol i is the launch's size i: the dynamic dims of the op's operands, then of its
  /// results, then of the states that it names, in order. Fixed by the shape alone, never by the number of threads.
  llvm::SmallVector<mlir::AffineExpr> stages;
  /// Appended to the launch's buffers, in order.
  llvm::SmallVector<KernelScratch> scratch;
  /// Greater than 0: tile i of the only stage covers rows [i * rowsPerTile, (i + 1) * rowsPerTile) of every row-shaped
  /// buffer, so the kernel can run as the epilogue of a GEMM.
  int64_t rowsPerTile = 0;
  /// Multiply-adds of the sums over steps of convolutions and attention, over the launch's sizes; null for kernels that
  /// are nothing but memory accesses to a machine.
  mlir::AffineExpr multiplyAdds;
};

/// The schedule of the kernel that computes `op` (a bifocal op or a map).
KernelSchedule scheduleKernel(mlir::Operation *op);

// One per family; the first element is empty when the op belongs to another family.
std::optional<KernelSchedule> scheduleAdaptive(mlir::Operation *op);
std::optional<KernelSchedule> scheduleConv(mlir::Operation *op);
std::optional<KernelSchedule> scheduleAttention(mlir::Operation *op);
std::optional<KernelSchedule> scheduleDense(mlir::Operation *op);
std::optional<KernelSchedule> scheduleLoss(mlir::Operation *op);
std::optional<KernelSchedule> scheduleOptim(mlir::Operation *op);
std::optional<KernelSchedule> scheduleRecurrent(mlir::Operation *op);
std::optional<KernelSchedule> scheduleSearch(mlir::Operation *op);

/// The states that `op` reads or writes, in the order of its definition: the order of their buffers in a launch.
llvm::SmallVector<mlir::FlatSymbolRefAttr> namedStates(mlir::Operation *op);

/// The ops of `op` (itself, or in the body of a map) that draw random numbers, in order.
llvm::SmallVector<mlir::Operation *> drawingOps(mlir::Operation *op);

/// Whether `type` holds floats of fewer bits than f32, in which the generators compute: sums that take more than one
/// write then need memory of their own.
bool isNarrow(mlir::Type type);

/// Number of dynamic dims of `op`: the sizes of its launch before the sites.
int64_t dynamicDims(mlir::Operation *op);

/// The dynamic dims of `op` in launch order, as symbols s0, s1, ...: one entry per operand, result and state.
SymbolicDims launchSymbols(mlir::Operation *op);

} // namespace bifocal
#endif
