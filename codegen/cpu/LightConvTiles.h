// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_LIGHTCONVTILES_H
#define BIFOCAL_CODEGEN_CPU_LIGHTCONVTILES_H

#include "codegen/cpu/ConvTiles.h"

namespace bifocal {

/// Channels that light_conv handles at a time.
constexpr int64_t lightConvSlice = 32;

/// A block of the taps of a filter, over a slab whose row 0 holds step `tile.first + firstTap - leftPadding`.
struct TapBlock {
  int64_t firstTap, taps, leftPadding;
};
/// The blocks of a filter of `kernelSize` taps: on a CPU of `tapBlock` taps, on a GPU of less, since a warp's slabs lie
/// in shared memory.
llvm::SmallVector<TapBlock> tapBlocks(KernelBuilder &kernel, int64_t kernelSize, int64_t leftPadding);

/// Rows that a slab of one block needs room for, with what whole tiles read beyond its end.
constexpr int64_t slabRoom(int64_t taps) { return lightConvChunk + taps + 24; }

/// Fills the slab of `block` from the channels at `source` (step 0 of the sequence), for `rows` steps of the tile and
/// their taps.
void packBlock(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile, const TapBlock &block,
               const Array &source, mlir::Value rows, int64_t width, const Slab &slab);

/// The sums of all rows of the tile over the taps at `taps`. Between blocks of taps they are kept in `sums`; the last
/// block adds `bias` (which may be null) and writes them to `output`, the place of the tile's first row. On CPUs that
/// is by way of `sums`, too: a tile computes a few channels of all rows, but rows of a sequence lie a power of two
/// apart, so lines that are written in parts would push each other out of the cache in between.
struct ConvolveTile {
  KernelBuilder &kernel;
  const ConvShape &shape;
  const ConvTile &tile;
  TapBlock block;
  Slab slab;
  Array taps;
  Slab sums;
  Array output, bias;

  /// Whether a filter of these blocks needs the place for sums.
  static bool keepsSums(const KernelBuilder &kernel, llvm::ArrayRef<TapBlock> blocks) {
    return blocks.size() > 1 || isStaged(kernel);
  }
  void run(int64_t width);

private:
  static bool isStaged(const KernelBuilder &kernel) { return !kernel.target().isWarp; }
  void runRows(mlir::Value row, const ColumnGroup &group);
  /// What the sums of some rows start with.
  KernelBuilder::Values firstSums(mlir::Value row, const ColumnGroup &group);
  bool isFirst() const { return block.firstTap == 0; }
  bool isLast() const { return block.firstTap + block.taps == shape.kernelSize; }
  void store(mlir::Value row, const ColumnGroup &group, KernelBuilder::Values &values, int64_t position);
};

/// sums[k] += the sum over the tile's rows of gradient[t] * input[t + k], lane by lane.
struct CorrelateTile {
  KernelBuilder &kernel;
  const ConvTile &tile;
  TapBlock block;
  Slab inputs, gradients;
  /// One vector per tap of the block.
  Array sums;

  void run(int64_t width);

private:
  void runTaps(mlir::Value tap, const ColumnGroup &group);
};

} // namespace bifocal
#endif
