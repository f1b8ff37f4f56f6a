// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products with B in 8 bits. A group is `gemmInnerSteps` steps of one column of B, or of one row of A: its largest
// magnitude becomes 127, and what is between is rounded to the nearest integer, ties to even. Groups are blocks of the
// inner axis, so sums of integers are exact whatever order they are taken in, and a block adds
// `scale of the row * scale of the column * sum` to an element of C.

#include "codegen/common/Transpose.h"
#include "codegen/cpu/GemmPanels.h"
#include "codegen/cpu/GemmTiles.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

/// Steps are taken in pairs, as the machine adds the products of neighbouring 16-bit integers: 0 and 8, 1 and 9, to 7
/// and 15, then the same of the next 16 steps.
constexpr int64_t pairDistance = 8;

/// Panels of B, group by group: one f32 scale for each column, then for each pair of steps two bytes for each column.
class QuantizedGemm : public GemmTiles {
public:
  QuantizedGemm(KernelBuilder &kernel, const GemmForm &form)
      : GemmTiles(kernel, form), lanes(kernel.width()),
        panelStride(microRows * (weightsOnly() ? innerSteps : innerSteps / 2) + panelSlack()) {}

private:
  bool weightsOnly() const { return form.quantization == plan::Quantization::weights; }

  void allocate(bool ownPanels) override;
  void packA(const GemmTile &tile, Value inner, Value count) override;
  void packColumns(Value first, Value end, Value inner, Value count) override;
  Array keptPanel(Value column, Value inner) override;
  Array ownPanel(Value column, Value inner, Value count) override;
  Values multiply(Value position, const Array &panelB, const GemmAhead &ahead, Value count, Values sums) override;
  /// Panels of bytes fit a page or two.
  GemmAhead aheadOf(const GemmTile &, Value, Value, Value, Value) override { return {}; }

  void packFloats(Value position, ArrayRef<Array> rows, Value count);
  void packIntegers(Value position, ArrayRef<Array> rows, Value count);
  void packPanel(Value column, Value inner, Value count, const Array &panel);
  /// The largest magnitude of [0, count) / 127, or 0 where that is too small to divide by.
  Value scaleOf(const Array &row, Value count);
  /// Writes the scales of rows to `scales`, one after the other. Returns what each row is multiplied with before it is
  /// rounded, in all lanes.
  Values writeScales(ArrayRef<Array> rows, Value count, const Array &scales);
  /// A row as integers of at most 127.
  Value quantized(Value vector, Value inverse);
  /// `map(row, vector)` says what vectors of a row become. For every vector of pairs `write(pair, first, second)` gets
  /// the two steps of its pairs, in one vector per row each; `pair` counts the pairs before.
  void pairSteps(ArrayRef<Array> rows, Value count, llvm::function_ref<Value(size_t row, Value vector)> map,
                 llvm::function_ref<void(Value pair, ArrayRef<Value> first, ArrayRef<Value> second)> write);
  /// One vector for each lane of `vectors`.
  Values transposed(ArrayRef<Value> vectors);
  /// The bytes of both steps of a pair for all columns, as vectors of i16.
  Values loadColumns(const Array &bytes, int64_t pair);
  Values multiplyIntegers(Value position, const Array &bytes, Value pairs);
  Values multiplyFloats(Value position, const Array &bytes, Value pairs);

  Array panelOfA(Value position) {
    return kernel.from(packedA, kernel.mul(kernel.div(position, kernel.index(microRows)), panelStride));
  }
  /// Behind the scales of a panel.
  Array bytesOf(const Array &panel) { return {kernel.from(panel, kernel.index(panelColumns)).base, kernel.i8()}; }
  Value pairsOf(Value count) { return kernel.mul(kernel.ceilDiv(count, kernel.index(2 * lanes)), lanes); }
  Type integers() { return kernel.vectorOf(kernel.i32()); }

  const int64_t lanes;
  /// From one panel of A to the next, in elements of 4 bytes: a pair of integers, or a float.
  const int64_t panelStride;
  /// Memory of one tile. The scales are those of the rows that `packedA` holds.
  Array packedA, packedB, rowScales;
};

} // namespace

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

void QuantizedGemm::pairSteps(ArrayRef<Array> rows, Value count, llvm::function_ref<Value(size_t, Value)> map,
                              llvm::function_ref<void(Value, ArrayRef<Value>, ArrayRef<Value>)> write) {
  // Of two neighbouring vectors the lanes that start pairs, and those that end them.
  SmallVector<int64_t> starts, ends;
  for (int64_t lane = 0; lane < 2 * lanes; ++lane)
    (lane / pairDistance % 2 == 0 ? starts : ends).push_back(lane);
  auto block = [&](Value step, Value lowMask, Value highMask) {
    Values first, second;
    for (auto [i, row] : llvm::enumerate(rows)) {
      Value low = map(i, kernel.loadVector(row, step, lowMask));
      Value high = map(i, kernel.loadVector(row, kernel.add(step, lanes), highMask));
      first.push_back(kernel.shuffle(low, high, starts));
      second.push_back(kernel.shuffle(low, high, ends));
    }
    write(kernel.div(step, kernel.index(2)), first, second);
  };
  Value whole = kernel.bitAnd(count, kernel.index(-2 * lanes));
  kernel.loop(kernel.index(0), whole, 2 * lanes, [&](Value step) { block(step, nullptr, nullptr); });
  kernel.when(kernel.less(whole, count), [&] {
    Value left = kernel.sub(count, whole);
    block(whole, kernel.tailMask(left), kernel.tailMask(kernel.sub(left, kernel.index(lanes))));
  });
}

Values QuantizedGemm::transposed(ArrayRef<Value> vectors) {
  Values floats;
  for (int64_t i = 0; i < lanes; ++i)
    floats.push_back(kernel.bitcast(vectors[std::min<size_t>(i, vectors.size() - 1)], kernel.vectorOf(kernel.f32())));
  return transposeLanes(kernel, floats);
}

void QuantizedGemm::packPanel(Value column, Value inner, Value count, const Array &panel) {
  const Array bytes = bytesOf(panel);
  for (int64_t first = 0; first < panelColumns; first += lanes) {
    SmallVector<Array> rows = rowsOfB(kernel.add(column, first), inner, lanes);
    const Values inverses = writeScales(rows, count, kernel.from(panel, kernel.index(first)));
    auto map = [&](size_t row, Value vector) { return quantized(vector, inverses[row]); };
    pairSteps(rows, count, map, [&](Value pair, ArrayRef<Value> starts, ArrayRef<Value> ends) {
      Values bits;
      Value byte = kernel.constantInt(integers(), 0xFF);
      for (auto [start, end] : llvm::zip(starts, ends))
        bits.push_back(kernel.bitOr(kernel.bitAnd(start, byte), kernel.shiftLeft(kernel.bitAnd(end, byte), 8)));
      for (auto [i, columns] : llvm::enumerate(transposed(bits))) {
        Value narrow = kernel.convert(kernel.bitcast(columns, integers()), kernel.i16());
        Value at = kernel.add(kernel.mul(kernel.add(pair, static_cast<int64_t>(i)), panelColumns), first);
        kernel.storeVector(narrow, {bytes.base, kernel.i16()}, at);
      }
    });
  }
}

void QuantizedGemm::packA(const GemmTile &tile, Value inner, Value count) {
  kernel.loop(kernel.index(0), tile.real, microRows, [&](Value position) {
    SmallVector<Array> rows = rowsOfA(tile, position, inner);
    weightsOnly() ? packFloats(position, rows, count) : packIntegers(position, rows, count);
  });
}

void QuantizedGemm::packFloats(Value position, ArrayRef<Array> rows, Value count) {
  auto map = [](size_t, Value vector) { return vector; };
  pairSteps(rows, count, map, [&](Value pair, ArrayRef<Value> starts, ArrayRef<Value> ends) {
    Array target = kernel.from(panelOfA(position), kernel.mul(pair, 2 * microRows));
    // In ascending order, as a vector may be longer than a step.
    for (auto [i, start, end] : llvm::enumerate(transposed(starts), transposed(ends)))
      for (auto [step, vector] : llvm::enumerate(Values{start, end}))
        kernel.storeVector(vector, target, kernel.index(static_cast<int64_t>(2 * i + step) * microRows));
  });
}

void QuantizedGemm::packIntegers(Value position, ArrayRef<Array> rows, Value count) {
  const Values inverses = writeScales(rows, count, kernel.from(rowScales, position));
  auto map = [&](size_t row, Value vector) { return quantized(vector, inverses[row]); };
  pairSteps(rows, count, map, [&](Value pair, ArrayRef<Value> starts, ArrayRef<Value> ends) {
    Values bits;
    Value half = kernel.constantInt(integers(), 0xFFFF);
    for (auto [start, end] : llvm::zip(starts, ends))
      bits.push_back(kernel.bitOr(kernel.bitAnd(start, half), kernel.shiftLeft(end, 16)));
    Array target = kernel.from(panelOfA(position), kernel.mul(pair, microRows));
    for (auto [i, row] : llvm::enumerate(transposed(bits)))
      kernel.storeVector(row, target, kernel.index(static_cast<int64_t>(i) * microRows));
  });
}

Values QuantizedGemm::multiply(Value position, const Array &panelB, const GemmAhead &, Value count, Values sums) {
  Values products = weightsOnly() ? multiplyFloats(position, bytesOf(panelB), pairsOf(count))
                                  : multiplyIntegers(position, bytesOf(panelB), pairsOf(count));
  for (int64_t v = 0; v < microVectors; ++v) {
    Value columns = kernel.loadVector(panelB, kernel.index(v * lanes));
    for (int64_t i = 0; i < microRows; ++i) {
      Value &sum = sums[i * microVectors + v], product = products[i * microVectors + v];
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

Values QuantizedGemm::loadColumns(const Array &bytes, int64_t pair) {
  Values columns;
  for (int64_t v = 0; v < microVectors; ++v) {
    Value at = kernel.index(2 * (pair * panelColumns + v * lanes));
    columns.push_back(kernel.convert(kernel.loadVector(bytes, at, nullptr, 2 * lanes), kernel.i16()));
  }
  return columns;
}

Values QuantizedGemm::multiplyIntegers(Value position, const Array &bytes, Value pairs) {
  const Array panelA{panelOfA(position).base, kernel.i32()};
  const Values zeros(microRows * microVectors, kernel.constantInt(integers(), 0));
  // Not unrolled: sums of integers may be taken in any order, and LLVM takes them in one that needs more registers.
  return kernel.loop(kernel.index(0), pairs, 1, zeros, [&](Value pair, ValueRange carried) {
    Values sums(carried);
    Array fromA = kernel.from(panelA, kernel.mul(pair, microRows));
    const Values columns = loadColumns(kernel.from(bytes, kernel.mul(pair, 2 * panelColumns)), 0);
    for (int64_t i = 0; i < microRows; ++i) {
      Value row = kernel.bitcast(kernel.splat(kernel.load(fromA, kernel.index(i))), columns.front().getType());
      for (int64_t v = 0; v < microVectors; ++v) {
        Value &sum = sums[i * microVectors + v];
        sum = kernel.add(sum, kernel.addPairs(row, columns[v]));
      }
    }
    return sums;
  });
}

Values QuantizedGemm::multiplyFloats(Value position, const Array &bytes, Value pairs) {
  constexpr int64_t unrolled = 2;
  const Values zeros(microRows * microVectors, kernel.constantVector(0.0));
  return kernel.loop(kernel.index(0), pairs, unrolled, zeros, [&](Value first, ValueRange carried) {
    Values sums(carried);
    Array fromA = kernel.from(panelOfA(position), kernel.mul(first, 2 * microRows));
    Array fromB = kernel.from(bytes, kernel.mul(first, 2 * panelColumns));
    for (int64_t pair = 0; pair < unrolled; ++pair) {
      const Values columns = loadColumns(fromB, pair);
      for (int64_t step = 0; step < 2; ++step)
        for (int64_t v = 0; v < microVectors; ++v) {
          // The first step of a pair is the lower half of 32 bits, the second one the upper half.
          Value both = kernel.bitcast(columns[v], integers());
          Value one = kernel.shiftRightSigned(step == 0 ? kernel.shiftLeft(both, 16) : both, 16);
          Value column = kernel.convert(one, kernel.f32());
          for (int64_t i = 0; i < microRows; ++i) {
            Value row = kernel.splat(kernel.load(fromA, kernel.index((2 * pair + step) * microRows + i)));
            Value &sum = sums[i * microVectors + v];
            sum = kernel.fma(row, column, sum);
          }
        }
    }
    return sums;
  });
}

void writeQuantizedGemm(KernelBuilder &kernel, StringRef name, const GemmForm &form) {
  QuantizedGemm(kernel, form).write(name);
}

} // namespace bifocal
