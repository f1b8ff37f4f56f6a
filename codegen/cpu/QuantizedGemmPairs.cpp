// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of 8 bits by pairs of steps, on every level of CPUs.

#include "codegen/cpu/QuantizedGemm.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

/// Steps are taken in pairs, as the machine adds the products of neighbouring 16-bit integers: 0 and 8, 1 and 9, to 7
/// and 15, then the same of the next 16 steps.
constexpr int64_t pairDistance = 8;

/// Panels of B hold for each pair of steps two bytes for each column, those of A a pair of integers for each row, or
/// two floats.
class QuantizedPairs : public QuantizedGemm {
public:
  QuantizedPairs(KernelBuilder &kernel, const GemmForm &form)
      : QuantizedGemm(kernel, form, form.quantization == plan::Quantization::weights ? 1 : 2) {}

private:
  void packRows(Value position, ArrayRef<Array> rows, Value count) override {
    weightsOnly() ? packFloats(position, rows, count) : packIntegers(position, rows, count);
  }
  void packColumnGroup(const Array &bytes, int64_t first, ArrayRef<Array> rows, const Values &inverses,
                       Value count) override;
  Values products(Value position, const Array &bytes, Value count) override {
    Value pairs = kernel.mul(kernel.ceilDiv(count, kernel.index(2 * lanes)), lanes);
    return weightsOnly() ? multiplyFloats(position, bytes, pairs) : multiplyIntegers(position, bytes, pairs);
  }

  void packFloats(Value position, ArrayRef<Array> rows, Value count);
  void packIntegers(Value position, ArrayRef<Array> rows, Value count);
  /// `map(row, vector)` says what vectors of a row become. For every vector of pairs `write(pair, first, second)` gets
  /// the two steps of its pairs, in one vector per row each; `pair` counts the pairs before.
  void pairSteps(ArrayRef<Array> rows, Value count, llvm::function_ref<Value(size_t row, Value vector)> map,
                 llvm::function_ref<void(Value pair, ArrayRef<Value> first, ArrayRef<Value> second)> write);
  /// The bytes of both steps of a pair for all columns, as vectors of i16.
  Values loadColumns(const Array &bytes, int64_t pair);
  Values multiplyIntegers(Value position, const Array &bytes, Value pairs);
  Values multiplyFloats(Value position, const Array &bytes, Value pairs);
};

} // namespace

void QuantizedPairs::pairSteps(ArrayRef<Array> rows, Value count, llvm::function_ref<Value(size_t, Value)> map,
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

void QuantizedPairs::packColumnGroup(const Array &bytes, int64_t first, ArrayRef<Array> rows, const Values &inverses,
                                     Value count) {
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

void QuantizedPairs::packFloats(Value position, ArrayRef<Array> rows, Value count) {
  auto map = [](size_t, Value vector) { return vector; };
  pairSteps(rows, count, map, [&](Value pair, ArrayRef<Value> starts, ArrayRef<Value> ends) {
    Array target = kernel.from(panelOfA(position), kernel.mul(pair, 2 * microRows));
    // In ascending order, as a vector may be longer than a step.
    for (auto [i, start, end] : llvm::enumerate(transposed(starts), transposed(ends)))
      for (auto [step, vector] : llvm::enumerate(Values{start, end}))
        kernel.storeVector(vector, target, kernel.index(static_cast<int64_t>(2 * i + step) * microRows));
  });
}

void QuantizedPairs::packIntegers(Value position, ArrayRef<Array> rows, Value count) {
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

Values QuantizedPairs::loadColumns(const Array &bytes, int64_t pair) {
  Values columns;
  for (int64_t v = 0; v < microVectors; ++v) {
    Value at = kernel.index(2 * (pair * panelColumns + v * lanes));
    columns.push_back(kernel.convert(kernel.loadVector(bytes, at, nullptr, 2 * lanes), kernel.i16()));
  }
  return columns;
}

Values QuantizedPairs::multiplyIntegers(Value position, const Array &bytes, Value pairs) {
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

Values QuantizedPairs::multiplyFloats(Value position, const Array &bytes, Value pairs) {
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

void writeQuantizedPairs(KernelBuilder &kernel, StringRef name, const GemmForm &form) {
  QuantizedPairs(kernel, form).write(name);
}

} // namespace bifocal
