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

/// Rows and columns [first, first + count) of C. Of the rows `real` are computed: the whole tile, or those that the
/// mask names.
struct GemmTile {
  Value firstRow, rows, firstColumn, columns, real;
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
  /// One panel, or with a B that is not transposed several.
  void packB(Value column, Value inner, Value count, const Array &panel, int64_t panels = 1);
  /// Writes those of [0, count) whose place [first, first + count) in the mask is real, all without a mask, into
  /// `list`; returns their number.
  Value listReal(Value first, Value count, const Array &list);
  /// The steps of an inner block that the sums take. Only a transposed A has rows that are steps.
  Value listSteps(Value inner);
  void clearPadding(const GemmTile &tile, const GemmSums &sums);
  /// All blocks of the inner axis for the columns of a tile, whose sums lie in `sums`.
  void writeColumns(const GemmTile &tile, const GemmSums &sums, bool fewRows);
  /// Rounds the sums of a narrow C group of columns by group.
  void writeNarrow(const GemmTile &tile, bool fewRows);
  void clear(const GemmTile &tile, const GemmSums &sums);
  void copy(const GemmTile &tile, const GemmSums &from, const GemmSums &to);
  /// Adds one block of the inner axis to all columns of a tile.
  void writeBlock(const GemmTile &tile, const GemmSums &sums, Value inner, bool fewRows);
  void writeMicroTile(const GemmTile &tile, const GemmSums &sums, Value position, Value column, Value count,
                      const Array &panelB, Value fresh);
  Values multiply(const Array &panelA, const Array &panelB, Value count, Values sums);
  void prefetchSums(const GemmTile &tile, const GemmSums &sums, Value position, Value column);
  Values firstSums(ArrayRef<Array> rows, Value fresh, ValueRange masks);

  /// Where a row that is computed stands in its tile.
  Value rowOf(Value position) { return form.transA ? position : kernel.load(realRows, position); }

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
  Value isMasked() { return kernel.notEqual(kernel.size(6), kernel.index(0)); }
  Array mask() { return kernel.buffer(4, kernel.i8()); }
  /// The panel of B that starts at `column`; panels hold the whole inner axis, rounded up.
  Array panelOfB(Value column) { return kernel.from(kernel.buffer(3, kernel.f32()), kernel.mul(column, panelSteps())); }
  Value panelSteps() {
    return kernel.mul(kernel.ceilDiv(k(), kernel.index(format::gemmInnerUnit)), format::gemmInnerUnit);
  }

  KernelBuilder &kernel;
  const GemmForm &form;
  bool narrow;
  int64_t microRows, panelColumns;
  /// From one panel of A to the next.
  int64_t panelStride;
  /// Memory of one tile.
  Array packedA, packedB, ownSums;
  /// What the mask, if there is one, leaves of the rows of a tile; with a transposed A, of the steps of an inner block.
  /// The other one is null.
  Array realRows, realSteps;
};

} // namespace

Type GemmForm::factor() const {
  for (Type element : {a, b})
    if (isNarrow(element))
      return element;
  return c;
}

void GemmWriter::write(StringRef name) {
  kernel.stage(name, 0, [&](Value tile) { writePacking(tile); });
  kernel.stage(name, 1, [&](Value tile) { writeTile(tile, /*fewRows=*/false); });
  kernel.stage(name, 2, [&](Value tile) { writeTile(tile, /*fewRows=*/true); });
}

Value GemmWriter::listReal(Value first, Value count, const Array &list) {
  Value zero = kernel.index(0);
  auto fill = [&](llvm::function_ref<Value(Value)> isReal) {
    // Written whether it is real or not: the next one then takes its place.
    return kernel.loop(zero, count, 1, {zero}, [&](Value position, ValueRange next) {
      kernel.store(position, list, next[0]);
      return Values{kernel.add(next[0], isReal(position))};
    });
  };
  return kernel.choose(
      isMasked(),
      [&] {
        return fill([&](Value position) {
          Value real =
              kernel.notEqual(kernel.load(mask(), kernel.add(first, position)), kernel.constantInt(kernel.i8(), 0));
          return kernel.select(real, kernel.index(1), zero);
        });
      },
      [&] { return fill([&](Value) { return kernel.index(1); }); })[0];
}

Value GemmWriter::listSteps(Value inner) {
  Value count = kernel.min(kernel.index(innerSteps), kernel.sub(k(), inner));
  return form.transA ? listReal(inner, count, realSteps) : count;
}

void GemmWriter::packB(Value column, Value inner, Value count, const Array &panel, int64_t panels) {
  if (!form.transB) {
    const Neighbours source{kernel.from(b(), kernel.add(kernel.mul(inner, n()), column)), form.factor(), realSteps, n(),
                            kernel.sub(n(), column)};
    return packNeighbours(kernel, source, count, {panel, panelColumns, panels, kernel.mul(panelSteps(), panelColumns)});
  }
  SmallVector<Array> rows;
  for (int64_t i = 0; i < panelColumns; ++i) {
    Value row = kernel.min(kernel.add(column, i), kernel.sub(n(), kernel.index(1)));
    rows.push_back(kernel.from(b(), kernel.add(kernel.mul(row, k()), inner)));
  }
  packTransposed(kernel, rows, form.factor(), count, panel);
}

/// Packs gemmColumnUnit columns of B.
void GemmWriter::writePacking(Value tile) {
  if (form.transA)
    realSteps = kernel.stackArray(kernel.i64(), innerSteps);
  Value first = kernel.mul(tile, format::gemmColumnUnit);
  Value end = kernel.min(kernel.add(first, format::gemmColumnUnit), n());
  kernel.loop(kernel.index(0), k(), innerSteps, [&](Value inner) {
    Value count = listSteps(inner);
    auto panelOf = [&](Value column) { return kernel.from(panelOfB(column), kernel.mul(inner, panelColumns)); };
    // Rows of B are read in whole stretches: lines that follow each other come faster than lines a row apart.
    if (!form.transB)
      return packB(first, inner, count, panelOf(first), format::gemmColumnUnit / panelColumns);
    kernel.loop(first, end, panelColumns, [&](Value column) { packB(column, inner, count, panelOf(column)); });
  });
}

void GemmWriter::packA(const GemmTile &tile, Value inner, Value count) {
  if (form.transA) {
    // What neighbouring panels share of a line of the cache is read while it is there.
    constexpr int64_t panels = 2;
    return kernel.loop(kernel.index(0), tile.real, microRows * panels, [&](Value position) {
      Value first = kernel.add(tile.firstRow, position);
      const Neighbours source{kernel.from(a(), kernel.add(kernel.mul(inner, m()), first)), form.factor(), realSteps,
                              m(), kernel.sub(m(), first)};
      packNeighbours(kernel, source, count, {panelOfA(position), microRows, panels, kernel.index(panelStride)});
    });
  }
  kernel.loop(kernel.index(0), tile.real, microRows, [&](Value position) {
    SmallVector<Array> rows;
    for (int64_t i = 0; i < microRows; ++i) {
      Value row = rowOf(kernel.min(kernel.add(position, i), kernel.sub(tile.real, kernel.index(1))));
      rows.push_back(kernel.from(a(), kernel.add(kernel.mul(kernel.add(tile.firstRow, row), k()), inner)));
    }
    packTransposed(kernel, rows, form.factor(), count, panelOfA(position));
  });
}

void GemmWriter::writeTile(Value number, bool fewRows) {
  packedA = kernel.stackArray(llvm::divideCeil(format::gemmMostRows, microRows) * panelStride);
  if (fewRows)
    packedB = kernel.stackArray(panelColumns * innerSteps);
  if (narrow)
    ownSums = kernel.stackArray(format::gemmMostRows * narrowColumns);
  realRows = realSteps = {};
  if (form.transA)
    realSteps = kernel.stackArray(kernel.i64(), innerSteps);
  else
    realRows = kernel.stackArray(kernel.i64(), format::gemmMostRows);
  Value columnTiles = kernel.ceilDiv(n(), columnsPerTile());
  GemmTile tile;
  tile.firstRow = kernel.mul(kernel.div(number, columnTiles), rowsPerTile());
  tile.rows = kernel.min(rowsPerTile(), kernel.sub(m(), tile.firstRow));
  tile.firstColumn = kernel.mul(kernel.rem(number, columnTiles), columnsPerTile());
  tile.columns = kernel.min(columnsPerTile(), kernel.sub(n(), tile.firstColumn));
  tile.real = form.transA ? tile.rows : listReal(tile.firstRow, tile.rows, realRows);
  if (narrow)
    return writeNarrow(tile, fewRows);
  // A sum of no products.
  Value zero = kernel.index(0);
  kernel.when(kernel.bitAnd(kernel.equal(k(), zero), kernel.equal(accumulate(), zero)), [&] { clear(tile, c(tile)); });
  if (!form.transA)
    kernel.when(kernel.bitAnd(isMasked(), kernel.equal(accumulate(), zero)), [&] { clearPadding(tile, c(tile)); });
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

void GemmWriter::clearPadding(const GemmTile &tile, const GemmSums &sums) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Value real = kernel.load(mask(), kernel.add(tile.firstRow, row));
    kernel.when(kernel.equal(real, kernel.constantInt(kernel.i8(), 0)), [&] {
      GemmTile one = tile;
      one.rows = kernel.index(1);
      clear(one, {kernel.from(sums.first, kernel.mul(row, sums.stride)), sums.stride});
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
  Value count = listSteps(inner), zero = kernel.index(0);
  Value fresh = kernel.bitAnd(kernel.equal(inner, zero), kernel.equal(accumulate(), zero));
  packA(tile, inner, count);
  kernel.loop(zero, tile.columns, panelColumns, [&](Value column) {
    Value first = kernel.add(tile.firstColumn, column);
    Array panel = packedB;
    if (fewRows)
      packB(first, inner, count, panel);
    else
      panel = kernel.from(panelOfB(first), kernel.mul(inner, panelColumns));
    kernel.loop(zero, tile.real, microRows,
                [&](Value row) { writeMicroTile(tile, sums, row, column, count, panel, fresh); });
  });
}

/// What the sums start with: 0, or what stands in C. Without masks all columns are there.
Values GemmWriter::firstSums(ArrayRef<Array> rows, Value fresh, ValueRange masks) {
  return kernel.choose(
      fresh, [&] { return Values(microRows * microVectors, kernel.constantVector(0.0)); },
      [&] {
        Values sums;
        for (const Array &row : rows)
          for (int64_t v = 0; v < microVectors; ++v)
            sums.push_back(
                kernel.loadVector(row, kernel.index(v * kernel.width()), masks.empty() ? Value() : masks[v]));
        return sums;
      });
}

/// The lines of C that the micro tile at `position` needs. Rows of C are far apart, which no prefetcher of the hardware
/// foresees, and the first multiply-adds wait for them.
void GemmWriter::prefetchSums(const GemmTile &tile, const GemmSums &sums, Value position, Value column) {
  for (int64_t i = 0; i < microRows; ++i) {
    Value row = rowOf(kernel.min(kernel.add(position, i), kernel.sub(tile.real, kernel.index(1))));
    kernel.prefetch(sums.first, kernel.add(kernel.mul(row, sums.stride), column), /*toWrite=*/true);
  }
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

void GemmWriter::writeMicroTile(const GemmTile &tile, const GemmSums &sums, Value position, Value column, Value count,
                                const Array &panelB, Value fresh) {
  Array panelA = panelOfA(position);
  Value left = kernel.sub(tile.real, position), columns = kernel.sub(tile.columns, column);
  // Rows behind the last one are not stored; they start from its sums.
  auto rowsOf = [&](bool all) {
    SmallVector<Array> rows;
    for (int64_t i = 0; i < microRows; ++i) {
      Value at = all ? kernel.index(i) : kernel.min(kernel.index(i), kernel.sub(left, kernel.index(1)));
      Value row = rowOf(kernel.add(position, at));
      rows.push_back(kernel.from(sums.first, kernel.add(kernel.mul(row, sums.stride), column)));
    }
    return rows;
  };
  auto store = [&](const Values &values, int64_t i, const Array &to, ValueRange masks) {
    for (int64_t v = 0; v < microVectors; ++v)
      kernel.storeVector(values[i * microVectors + v], to, kernel.index(v * kernel.width()),
                         masks.empty() ? Value() : masks[v]);
  };
  Value whole = kernel.bitAnd(kernel.lessEqual(kernel.index(microRows), left),
                              kernel.lessEqual(kernel.index(panelColumns), columns));
  kernel.when(
      whole,
      [&] {
        SmallVector<Array> rows = rowsOf(true);
        prefetchSums(tile, sums, kernel.add(position, microRows), column);
        Values values = multiply(panelA, panelB, count, firstSums(rows, fresh, {}));
        for (int64_t i = 0; i < microRows; ++i)
          store(values, i, rows[i], {});
      },
      [&] {
        Values masks;
        for (int64_t v = 0; v < microVectors; ++v)
          masks.push_back(kernel.tailMask(kernel.sub(columns, kernel.index(v * kernel.width()))));
        SmallVector<Array> rows = rowsOf(false);
        Values values = multiply(panelA, panelB, count, firstSums(rows, fresh, masks));
        for (int64_t i = 0; i < microRows; ++i)
          kernel.when(kernel.less(kernel.index(i), left), [&] { store(values, i, rows[i], masks); });
      });
}

LogicalResult writeGemm(ModuleOp module, Location location, const CpuTarget &target, StringRef name,
                        const GemmForm &form) {
  KernelBuilder kernel(module, location, target);
  GemmWriter(kernel, form).write(name);
  return kernel.verifyStack();
}

} // namespace bifocal
