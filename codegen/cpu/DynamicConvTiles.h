// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_DYNAMICCONVTILES_H
#define BIFOCAL_CODEGEN_CPU_DYNAMICCONVTILES_H

#include "codegen/cpu/ConvTiles.h"

namespace bifocal {

/// Channels that dynamic_conv handles at a time.
constexpr int64_t dynamicConvSlice = 64;
/// Neighbouring steps that share the inputs they load.
constexpr int64_t dynamicRows = tapGuard + 1;

/// y[t] = the sum over k of weight(t, k) x[t + k - leftPadding] for the rows of a tile, where weights are read along
/// diagonals from rows with guards of zeros. Convolution reads the row of the output's step, from tap 0 on; transposed,
/// it reads the rows of the inputs' steps, from the last tap back: that is the input gradient.
struct DynamicTile {
  KernelBuilder &kernel;
  const ConvShape &shape;
  const ConvTile &tile;
  /// Not transposed: the guarded row of the tile's first step. Transposed: that of step 0 of the sequence.
  Array weights;
  int64_t weightStride;
  bool transposed;
  /// Channel 0 of the head at step 0 of the sequence.
  Array input, output;
  /// Per channel of the head; may be null.
  Array bias;

  void run();

private:
  int64_t padding() const { return transposed ? shape.kernelSize - 1 - shape.leftPadding : shape.leftPadding; }
  /// All channels of a filter with few taps.
  void runShort();
  /// `source`: the row of the first step that the tile's first row meets.
  void runSlice(const Slab &source, mlir::Value channel, int64_t width, bool masked);
  void runRows(const Slab &source, mlir::Value row, mlir::Value channel, const ColumnGroup &group, bool masked);
  void weightsOf(mlir::Value row, mlir::Value start, llvm::SmallVectorImpl<Array> &bases);
};

/// Writes the zeros on both sides of a guarded row; the taps are written afterwards.
void clearGuards(KernelBuilder &kernel, const Array &row, int64_t taps);

/// Index of the first tap of step `step` of the tile's head in the whole tensor of taps.
mlir::Value firstTapAt(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, mlir::Value step);
/// The same for guarded rows.
mlir::Value guardedTapAt(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, mlir::Value step);

} // namespace bifocal
#endif
