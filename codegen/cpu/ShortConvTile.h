// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_SHORTCONVTILE_H
#define BIFOCAL_CODEGEN_CPU_SHORTCONVTILE_H

#include "codegen/cpu/ConvTiles.h"

namespace bifocal {

/// A tile of a convolution with few taps, which memory bounds and not arithmetic: it reads the sequence where it lies,
/// without a slab, and passes through a few whole rows of the head at a time, so that lines are read and written one
/// behind the other. Rows of zeros stand for steps that the sequence does not have. An output takes its taps one by
/// one, from the first on, as with slabs and in a decoding step: all have the same bits. The gradients of taps are sums
/// in another order than with slabs.
class ShortConvTile {
public:
  using Value = mlir::Value;

  /// Rows that a step of the work has.
  static constexpr int64_t tileRows = 4;

  /// Whether the target's convolutions of `shape` are to go this way, given the types of all their sequences.
  static bool fits(const KernelBuilder &kernel, const ConvShape &shape, mlir::TypeRange sequences);

  /// To be made inside of a stage: takes places on the stack. All sequences are given by the head's channel 0 at step
  /// 0.
  ShortConvTile(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile);

  /// Calls `body` with every row of the tile that the functions below are to work on, with its neighbours.
  void forRows(llvm::function_ref<void(Value row)> body);

  /// The weight of tap `tap` for row `row` + `offset` of the tile.
  using Weight = llvm::function_ref<Value(int64_t offset, int64_t tap)>;
  /// output[t] = the sum over k of weight(t - row, k) input[t + k - padding], plus `bias` (one for each channel, or
  /// null), for `tileRows` rows of the tile.
  void convolve(Value row, const Array &input, const Array &output, int64_t padding, Weight weight,
                const Array &bias = {});
  /// sums[k] += the sum over the same rows of gradient[t] * input[t + k - padding], lane by lane: a vector for each
  /// tap.
  void correlate(Value row, const Array &gradient, const Array &input, int64_t padding, const Array &sums);
  /// What lies `stride` elements apart for each step under the taps of these rows; zeros where there is no step.
  llvm::SmallVector<Array> rowsUnder(Value row, const Array &sequence, int64_t stride, int64_t padding);

private:
  /// `count` rows of `sequence` from step `first` on, `instead` for those outside of [0, end).
  llvm::SmallVector<Array> rowsOf(const Array &sequence, int64_t stride, Value first, int64_t count, Value end,
                                  const Array &instead);

  KernelBuilder &kernel;
  const ConvShape &shape;
  const ConvTile &tile;
  /// A row to read and one to write where there is no step.
  Array zeros, dropped;
};

} // namespace bifocal
#endif
