// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_TAPBATCH_H
#define BIFOCAL_CODEGEN_CUDA_TAPBATCH_H

#include "codegen/cpu/ConvTiles.h"

namespace bifocal {

/// The taps of some steps at a time, in the registers of a warp: while one step waits for its memory, or for the
/// exchanges of its softmax, the others go on. What `TapRows` does to one row after the other.
class TapBatch {
public:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;

  /// `rng` may be null when nothing is dropped.
  TapBatch(KernelBuilder &kernel, const ConvShape &shape, const Array &rng);

  /// Vectors of a row, and rows at a time.
  int64_t vectors() const { return static_cast<int64_t>(llvm::divideCeil(shape.kernelSize, kernel.width())); }
  int64_t rows() const { return std::max<int64_t>(1, 8 / vectors()); }

  struct Row {
    /// Index of its first tap in the whole tensor; how many there are: all, or 0 for a row that is not there.
    Value element, count;
    TapBounds bounds;
  };
  /// Reads the rows of `raw`: the taps of the model, which softmax normalises where the shape says so.
  void read(const Array &raw, llvm::ArrayRef<Row> rows);

  /// The used taps of vector `vector` of a row: after DropConnect.
  Value used(int64_t row, int64_t vector) { return drop(row, vector, taps[row][vector]); }
  /// The gradients of the raw taps of a row by those of the used ones, which `gradient` gives vector by vector.
  Values differentiate(int64_t row, llvm::function_ref<Value(int64_t vector)> gradient);
  /// The lanes of a vector that are taps of a row.
  Value mask(int64_t row, int64_t vector) const { return masks[row][vector]; }
  /// The first tap of a vector.
  Value columnOf(int64_t vector) { return kernel.index(vector * kernel.width()); }

private:
  void normalise(int64_t row, const TapBounds &bounds);
  Value drop(int64_t row, int64_t vector, Value values);

  KernelBuilder &kernel;
  const ConvShape &shape;
  KernelBuilder::PhiloxKeys keys;
  /// Of each row: memory for its draws, and where they begin.
  llvm::SmallVector<Array> draws, drawn;
  llvm::SmallVector<Values> taps, masks;
};

} // namespace bifocal
#endif
