// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_LIGHTCONVPRODUCTS_H
#define BIFOCAL_CODEGEN_CUDA_LIGHTCONVPRODUCTS_H

#include "codegen/cuda/ConvProducts.h"

namespace bifocal {

/// The taps of one head as a band: all rows have the same taps.
class TapBand {
public:
  TapBand(KernelBuilder &kernel, TileBuilder &tiles, mlir::Type element, int64_t kernelSize);

  /// Room for the taps in f32.
  Array taps() const;
  /// Makes the band of what is there, in order or the last tap first.
  void finish(bool reversed);

  /// Columns [column, column + 16) of the band.
  BandPiece piece(mlir::Value column) const;

private:
  KernelBuilder &kernel;
  TileBuilder &tiles;
  int64_t kernelSize, size;
  /// f32 with zeros on both sides; then both parts, with 15 zeros in front.
  Array padded, rounded, rest;
};

/// The products of 16 steps of gradients and of the inputs that their taps meet: element (r, c) belongs to tap c - r.
/// The sum over all steps, channels and slices is kept in memory, and gives the tap gradients in the end.
class CorrelateProducts {
public:
  CorrelateProducts(KernelBuilder &kernel, TileBuilder &tiles, int64_t kernelSize);

  /// `gradients` begins with the tile's first step, `inputs` with the step of its first tap.
  void add(const ConvTile &tile, const Matrix &gradients, const Matrix &inputs, int64_t width);
  /// Writes the sum for every tap, and zeros up to the next whole vector.
  void write(const Array &result);

private:
  KernelBuilder &kernel;
  TileBuilder &tiles;
  int64_t kernelSize, pieces;
  Matrix sums;
};

} // namespace bifocal
#endif
