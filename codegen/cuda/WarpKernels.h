// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_WARPKERNELS_H
#define BIFOCAL_CODEGEN_CUDA_WARPKERNELS_H

// A warp is a vector register of 32 lanes. The generators of every family write kernels in terms of such vectors; here
// a function on vectors becomes a GPU kernel in which a warp works on one tile, each thread on its lanes:
//
//   vectors       the lanes [t * m, (t + 1) * m) of a vector of 32 m lanes are thread t's; of a shorter vector thread t
//                 has lane t, and threads beyond its end have something that nobody looks at
//   scalars       the same in all threads; one thread stores them
//   stack arrays  shared memory of the warp
//   shuffles      between threads
//
// Threads read what others of the warp wrote, so a warp is synchronised between such accesses, and where it waits for
// copies; nothing else is, since warps share nothing.

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace bifocal {

/// Lanes of a vector that a warp is.
constexpr int64_t warpLanes = 32;

/// What a launch of a kernel needs, as attributes of its `gpu.func` say it.
struct WarpKernel {
  /// `<kernel>.<stage>`.
  std::string name;
  /// Warps of a block, each with a tile of its own: the grid has ceil(tiles / warps) blocks of 32 * warps threads.
  int64_t warps = 0;
  /// Bytes of dynamic shared memory of a block.
  int64_t sharedBytes = 0;
  /// The parameters are these buffers of the launch (pointers), then these of its sizes (i64), then the number of
  /// tiles.
  llvm::SmallVector<int64_t> buffers, sizes;
  /// The number of tiles by the launch's sizes; null: what the plan says.
  mlir::AffineMap tiles;

  void describe(mlir::gpu::GPUFuncOp function) const;
  /// Nothing for a function without such attributes.
  static std::optional<WarpKernel> of(mlir::gpu::GPUFuncOp function);
};

/// Writes a `gpu.func` into `target` for `function`, as `KernelBuilder::stage` makes it for vectors of 32 lanes. Fails,
/// with an error at the op, where something has no form for a warp, or needs more shared memory than a block may have.
mlir::FailureOr<mlir::gpu::GPUFuncOp> distributeToWarp(mlir::func::FuncOp function, mlir::gpu::GPUModuleOp target);

} // namespace bifocal
#endif
