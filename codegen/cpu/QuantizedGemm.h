// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_QUANTIZEDGEMM_H
#define BIFOCAL_CODEGEN_CPU_QUANTIZEDGEMM_H

// Products with B in 8 bits. A group is `gemmInnerSteps` steps of one column of B, or of one row of A: its largest
// magnitude becomes 127, and what is between is rounded to the nearest integer, ties to even. Groups are blocks of the
// inner axis, so sums of integers are exact whatever order they are taken in, and a block adds
// `scale of the row * scale of the column * sum` to an element of C.

#include "codegen/cpu/GemmTiles.h"

namespace bifocal {

/// What all products of 8 bits share: scales, and where panels lie. Panels of B hold, group by group, one f32 scale for
/// each column, then the bytes of all steps, in an order that is for those who derive from it.
class QuantizedGemm : public GemmTiles {
protected:
  /// `stepsOfElement` steps of A are one element of 4 bytes.
  QuantizedGemm(KernelBuilder &kernel, const GemmForm &form, int64_t stepsOfElement);

  bool weightsOnly() const { return form.quantization == plan::Quantization::weights; }

  /// Packs the steps [0, count) of the rows of a micro tile, and what they are scaled with.
  virtual void packRows(Value position, llvm::ArrayRef<Array> rows, Value count) = 0;
  /// Packs the bytes of the columns [first, first + lanes) of a panel; `inverses` are what they are multiplied with
  /// before they are rounded, in all lanes.
  virtual void packColumnGroup(const Array &bytes, int64_t first, llvm::ArrayRef<Array> rows, const Values &inverses,
                               Value count) = 0;
  /// The sums of `count` products, without the scales.
  virtual Values products(Value position, const Array &bytes, Value count) = 0;

  void allocate(bool ownPanels) override;

  /// Writes the scales of rows to `scales`, one after the other. Returns what each row is multiplied with before it is
  /// rounded, in all lanes.
  Values writeScales(llvm::ArrayRef<Array> rows, Value count, const Array &scales);
  /// A row as integers of at most 127.
  Value quantized(Value vector, Value inverse);
  /// One vector for each lane of `vectors`.
  Values transposed(llvm::ArrayRef<Value> vectors);

  Array panelOfA(Value position) {
    return kernel.from(packedA, kernel.mul(kernel.div(position, kernel.index(microRows)), panelStride));
  }
  mlir::Type integers() { return kernel.vectorOf(kernel.i32()); }

  const int64_t lanes;
  /// The scales of the rows that `packedA` holds. Memory of one tile.
  Array rowScales;

private:
  void packA(const GemmTile &tile, Value inner, Value count) override;
  void packColumns(Value first, Value end, Value inner, Value count) override;
  Array keptPanel(Value column, Value inner) override;
  Array ownPanel(Value column, Value inner, Value count) override;
  Values multiply(Value position, const Array &panelB, const GemmAhead &ahead, Value count, Values sums) override;
  /// Panels of bytes fit a page or two.
  GemmAhead aheadOf(const GemmTile &, Value, Value, Value, Value) override { return {}; }

  void packPanel(Value column, Value inner, Value count, const Array &panel);
  /// The largest magnitude of [0, count) / 127, or 0 where that is too small to divide by.
  Value scaleOf(const Array &row, Value count);
  /// Behind the scales of a panel.
  Array bytesOf(const Array &panel) { return {kernel.from(panel, kernel.index(panelColumns)).base, kernel.i8()}; }

  /// From one panel of A to the next, in elements of 4 bytes.
  const int64_t panelStride;
  /// Memory of one tile.
  Array packedA, packedB;
};

/// Products of pairs of 16-bit integers, which every level of CPUs adds up, or of floats with the integers of B.
void writeQuantizedPairs(KernelBuilder &kernel, llvm::StringRef name, const GemmForm &form);
/// Products of four bytes at a time, for targets with dot products.
void writeQuantizedQuads(KernelBuilder &kernel, llvm::StringRef name, const GemmForm &form);

} // namespace bifocal
#endif
