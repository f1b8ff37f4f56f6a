// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_LANEPATTERN_H
#define BIFOCAL_CODEGEN_CUDA_LANEPATTERN_H

#include "mlir/IR/Builders.h"

namespace bifocal {

/// Where the lanes of a shuffle of two vectors come from, as numbers that a thread can compute with: bit l of plane b
/// is bit b of the thread that lane l comes from.
struct LanePattern {
  uint32_t planes[5] = {};
  /// Bit l: lane l comes from the second vector.
  uint32_t second = 0;
  uint32_t lanes = 0; ///< how many lanes there are; bits beyond them mean nothing

  /// The thread (i32) that `thread` takes its lane from; null where that is itself.
  mlir::Value sourceThread(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value thread) const;
  /// Whether `thread` takes it from the second vector; null where no thread does.
  mlir::Value isSecond(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value thread) const;
};

/// `sources` as of vector.shuffle: lane i of the second vector is `lanes` + i.
LanePattern patternOf(llvm::ArrayRef<int64_t> sources, int64_t lanes);

} // namespace bifocal
#endif
