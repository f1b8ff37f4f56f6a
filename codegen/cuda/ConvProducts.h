// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_CONVPRODUCTS_H
#define BIFOCAL_CODEGEN_CUDA_CONVPRODUCTS_H

// Convolutions as products of matrices. The channels of a head share their taps, so the outputs of 16 steps are a band
// of taps, 16 x (16 + K - 1), times the inputs of 16 + K - 1 steps:
//
//   output[r][channel] = sum over c of band[r][c] * input[c][channel],   band[r][c] = tap c - r of row r
//
// A tensor core computes a whole 16 x 16 matrix where threads would compute some rows, zeros of the band included. It
// takes factors of 16 bits. Inputs are such numbers; a tap is the sum of two of them, one rounded and what it lacks, so
// that it has about twice as many bits as an input. Zeros are multiplied, too: an input that is infinite or no number
// makes one of all outputs of its 16 steps and channel, also of those whose taps do not meet it.

#include "codegen/cpu/ConvTiles.h"
#include "codegen/cuda/TileBuilder.h"

namespace bifocal {

/// A band of few taps is mostly zeros; still it takes less time than threads that add up steps one by one.
constexpr int64_t fewestBandTaps = 2;
/// Pieces of a band that a warp holds in registers, or sums of as many.
constexpr int64_t mostBandPieces = 8;

/// The 16 x 16 pieces of the band of 16 rows.
constexpr int64_t bandPieces(int64_t kernelSize) { return (kernelSize + 15 + 15) / 16; }

/// Rows of a slab for `rows` steps: their taps reach to the end of the last piece.
constexpr int64_t bandRows(int64_t rows, int64_t kernelSize) { return rows - 16 + 16 * bandPieces(kernelSize); }

/// Whether inputs and outputs are of one 16-bit type, and heads of whole pieces of memory: threads copy eight channels
/// at a time.
bool fitsTensorCores(const ConvShape &shape, llvm::ArrayRef<mlir::Value> sequences);

/// Rows of a tile's channels in shared memory, `slice` channels at a time.
struct ConvSlab {
  Matrix matrix;
  int64_t rows, slice;
};

/// Fills `slab` with the steps from `padding` before the tile's first one on, of `width` channels; `source` has step 0
/// of the sequence. Steps that the sequence has not, and channels up to the end of the slice, become 0. The slab is
/// full behind the next wait.
void fillSlab(KernelBuilder &kernel, TileBuilder &tiles, const ConvTile &tile, const Matrix &source, int64_t padding,
              int64_t width, const ConvSlab &slab);

/// Adds to the 16 x 16 pieces of a band, two columns of tiles each, the products of 16 rows of gradients and of the
/// inputs that their taps meet: element (r, c) belongs to tap c - r of row r.
void correlate(KernelBuilder &kernel, TileBuilder &tiles, const Matrix &gradients, const Matrix &inputs, int64_t width,
               llvm::MutableArrayRef<TileBuilder::Sums> band);

/// One piece as the sum of two.
struct BandPiece {
  std::array<mlir::Value, 4> rounded, rest;
};

/// The outputs of a tile: bands times a slab of inputs.
struct ConvolveProducts {
  KernelBuilder &kernel;
  TileBuilder &tiles;
  const ConvTile &tile;
  /// Row 0 of the slab meets the first tap of the tile's first step; 16 rows of `staging` become whole rows of memory.
  Matrix slab, staging;
  /// From the tile's first step on; `bias` may be null.
  Matrix output;
  Array bias;
  /// Channels.
  int64_t width;

  /// The rows [row, row + 16) with the pieces of their band.
  void run(mlir::Value row, llvm::ArrayRef<BandPiece> pieces);
  /// The same with pieces that are read one by one; `piece` is given the first column.
  void run(mlir::Value row, int64_t count, llvm::function_ref<BandPiece(mlir::Value column)> piece);

private:
  using Sums = llvm::SmallVector<TileBuilder::Sums>;
  Sums zeros() const { return Sums(llvm::divideCeil(width, 8), tiles.zeros()); }
  Sums addPiece(Sums sums, mlir::Value slabRow, const BandPiece &piece);
  void store(mlir::Value row, const Sums &sums);
};

} // namespace bifocal
#endif
