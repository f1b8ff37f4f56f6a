// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmTiles.h"

#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// Columns of a narrow C whose sums stand on the stack at a time. A is packed again for each group of them.
constexpr int64_t narrowColumns = 512;

GemmTiles::GemmTiles(KernelBuilder &kernel, const GemmForm &form)
    : kernel(kernel), form(form), microRows(kernel.target().registers >= 32 ? 12 : 6),
      panelColumns(microVectors * kernel.width()), narrow(isNarrow(form.c)) {}

void GemmTiles::write(StringRef name) {
  kernel.stage(name, 0, [&](Value tile) { writePacking(tile); });
  kernel.stage(name, 1, [&](Value tile) { writeTile(tile, /*ownPanels=*/false); });
  kernel.stage(name, 2, [&](Value tile) { writeTile(tile, /*ownPanels=*/true); });
}

Value GemmTiles::listReal(Value first, Value count, const Array &list) {
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

Value GemmTiles::listSteps(Value inner) {
  Value count = kernel.min(kernel.index(innerSteps), kernel.sub(k(), inner));
  return form.transA ? listReal(inner, count, realSteps) : count;
}

SmallVector<Array> GemmTiles::rowsOfA(const GemmTile &tile, Value position, Value inner) {
  SmallVector<Array> rows;
  for (int64_t i = 0; i < microRows; ++i) {
    Value row = rowOf(kernel.min(kernel.add(position, i), kernel.sub(tile.real, kernel.index(1))));
    rows.push_back(kernel.from(a(), kernel.add(kernel.mul(kernel.add(tile.firstRow, row), strideA()), inner)));
  }
  return rows;
}

SmallVector<Array> GemmTiles::rowsOfB(Value column, Value inner, int64_t count) {
  SmallVector<Array> rows;
  for (int64_t i = 0; i < count; ++i) {
    Value row = kernel.min(kernel.add(column, i), kernel.sub(n(), kernel.index(1)));
    rows.push_back(kernel.from(b(), kernel.add(kernel.mul(row, strideB()), inner)));
  }
  return rows;
}

/// Packs gemmColumnUnit columns of B.
void GemmTiles::writePacking(Value tile) {
  if (form.transA)
    realSteps = kernel.stackArray(kernel.i64(), innerSteps);
  Value first = kernel.mul(tile, format::gemmColumnUnit);
  Value end = kernel.min(kernel.add(first, format::gemmColumnUnit), n());
  kernel.loop(kernel.index(0), k(), innerSteps, [&](Value inner) { packColumns(first, end, inner, listSteps(inner)); });
}

void GemmTiles::writeTile(Value number, bool ownPanels) {
  allocate(ownPanels);
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
    return writeNarrow(tile, ownPanels);
  // A sum of no products.
  Value zero = kernel.index(0);
  kernel.when(kernel.bitAnd(kernel.equal(k(), zero), kernel.equal(accumulate(), zero)), [&] { clear(tile, c(tile)); });
  if (!form.transA)
    kernel.when(kernel.bitAnd(isMasked(), kernel.equal(accumulate(), zero)), [&] { clearPadding(tile, c(tile)); });
  writeColumns(tile, c(tile), ownPanels);
}

void GemmTiles::writeColumns(const GemmTile &tile, const GemmSums &sums, bool ownPanels) {
  kernel.loop(kernel.index(0), k(), innerSteps, [&](Value inner) { writeBlock(tile, sums, inner, ownPanels); });
}

void GemmTiles::clear(const GemmTile &tile, const GemmSums &sums) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Array target = kernel.from(sums.first, kernel.mul(row, sums.stride));
    kernel.columns(tile.columns, {}, [&](Value at, Value mask, ValueRange) {
      kernel.storeVector(kernel.constantVector(0.0), target, at, mask);
      return Values{};
    });
  });
}

void GemmTiles::clearPadding(const GemmTile &tile, const GemmSums &sums) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Value real = kernel.load(mask(), kernel.add(tile.firstRow, row));
    kernel.when(kernel.equal(real, kernel.constantInt(kernel.i8(), 0)), [&] {
      GemmTile one = tile;
      one.rows = kernel.index(1);
      clear(one, {kernel.from(sums.first, kernel.mul(row, sums.stride)), sums.stride});
    });
  });
}

void GemmTiles::copy(const GemmTile &tile, const GemmSums &from, const GemmSums &to) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Array source = kernel.from(from.first, kernel.mul(row, from.stride));
    Array target = kernel.from(to.first, kernel.mul(row, to.stride));
    kernel.columns(tile.columns, {}, [&](Value at, Value mask, ValueRange) {
      kernel.storeVector(kernel.loadVector(source, at, mask), target, at, mask);
      return Values{};
    });
  });
}

void GemmTiles::writeNarrow(const GemmTile &tile, bool ownPanels) {
  kernel.loop(kernel.index(0), tile.columns, narrowColumns, [&](Value column) {
    GemmTile part = tile;
    part.firstColumn = kernel.add(tile.firstColumn, column);
    part.columns = kernel.min(kernel.sub(tile.columns, column), kernel.index(narrowColumns));
    const GemmSums sums{ownSums, kernel.index(narrowColumns)};
    kernel.when(
        kernel.notEqual(accumulate(), kernel.index(0)), [&] { copy(part, c(part), sums); }, [&] { clear(part, sums); });
    writeColumns(part, sums, ownPanels);
    copy(part, sums, c(part));
  });
}

void GemmTiles::writeBlock(const GemmTile &tile, const GemmSums &sums, Value inner, bool ownPanels) {
  Value count = listSteps(inner), zero = kernel.index(0);
  Value fresh = kernel.bitAnd(kernel.equal(inner, zero), kernel.equal(accumulate(), zero));
  packA(tile, inner, count);
  kernel.loop(zero, tile.columns, panelColumns, [&](Value column) {
    Value first = kernel.add(tile.firstColumn, column);
    Array panel = ownPanels ? ownPanel(first, inner, count) : keptPanel(first, inner);
    kernel.loop(zero, tile.real, microRows, [&](Value row) {
      GemmAhead ahead = ownPanels ? GemmAhead() : aheadOf(tile, row, first, inner, count);
      writeMicroTile(tile, sums, row, column, count, panel, ahead, fresh);
    });
  });
}

/// What the sums start with: 0, or what stands in C. Without masks all columns are there.
Values GemmTiles::firstSums(ArrayRef<Array> rows, Value fresh, ValueRange masks) {
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
void GemmTiles::prefetchSums(const GemmTile &tile, const GemmSums &sums, Value position, Value column) {
  for (int64_t i = 0; i < microRows; ++i) {
    Value row = rowOf(kernel.min(kernel.add(position, i), kernel.sub(tile.real, kernel.index(1))));
    kernel.prefetch(sums.first, kernel.add(kernel.mul(row, sums.stride), column), /*toWrite=*/true);
  }
}

void GemmTiles::writeMicroTile(const GemmTile &tile, const GemmSums &sums, Value position, Value column, Value count,
                               const Array &panelB, const GemmAhead &ahead, Value fresh) {
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
        Values values = multiply(position, panelB, ahead, count, firstSums(rows, fresh, {}));
        for (int64_t i = 0; i < microRows; ++i)
          store(values, i, rows[i], {});
      },
      [&] {
        Values masks;
        for (int64_t v = 0; v < microVectors; ++v)
          masks.push_back(kernel.tailMask(kernel.sub(columns, kernel.index(v * kernel.width()))));
        SmallVector<Array> rows = rowsOf(false);
        Values values = multiply(position, panelB, ahead, count, firstSums(rows, fresh, masks));
        for (int64_t i = 0; i < microRows; ++i)
          kernel.when(kernel.less(kernel.index(i), left), [&] { store(values, i, rows[i], masks); });
      });
}

} // namespace bifocal
