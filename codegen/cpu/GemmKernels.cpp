// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmKernels.h"

#include "codegen/cpu/GemmPanels.h"
#include "passes/KernelSchedule.h"
#include "runtime/core/ArtifactFormat.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// Steps of the inner axis that are packed at a time: a panel of B fits L1 beside one of A, all rows of a tile fit L2.
constexpr int64_t innerSteps = 512;
// Columns of a narrow C whose sums stand on the stack at a time. A is packed again for each group of them.
constexpr int64_t narrowColumns = 512;

namespace {

/// Rows and columns [first, first + count) of C.
struct GemmTile {
  Value firstRow, rows, firstColumn, columns;
};

/// Where sums lie: the element of the first row and column, and the elements from one row to the next.
struct GemmSums {
  Array first;
  Value stride;
};

class GemmWriter {
public:
  GemmWriter(KernelBuilder &kernel, const GemmForm &form)
      : kernel(kernel), form(form), narrow(isNarrow(form.c)), microRows(kernel.target().registers >= 32 ? 12 : 6),
        panelColumns(microVectors * kernel.width()), panelStride(microRows * innerSteps + panelSlack()) {}

  void write(StringRef name);

private:
  /// 6 x 2 sums, 2 vectors of B and 1 element of A fit 16 registers; 12 x 2, 2 and 1 fit 32.
  static constexpr int64_t microVectors = 2;

  void writePacking(Value tile);
  void writeTile(Value number, bool fewRows);
  void packA(const GemmTile &tile, Value inner, Value count);
  void packB(Value column, Value inner, Value count, const Array &panel);
  /// All blocks of the inner axis for the columns of a tile, whose sums lie in `sums`.
  void writeColumns(const GemmTile &tile, const GemmSums &sums, bool fewRows);
  /// Rounds the sums of a narrow C group of columns by group.
  void writeNarrow(const GemmTile &tile, bool fewRows);
  void clear(const GemmTile &tile, const GemmSums &sums);
  void copy(const GemmTile &tile, const GemmSums &from, const GemmSums &to);
  /// Adds one block of the inner axis to all columns of a tile.
  void writeBlock(const GemmTile &tile, const GemmSums &sums, Value inner, bool fewRows);
  void writeMicroTile(const GemmTile &tile, const GemmSums &sums, Value row, Value column, Value count,
                      const Array &panelB, Value fresh);
  Values multiply(const Array &panelA, const Array &panelB, Value count, Values sums);
  Values firstSums(const GemmSums &sums, Value fresh, Value rows, ValueRange masks);

  Array panelOfA(Value row) {
    return kernel.from(packedA, kernel.mul(kernel.div(row, kernel.index(microRows)), panelStride));
  }

  Array a() { return kernel.buffer(0, form.a); }
  Array b() { return kernel.buffer(1, form.b); }
  /// The elements of C from the first one of a tile on.
  GemmSums c(const GemmTile &tile) {
    return {kernel.from(kernel.buffer(2, form.c), kernel.add(kernel.mul(tile.firstRow, n()), tile.firstColumn)), n()};
  }
  Value m() { return kernel.size(0); }
  Value n() { return kernel.size(1); }
  Value k() { return kernel.size(2); }
  Value accumulate() { return kernel.size(3); }
  Value rowsPerTile() { return kernel.size(4); }
  Value columnsPerTile() { return kernel.size(5); }
  /// The panel of B that starts at `column`; panels hold the whole inner axis, rounded up.
  Array panelOfB(Value column) {
    Value steps = kernel.mul(kernel.ceilDiv(k(), kernel.index(format::gemmInnerUnit)), format::gemmInnerUnit);
    return kernel.from(kernel.buffer(3, kernel.f32()), kernel.mul(column, steps));
  }

  KernelBuilder &kernel;
  const GemmForm &form;
  bool narrow;
  int64_t microRows, panelColumns;
  /// From one panel of A to the next.
  int64_t panelStride;
  /// Memory of one tile.
  Array packedA, packedB, ownSums;
};

} // namespace

void GemmWriter::write(StringRef name) {
  kernel.stage(name, 0, [&](Value tile) { writePacking(tile); });
  kernel.stage(name, 1, [&](Value tile) { writeTile(tile, /*fewRows=*/false); });
  kernel.stage(name, 2, [&](Value tile) { writeTile(tile, /*fewRows=*/true); });
}

void GemmWriter::packB(Value column, Value inner, Value count, const Array &panel) {
  Value left = kernel.sub(n(), column);
  if (form.transB)
    packTransposed(kernel, kernel.from(b(), kernel.add(kernel.mul(column, k()), inner)), k(), left, count, panel,
                   panelColumns);
  else
    packNeighbours(kernel, kernel.from(b(), kernel.add(kernel.mul(inner, n()), column)), n(), left, count, panel,
                   panelColumns);
}

/// Packs gemmColumnUnit columns of B.
void GemmWriter::writePacking(Value tile) {
  Value first = kernel.mul(tile, format::gemmColumnUnit);
  Value end = kernel.min(kernel.add(first, format::gemmColumnUnit), n());
  kernel.loop(first, end, panelColumns, [&](Value column) { packB(column, kernel.index(0), k(), panelOfB(column)); });
}

void GemmWriter::packA(const GemmTile &tile, Value inner, Value count) {
  kernel.loop(kernel.index(0), tile.rows, microRows, [&](Value row) {
    Value first = kernel.add(tile.firstRow, row), left = kernel.sub(tile.rows, row);
    if (form.transA)
      packNeighbours(kernel, kernel.from(a(), kernel.add(kernel.mul(inner, m()), first)), m(), left, count,
                     panelOfA(row), microRows);
    else
      packTransposed(kernel, kernel.from(a(), kernel.add(kernel.mul(first, k()), inner)), k(), left, count,
                     panelOfA(row), microRows);
  });
}

void GemmWriter::writeTile(Value number, bool fewRows) {
  packedA = kernel.stackArray(llvm::divideCeil(format::gemmMostRows, microRows) * panelStride);
  if (fewRows)
    packedB = kernel.stackArray(panelColumns * innerSteps);
  if (narrow)
    ownSums = kernel.stackArray(format::gemmMostRows * narrowColumns);
  Value columnTiles = kernel.ceilDiv(n(), columnsPerTile());
  GemmTile tile;
  tile.firstRow = kernel.mul(kernel.div(number, columnTiles), rowsPerTile());
  tile.rows = kernel.min(rowsPerTile(), kernel.sub(m(), tile.firstRow));
  tile.firstColumn = kernel.mul(kernel.rem(number, columnTiles), columnsPerTile());
  tile.columns = kernel.min(columnsPerTile(), kernel.sub(n(), tile.firstColumn));
  if (narrow)
    return writeNarrow(tile, fewRows);
  // A sum of no products.
  Value zero = kernel.index(0);
  kernel.when(kernel.bitAnd(kernel.equal(k(), zero), kernel.equal(accumulate(), zero)), [&] { clear(tile, c(tile)); });
  writeColumns(tile, c(tile), fewRows);
}

void GemmWriter::writeColumns(const GemmTile &tile, const GemmSums &sums, bool fewRows) {
  kernel.loop(kernel.index(0), k(), innerSteps, [&](Value inner) { writeBlock(tile, sums, inner, fewRows); });
}

void GemmWriter::clear(const GemmTile &tile, const GemmSums &sums) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Array target = kernel.from(sums.first, kernel.mul(row, sums.stride));
    kernel.columns(tile.columns, {}, [&](Value at, Value mask, ValueRange) {
      kernel.storeVector(kernel.constantVector(0.0), target, at, mask);
      return Values{};
    });
  });
}

void GemmWriter::copy(const GemmTile &tile, const GemmSums &from, const GemmSums &to) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Array source = kernel.from(from.first, kernel.mul(row, from.stride));
    Array target = kernel.from(to.first, kernel.mul(row, to.stride));
    kernel.columns(tile.columns, {}, [&](Value at, Value mask, ValueRange) {
      kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
      return Values{};
    });
  });
}

void GemmWriter::writeNarrow(const GemmTile &tile, bool fewRows) {
  kernel.loop(kernel.index(0), tile.columns, narrowColumns, [&](Value column) {
    GemmTile part = tile;
    part.firstColumn = kernel.add(tile.firstColumn, column);
    part.columns = kernel.min(kernel.sub(tile.columns, column), kernel.index(narrowColumns));
    const GemmSums sums{ownSums, kernel.index(narrowColumns)};
    kernel.when(
        kernel.notEqual(accumulate(), kernel.index(0)), [&] { copy(part, c(part), sums); }, [&] { clear(part, sums); });
    writeColumns(part, sums, fewRows);
    copy(part, sums, c(part));
  });
}

void GemmWriter::writeBlock(const GemmTile &tile, const GemmSums &sums, Value inner, bool fewRows) {
  Value count = kernel.min(kernel.index(innerSteps), kernel.sub(k(), inner)), zero = kernel.index(0);
  Value fresh = kernel.bitAnd(kernel.equal(inner, zero), kernel.equal(accumulate(), zero));
  packA(tile, inner, count);
  kernel.loop(zero, tile.columns, panelColumns, [&](Value column) {
    Value first = kernel.add(tile.firstColumn, column);
    Array panel = packedB;
    if (fewRows)
      packB(first, inner, count, panel);
    else
      panel = kernel.from(panelOfB(first), kernel.mul(inner, panelColumns));
    kernel.loop(zero, tile.rows, microRows,
                [&](Value row) { writeMicroTile(tile, sums, row, column, count, panel, fresh); });
  });
}

/// What the sums start with: 0, or what stands in C. Without masks all rows and columns are there.
Values GemmWriter::firstSums(const GemmSums &place, Value fresh, Value rows, ValueRange masks) {
  return kernel.choose(
      fresh, [&] { return Values(microRows * microVectors, kernel.constantVector(0.0)); },
      [&] {
        Values sums;
        for (int64_t i = 0; i < microRows; ++i) {
          // Rows behind the last one are not stored; they read its sums.
          Value row = masks.empty() ? kernel.index(i) : kernel.min(kernel.index(i), kernel.sub(rows, kernel.index(1)));
          Array from = kernel.from(place.first, kernel.mul(row, place.stride));
          for (int64_t v = 0; v < microVectors; ++v)
            sums.push_back(
                kernel.loadVector(from, kernel.index(v * kernel.width()), masks.empty() ? Value() : masks[v]));
        }
        return sums;
      });
}

Values GemmWriter::multiply(const Array &panelA, const Array &panelB, Value count, Values sums) {
  constexpr int64_t unrolled = 4;
  auto steps = [&](Value first, int64_t number, ValueRange carried) {
    Values next(carried);
    Array fromA = kernel.from(panelA, kernel.mul(first, microRows));
    Array fromB = kernel.from(panelB, kernel.mul(first, panelColumns));
    for (int64_t step = 0; step < number; ++step) {
      Value row[microVectors];
      for (int64_t v = 0; v < microVectors; ++v)
        row[v] = kernel.loadVector(fromB, kernel.index(step * panelColumns + v * kernel.width()));
      for (int64_t i = 0; i < microRows; ++i) {
        Value left = kernel.splat(kernel.load(fromA, kernel.index(step * microRows + i)));
        for (int64_t v = 0; v < microVectors; ++v)
          next[i * microVectors + v] = kernel.fma(left, row[v], next[i * microVectors + v]);
      }
    }
    return next;
  };
  Value whole = kernel.bitAnd(count, kernel.index(-unrolled));
  sums = kernel.loop(kernel.index(0), whole, unrolled, sums,
                     [&](Value first, ValueRange carried) { return steps(first, unrolled, carried); });
  return kernel.loop(whole, count, 1, sums, [&](Value first, ValueRange carried) { return steps(first, 1, carried); });
}

void GemmWriter::writeMicroTile(const GemmTile &tile, const GemmSums &sums, Value row, Value column, Value count,
                                const Array &panelB, Value fresh) {
  const GemmSums place{kernel.from(sums.first, kernel.add(kernel.mul(row, sums.stride), column)), sums.stride};
  Array panelA = panelOfA(row);
  Value rows = kernel.sub(tile.rows, row), columns = kernel.sub(tile.columns, column);
  auto store = [&](Values &values, int64_t i, ValueRange masks) {
    Array to = kernel.from(place.first, kernel.mul(place.stride, i));
    for (int64_t v = 0; v < microVectors; ++v)
      kernel.storeVector(values[i * microVectors + v], to, kernel.index(v * kernel.width()),
                         masks.empty() ? Value() : masks[v]);
  };
  Value whole = kernel.bitAnd(kernel.lessEqual(kernel.index(microRows), rows),
                              kernel.lessEqual(kernel.index(panelColumns), columns));
  kernel.when(
      whole,
      [&] {
        Values values = multiply(panelA, panelB, count, firstSums(place, fresh, rows, {}));
        for (int64_t i = 0; i < microRows; ++i)
          store(values, i, {});
      },
      [&] {
        Values masks;
        for (int64_t v = 0; v < microVectors; ++v)
          masks.push_back(kernel.tailMask(kernel.sub(columns, kernel.index(v * kernel.width()))));
        Values values = multiply(panelA, panelB, count, firstSums(place, fresh, rows, masks));
        for (int64_t i = 0; i < microRows; ++i)
          kernel.when(kernel.less(kernel.index(i), rows), [&] { store(values, i, masks); });
      });
}

LogicalResult writeGemm(ModuleOp module, Location location, const CpuTarget &target, StringRef name,
                        const GemmForm &form) {
  KernelBuilder kernel(module, location, target);
  GemmWriter(kernel, form).write(name);
  return kernel.verifyStack();
}

} // namespace bifocal
