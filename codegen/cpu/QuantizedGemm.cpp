// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/QuantizedGemm.h"

#include "codegen/common/Transpose.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

QuantizedGemm::QuantizedGemm(KernelBuilder &kernel, const GemmForm &form, int64_t stepsOfElement)
    : GemmTiles(kernel, form), lanes(kernel.width()),
      // A writer of whole vectors may go beyond the end by less than one.
      panelStride(microRows * innerSteps / stepsOfElement + lanes) {}

void QuantizedGemm::allocate(bool ownPanels) {
  packedA = kernel.stackArray(llvm::divideCeil(format::gemmMostRows, microRows) * panelStride);
  rowScales = kernel.stackArray(format::gemmMostRows + microRows);
  if (ownPanels)
    packedB = kernel.stackArray(format::quantizedPanel(panelColumns, innerSteps));
}

Array QuantizedGemm::keptPanel(Value column, Value inner) {
  // Of whole groups each column has as much, so a panel starts where that of all columns before it ends.
  Value groups = kernel.ceilDiv(k(), kernel.index(innerSteps));
  Value steps = kernel.mul(kernel.ceilDiv(k(), kernel.index(format::quantizedUnit)), format::quantizedUnit / 4);
  Value start = kernel.mul(column, kernel.add(groups, steps));
  Value group =
      kernel.mul(kernel.div(inner, kernel.index(innerSteps)), format::quantizedPanel(panelColumns, innerSteps));
  return kernel.from(workspace(), kernel.add(start, group));
}

Array QuantizedGemm::ownPanel(Value column, Value inner, Value count) {
  packPanel(column, inner, count, packedB);
  return packedB;
}

void QuantizedGemm::packColumns(Value first, Value end, Value inner, Value count) {
  kernel.loop(first, end, panelColumns,
              [&](Value column) { packPanel(column, inner, count, keptPanel(column, inner)); });
}

Value QuantizedGemm::scaleOf(const Array &row, Value count) {
  // As integers, magnitudes are in the order of floats, and a NaN is larger than all: it stays to the end.
  Value magnitude = kernel.constantInt(integers(), 0x7FFFFFFF);
  Values most = kernel.columns(count, {kernel.constantInt(integers(), 0)}, [&](Value at, Value mask, ValueRange group) {
    Value bits = kernel.bitcast(kernel.loadVector(row, at, mask), integers());
    return Values{kernel.max(kernel.bitAnd(bits, magnitude), group[0])};
  });
  Value largest = kernel.bitcast(kernel.horizontalMax(most[0]), kernel.f32());
  Value scale = kernel.mul(largest, kernel.constantF32(1.0 / 127.0));
  return kernel.select(kernel.less(scale, kernel.constantF32(1e-30)), kernel.constantF32(0.0), scale);
}

Value QuantizedGemm::quantized(Value vector, Value inverse) {
  // What is not a number, or was infinite, stays in bounds; its scale is neither, and makes the result so.
  Value scaled = kernel.max(kernel.mul(vector, inverse), kernel.constantVector(-127.0));
  return kernel.nearest(kernel.min(scaled, kernel.constantVector(127.0)));
}

Values QuantizedGemm::writeScales(ArrayRef<Array> rows, Value count, const Array &scales) {
  Values inverses;
  Value zero = kernel.constantF32(0.0);
  for (auto [i, row] : llvm::enumerate(rows)) {
    Value scale = scaleOf(row, count);
    kernel.store(scale, scales, kernel.index(static_cast<int64_t>(i)));
    Value inverse = kernel.select(kernel.equal(scale, zero), zero, kernel.div(kernel.constantF32(1.0), scale));
    inverses.push_back(kernel.splat(inverse));
  }
  return inverses;
}

Values QuantizedGemm::transposed(ArrayRef<Value> vectors) {
  Values floats;
  for (int64_t i = 0; i < lanes; ++i)
    floats.push_back(kernel.bitcast(vectors[std::min<size_t>(i, vectors.size() - 1)], kernel.vectorOf(kernel.f32())));
  return transposeLanes(kernel, floats);
}

void QuantizedGemm::packPanel(Value column, Value inner, Value count, const Array &panel) {
  for (int64_t first = 0; first < panelColumns; first += lanes) {
    SmallVector<Array> rows = rowsOfB(kernel.add(column, first), inner, lanes);
    const Values inverses = writeScales(rows, count, kernel.from(panel, kernel.index(first)));
    packColumnGroup(bytesOf(panel), first, rows, inverses, count);
  }
}

void QuantizedGemm::packA(const GemmTile &tile, Value inner, Value count) {
  kernel.loop(kernel.index(0), tile.real, microRows,
              [&](Value position) { packRows(position, rowsOfA(tile, position, inner), count); });
}

Values QuantizedGemm::multiply(Value position, const Array &panelB, const GemmAhead &, Value count, Values sums) {
  const Values found = products(position, bytesOf(panelB), count);
  for (int64_t v = 0; v < microVectors; ++v) {
    Value columns = kernel.loadVector(panelB, kernel.index(v * lanes));
    for (int64_t i = 0; i < microRows; ++i) {
      Value &sum = sums[i * microVectors + v], product = found[i * microVectors + v];
      if (weightsOnly()) {
        sum = kernel.fma(product, columns, sum);
        continue;
      }
      Value row = kernel.splat(kernel.load(rowScales, kernel.add(position, i)));
      sum = kernel.fma(kernel.convert(product, kernel.f32()), kernel.mul(row, columns), sum);
    }
  }
  return sums;
}

void writeQuantizedGemm(KernelBuilder &kernel, StringRef name, const GemmForm &form) {
  const bool isOfBytes = form.quantization == plan::Quantization::factors && kernel.target().hasDotProducts;
  isOfBytes ? writeQuantizedQuads(kernel, name, form) : writeQuantizedPairs(kernel, name, form);
}

} // namespace bifocal
