// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_GEMMTILES_H
#define BIFOCAL_CODEGEN_CPU_GEMMTILES_H

#include "codegen/cpu/GemmKernels.h"
#include "runtime/core/ArtifactFormat.h"

namespace bifocal {

/// Rows and columns [first, first + count) of C. Of the rows `real` are computed: the whole tile, or those that the
/// mask names.
struct GemmTile {
  mlir::Value firstRow, rows, firstColumn, columns, real;
};

/// Where sums lie: the element of the first row and column, and the elements from one row to the next.
struct GemmSums {
  Array first;
  mlir::Value stride;
};

/// One block of the inner axis: how many of its steps the sums take; where they come from (0, C, or what the block
/// before left) and whether they are whole behind it.
struct GemmBlock {
  mlir::Value count, fresh, isFirst, isLast;
};

/// What a micro tile asks for ahead: a part of the next panel of B, `stride` elements further for each step. A null
/// place asks for nothing.
struct GemmAhead {
  Array place;
  mlir::Value stride;
};

/// What all kernels of products share: how C is cut, which rows and steps the mask leaves, blocks of the inner axis,
/// micro tiles at the edges. What panels hold and how they are multiplied is for those who derive from it.
class GemmTiles {
public:
  /// Writes the three stages of the kernel `name`.
  void write(llvm::StringRef name);

protected:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;

  /// Steps of the inner axis that are packed at a time: a panel of B fits L1 beside one of A, all rows of a tile fit
  /// L2.
  static constexpr int64_t innerSteps = format::gemmInnerSteps;
  /// 6 x 2 sums, 2 vectors of B and 1 element of A fit 16 registers; 12 x 2, 2 and 1 fit 32.
  static constexpr int64_t microVectors = 2;

  GemmTiles(KernelBuilder &kernel, const GemmForm &form);
  virtual ~GemmTiles() = default;

  /// Memory of the stack for one tile: of A, and with `ownPanels` of one panel of B.
  virtual void allocate(bool ownPanels) = 0;
  /// Packs the steps [inner, inner + count) of the real rows of a tile.
  virtual void packA(const GemmTile &tile, Value inner, Value count) = 0;
  /// Packs these steps of the columns [first, end) of B into the workspace.
  virtual void packColumns(Value first, Value end, Value inner, Value count) = 0;
  /// The panel of B that starts at `column`: in the workspace, or packed now.
  virtual Array keptPanel(Value column, Value inner) = 0;
  virtual Array ownPanel(Value column, Value inner, Value count) = 0;
  /// The sums of a micro tile, row by row, with `count` more products each. `position` counts the packed rows before
  /// it.
  virtual Values multiply(Value position, const Array &panelB, const GemmAhead &ahead, Value count, Values sums) = 0;
  /// What the micro tile at `position` asks for of the panel behind the one that starts at `column`.
  virtual GemmAhead aheadOf(const GemmTile &tile, Value position, Value column, Value inner, Value count) = 0;

  /// Where a row that is computed stands in its tile.
  Value rowOf(Value position) { return form.transA ? position : kernel.load(realRows, position); }
  /// The rows of A, as it is stored, from the step `inner` on, that the micro tile at `position` packs; after the last
  /// one it again.
  llvm::SmallVector<Array> rowsOfA(const GemmTile &tile, Value position, Value inner);
  /// The same for the columns of a transposed B from `column` on.
  llvm::SmallVector<Array> rowsOfB(Value column, Value inner, int64_t count);

  Array a() { return kernel.buffer(0, form.a); }
  Array b() { return kernel.buffer(1, form.b); }
  Array workspace() { return kernel.buffer(3, kernel.f32()); }
  Value m() { return kernel.size(0); }
  Value n() { return kernel.size(1); }
  Value k() { return kernel.size(2); }
  // Elements from one row of a matrix, as it is stored, to the next.
  Value strideA() { return kernel.size(7); }
  Value strideB() { return kernel.size(8); }
  Value strideC() { return kernel.size(9); }

  KernelBuilder &kernel;
  const GemmForm form;
  const int64_t microRows, panelColumns;
  /// With a transposed A what the mask, if there is one, leaves of the steps of an inner block. Else null.
  Array realSteps;

private:
  void writePacking(Value tile);
  void writeTile(Value number, bool ownPanels);
  /// Writes those of [0, count) whose place [first, first + count) in the mask is real, all without a mask, into
  /// `list`; returns their number.
  Value listReal(Value first, Value count, const Array &list);
  /// The steps of an inner block that the sums take. Only a transposed A has rows that are steps.
  Value listSteps(Value inner);
  void clearPadding(const GemmTile &tile);
  /// All blocks of the inner axis for the columns of a tile.
  void writeColumns(const GemmTile &tile, bool ownPanels);
  void clear(const GemmTile &tile);
  /// Adds one block of the inner axis to all columns of a tile.
  void writeBlock(const GemmTile &tile, Value inner, bool ownPanels);
  void writeMicroTile(const GemmTile &tile, const GemmBlock &block, Value position, Value column, const Array &panelB,
                      const GemmAhead &ahead);
  void prefetchSums(const GemmTile &tile, Value position, Value column);
  /// The rows of a micro tile from `column` on; behind the last one it again, unless they are `whole`.
  llvm::SmallVector<Array> rowsOfSums(const GemmTile &tile, const GemmSums &sums, Value position, Value column,
                                      bool whole);
  Values firstSums(const GemmBlock &block, llvm::ArrayRef<Array> inC, llvm::ArrayRef<Array> between,
                   mlir::ValueRange masks);
  void storeSums(llvm::ArrayRef<Value> sums, const Array &row, mlir::ValueRange masks);

  /// The elements of C from the first one of a tile on.
  GemmSums c(const GemmTile &tile) {
    Value first = kernel.add(kernel.mul(tile.firstRow, strideC()), tile.firstColumn);
    return {kernel.from(kernel.buffer(2, form.c), first), strideC()};
  }
  Value accumulate() { return kernel.size(3); }
  Value rowsPerTile() { return kernel.size(4); }
  Value columnsPerTile() { return kernel.size(5); }
  Value isMasked() { return kernel.notEqual(kernel.size(6), kernel.index(0)); }
  Array mask() { return kernel.buffer(4, kernel.i8()); }

  /// Of a narrow C: it gets sums that are whole, rounded; between blocks of the inner axis they lie elsewhere.
  const bool narrow;
  /// Memory of one tile.
  Array ownSums;
  /// What the mask, if there is one, leaves of the rows of a tile. Null with a transposed A.
  Array realRows;
};

/// The stages of a product whose form has a quantization.
void writeQuantizedGemm(KernelBuilder &kernel, llvm::StringRef name, const GemmForm &form);

} // namespace bifocal
#endif
