// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmTiles.h"

#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// Columns of a narrow C whose sums stand on the stack at a time, where there is more than one block of the inner axis.
// A is packed again for each group of them.
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
  // A sum of no products.
  Value zero = kernel.index(0);
  kernel.when(kernel.bitAnd(kernel.equal(k(), zero), kernel.equal(accumulate(), zero)), [&] { clear(tile); });
  if (!form.transA)
    kernel.when(kernel.bitAnd(isMasked(), kernel.equal(accumulate(), zero)), [&] { clearPadding(tile); });
  if (!narrow)
    return writeColumns(tile, ownPanels);
  Value isOneBlock = kernel.lessEqual(k(), kernel.index(innerSteps));
  Value group = kernel.select(isOneBlock, kernel.max(tile.columns, kernel.index(1)), kernel.index(narrowColumns));
  kernel.loop(zero, tile.columns, group, [&](Value column) {
    GemmTile part = tile;
    part.firstColumn = kernel.add(tile.firstColumn, column);
    part.columns = kernel.min(kernel.sub(tile.columns, column), group);
    writeColumns(part, ownPanels);
  });
}

void GemmTiles::writeColumns(const GemmTile &tile, bool ownPanels) {
  kernel.loop(kernel.index(0), k(), innerSteps, [&](Value inner) { writeBlock(tile, inner, ownPanels); });
}

void GemmTiles::clear(const GemmTile &tile) {
  const GemmSums sums = c(tile);
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Array target = kernel.from(sums.first, kernel.mul(row, sums.stride));
    kernel.columns(tile.columns, {}, [&](Value at, Value mask, ValueRange) {
      kernel.storeVector(kernel.constantVector(0.0), target, at, mask);
      return Values{};
    });
  });
}

void GemmTiles::clearPadding(const GemmTile &tile) {
  kernel.loop(kernel.index(0), tile.rows, 1, [&](Value row) {
    Value real = kernel.load(mask(), kernel.add(tile.firstRow, row));
    kernel.when(kernel.equal(real, kernel.constantInt(kernel.i8(), 0)), [&] {
      GemmTile one = tile;
      one.firstRow = kernel.add(tile.firstRow, row);
      one.rows = kernel.index(1);
      clear(one);
    });
  });
}

void GemmTiles::writeBlock(const GemmTile &tile, Value inner, bool ownPanels) {
  Value zero = kernel.index(0), isFirst = kernel.equal(inner, zero);
  const GemmBlock block{listSteps(inner), kernel.bitAnd(isFirst, kernel.equal(accumulate(), zero)), isFirst,
                        kernel.lessEqual(k(), kernel.add(inner, innerSteps))};
  packA(tile, inner, block.count);
  kernel.loop(zero, tile.columns, panelColumns, [&](Value column) {
    Value first = kernel.add(tile.firstColumn, column);
    Array panel = ownPanels ? ownPanel(first, inner, block.count) : keptPanel(first, inner);
    kernel.loop(zero, tile.real, microRows, [&](Value row) {
      GemmAhead ahead = ownPanels ? GemmAhead() : aheadOf(tile, row, first, inner, block.count);
      writeMicroTile(tile, block, row, column, panel, ahead);
    });
  });
}

SmallVector<Array> GemmTiles::rowsOfSums(const GemmTile &tile, const GemmSums &sums, Value position, Value column,
                                         bool whole) {
  Value last = kernel.sub(kernel.sub(tile.real, position), kernel.index(1));
  SmallVector<Array> rows;
  for (int64_t i = 0; i < microRows; ++i) {
    Value at = whole ? kernel.index(i) : kernel.min(kernel.index(i), last);
    Value row = rowOf(kernel.add(position, at));
    rows.push_back(kernel.from(sums.first, kernel.add(kernel.mul(row, sums.stride), column)));
  }
  return rows;
}

/// What the sums start with: 0, what stands in C, or what the block before left. Without masks all columns are there.
Values GemmTiles::firstSums(const GemmBlock &block, ArrayRef<Array> inC, ArrayRef<Array> between, ValueRange masks) {
  auto loaded = [&](ArrayRef<Array> rows) {
    Values sums;
    for (const Array &row : rows)
      for (int64_t v = 0; v < microVectors; ++v)
        sums.push_back(kernel.loadVector(row, kernel.index(v * kernel.width()), masks.empty() ? Value() : masks[v]));
    return sums;
  };
  auto zeros = [&] { return Values(microRows * microVectors, kernel.constantVector(0.0)); };
  auto before = [&] {
    return narrow ? kernel.choose(
                        block.isFirst, [&] { return loaded(inC); }, [&] { return loaded(between); })
                  : loaded(inC);
  };
  return kernel.choose(block.fresh, zeros, before);
}

void GemmTiles::storeSums(ArrayRef<Value> sums, const Array &row, ValueRange masks) {
  // The products count what is below 2^-126 as 0, too.
  const bool byInstruction = row.element.isBF16() && kernel.target().hasDotProducts;
  for (auto [v, sum] : llvm::enumerate(sums)) {
    Value at = kernel.index(static_cast<int64_t>(v) * kernel.width()), mask = masks.empty() ? Value() : masks[v];
    if (byInstruction)
      kernel.storeVector(kernel.bf16Bits(sum), {row.base, kernel.i16()}, at, mask);
    else
      kernel.storeVector(sum, row, at, mask);
  }
}

/// The lines of C that the micro tile at `position` needs. Rows of C are far apart, which no prefetcher of the hardware
/// foresees, and the first multiply-adds wait for them.
void GemmTiles::prefetchSums(const GemmTile &tile, Value position, Value column) {
  const GemmSums sums = c(tile);
  for (int64_t i = 0; i < microRows; ++i) {
    Value row = rowOf(kernel.min(kernel.add(position, i), kernel.sub(tile.real, kernel.index(1))));
    kernel.prefetch(sums.first, kernel.add(kernel.mul(row, sums.stride), column), /*toWrite=*/true);
  }
}

void GemmTiles::writeMicroTile(const GemmTile &tile, const GemmBlock &block, Value position, Value column,
                               const Array &panelB, const GemmAhead &ahead) {
  Value left = kernel.sub(tile.real, position), columns = kernel.sub(tile.columns, column);
  auto write = [&](bool isWhole, ValueRange masks) {
    const SmallVector<Array> inC = rowsOfSums(tile, c(tile), position, column, isWhole);
    SmallVector<Array> between;
    if (narrow)
      between = rowsOfSums(tile, {ownSums, kernel.index(narrowColumns)}, position, column, isWhole);
    if (isWhole)
      prefetchSums(tile, kernel.add(position, microRows), column);
    const Values sums = multiply(position, panelB, ahead, block.count, firstSums(block, inC, between, masks));
    // Rows behind the last one are not stored; they started from its sums.
    auto store = [&](ArrayRef<Array> rows) {
      for (int64_t i = 0; i < microRows; ++i) {
        auto storeRow = [&] { storeSums(ArrayRef<Value>(sums).slice(i * microVectors, microVectors), rows[i], masks); };
        isWhole ? storeRow() : kernel.when(kernel.less(kernel.index(i), left), storeRow);
      }
    };
    narrow ? kernel.when(
                 block.isLast, [&] { store(inC); }, [&] { store(between); })
           : store(inC);
  };
  Value whole = kernel.bitAnd(kernel.lessEqual(kernel.index(microRows), left),
                              kernel.lessEqual(kernel.index(panelColumns), columns));
  kernel.when(
      whole, [&] { write(true, {}); },
      [&] {
        Values masks;
        for (int64_t v = 0; v < microVectors; ++v)
          masks.push_back(kernel.tailMask(kernel.sub(columns, kernel.index(v * kernel.width()))));
        write(false, masks);
      });
}

} // namespace bifocal
