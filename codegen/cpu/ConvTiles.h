// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_CONVTILES_H
#define BIFOCAL_CODEGEN_CPU_CONVTILES_H

// What the kernels of all convolutions share. A tile is one head of some neighbouring steps of one sequence. Its inputs
// are copied into a slab on the stack, slice of channels by slice, with zeros where the sequence has no step: rows of a
// sequence lie a power of two apart, so without the copy they would fight for the same few lines of the cache, and
// without the zeros every load would have to look where the sequence ends. Filters with few taps do without a slab on
// CPUs (ShortConvTile.h).

#include "codegen/common/KernelBuilder.h"
#include "passes/ConvSchedule.h"

namespace bifocal {

/// The place of one tile: steps [first, first + rows) of sequence `batch`.
struct ConvTile {
  mlir::Value batch, head, first, rows;
  /// Number of steps of the sequence.
  mlir::Value steps;
  /// Number of the tile among those of its head.
  mlir::Value share;
};
ConvTile placeConvTile(KernelBuilder &kernel, const ConvShape &shape, mlir::Value tile, int64_t chunk);

/// The element of channel 0 of the tile's head at step 0 of its sequence.
mlir::Value headOrigin(KernelBuilder &kernel, const ConvShape &shape, const ConvTile &tile);

/// Rows of `stride` elements.
struct Slab {
  Array base;
  int64_t stride = 0;
  /// Rows that its memory has; for those that packSlab fills.
  int64_t room = 0;
};

/// Copies `rows` steps from `first` on (which may be negative) of the `width` channels at `source`; rows of the source
/// are `sourceStride` elements apart. Steps outside [0, steps) and channels up to the next whole vector become 0.
void packSlab(KernelBuilder &kernel, const Array &source, int64_t sourceStride, mlir::Value steps, mlir::Value first,
              mlir::Value rows, int64_t width, const Slab &slab);

/// Copies `rows` rows of `width` channels from the slab to `target`, whose rows are `stride` elements apart, and adds
/// `bias`, one for each channel, which may be null.
void unpackSlab(KernelBuilder &kernel, const Slab &slab, mlir::Value rows, int64_t width, const Array &bias,
                const Array &target, int64_t stride);

/// Calls `body(channel, width)` for slices of a head's channels: whole slices in a loop, then the rest.
void forSlices(KernelBuilder &kernel, int64_t headWidth, int64_t sliceWidth,
               llvm::function_ref<void(mlir::Value channel, int64_t width)> body);

/// Some neighbouring vectors of channels; `mask` is that of the last one, null when it is whole.
struct ColumnGroup {
  mlir::Value column;
  int64_t vectors;
  mlir::Value mask;

  mlir::Value maskOf(int64_t vector) const { return vector == vectors - 1 ? mask : mlir::Value(); }
};
void forColumnGroups(KernelBuilder &kernel, int64_t width, int64_t maxVectors,
                     llvm::function_ref<void(const ColumnGroup &group)> body);

/// One step of a band: sums[row][c] += weight(row, tap, c) * input(row + tap, c) for all rows and taps. An input is
/// loaded once and serves up to `taps` sums; each sum takes its taps in ascending order.
void bandStep(KernelBuilder &kernel, KernelBuilder::Values &sums, int64_t rows, int64_t taps, int64_t columns,
              llvm::function_ref<mlir::Value(int64_t row, int64_t tap, int64_t column)> weight,
              llvm::function_ref<mlir::Value(int64_t row, int64_t column)> input);

/// Lane i is the sum of the lanes of vectors[i]. Expects as many vectors as a vector has lanes.
mlir::Value sumsOfLanes(KernelBuilder &kernel, llvm::ArrayRef<mlir::Value> vectors);

/// The taps [low, high) of a row that count; null: all.
struct TapBounds {
  mlir::Value low, high;
};

/// The taps of step `step` of a dynamic convolution that count, in a sequence of so many steps.
TapBounds tapBoundsAt(KernelBuilder &kernel, const ConvShape &shape, mlir::Value step, mlir::Value steps);

/// Memory for the draws of one row of taps; a row starts anywhere in its first block of four.
Array tapDraws(KernelBuilder &kernel, const ConvShape &shape);
/// Fills it for the row whose first tap is `element` of the whole tensor; where the draws of the row begin.
Array drawTaps(KernelBuilder &kernel, const ConvShape &shape, const KernelBuilder::PhiloxKeys &keys,
               mlir::Value element, const Array &draws);
/// Taps from `column` on, or their gradients, after DropConnect.
mlir::Value dropTaps(KernelBuilder &kernel, const ConvShape &shape, mlir::Value taps, const Array &drawn,
                     mlir::Value column);

/// From the taps of the model to those that are used: softmax, then DropConnect, and back.
class TapRows {
public:
  /// `rng` may be null when nothing is dropped.
  TapRows(KernelBuilder &kernel, const ConvShape &shape, const Array &rng);

  /// Writes the used taps of the row `raw` to `output`; `element`: index of the row's first tap in the whole tensor.
  void use(const Array &raw, mlir::Value element, const Array &output, TapBounds bounds = {});
  /// Turns the gradient of the used taps into that of the raw taps; `used` receives the used taps. `gradient` and
  /// `result` may be the same memory.
  void differentiate(const Array &raw, mlir::Value element, const Array &gradient, const Array &result,
                     const Array &used, TapBounds bounds = {});

private:
  using Value = mlir::Value;
  Value visible(Value column, Value mask, TapBounds bounds);
  /// Writes the softmax without its division; returns the factor that is missing.
  Value exponentials(const Array &raw, const Array &output, TapBounds bounds);
  /// Draws for the whole row into the buffer; the row starts at the returned place of the buffer.
  Array drawRow(Value element);
  Value drop(Value taps, const Array &drawn, Value column);
  int64_t unrolled() const;

  KernelBuilder &kernel;
  const ConvShape &shape;
  KernelBuilder::PhiloxKeys keys;
  Array draws;
};

} // namespace bifocal
#endif
