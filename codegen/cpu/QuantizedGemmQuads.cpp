// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of 8 bits by four steps at a time, on CPUs that add up the products of four neighbouring bytes.

#include "codegen/cpu/QuantizedGemm.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

namespace {

/// The instruction wants one factor without a sign: panels of B hold 128 more than the integer. So that much times the
/// sum of the row is too much in every sum, which therefore starts with that below 0.
class QuantizedQuads : public QuantizedGemm {
public:
  QuantizedQuads(KernelBuilder &kernel, const GemmForm &form) : QuantizedGemm(kernel, form, quad) {}

private:
  /// Steps of an element: neighbours.
  static constexpr int64_t quad = 4;

  void allocate(bool ownPanels) override {
    QuantizedGemm::allocate(ownPanels);
    initialSums = kernel.stackArray(kernel.i32(), format::gemmMostRows + lanes);
  }
  void packRows(Value position, ArrayRef<Array> rows, Value count) override;
  void packColumnGroup(const Array &bytes, int64_t first, ArrayRef<Array> rows, const Values &inverses,
                       Value count) override;
  Values products(Value position, const Array &bytes, Value count) override;

  Value quadsOf(Value count) { return kernel.ceilDiv(count, kernel.index(quad)); }
  /// Rows as integers, `width` of them to an element of `panel`, quad by quad; each with its bits changed by `flipped`.
  void packQuads(ArrayRef<Array> rows, const Values &inverses, Value count, int64_t flipped, const Array &panel,
                 int64_t width);
  /// A vector of quads of a row; of the steps from `step` on there are `left`, null for all.
  Value loadQuads(const Array &row, Value inverse, Value step, Value left);

  /// What the sums of each packed row start with. Memory of one tile.
  Array initialSums;
};

} // namespace

Value QuantizedQuads::loadQuads(const Array &row, Value inverse, Value step, Value left) {
  Values bytes;
  for (int64_t part = 0; part < quad; ++part) {
    Value mask = left ? kernel.tailMask(kernel.sub(left, kernel.index(part * lanes))) : Value();
    Value vector = kernel.loadVector(row, kernel.add(step, part * lanes), mask);
    bytes.push_back(kernel.convert(quantized(vector, inverse), kernel.i8()));
  }
  Value low = kernel.concatenate({bytes[0], bytes[1]}), high = kernel.concatenate({bytes[2], bytes[3]});
  return kernel.bitcast(kernel.concatenate({low, high}), integers());
}

void QuantizedQuads::packQuads(ArrayRef<Array> rows, const Values &inverses, Value count, int64_t flipped,
                               const Array &panel, int64_t width) {
  const int64_t steps = quad * lanes;
  auto block = [&](Value step, Value left) {
    Values vectors;
    for (auto [row, inverse] : llvm::zip(rows, inverses))
      vectors.push_back(kernel.bitXor(loadQuads(row, inverse, step, left), kernel.constantInt(integers(), flipped)));
    Array target = kernel.from(panel, kernel.mul(kernel.div(step, kernel.index(quad)), width));
    for (auto [i, vector] : llvm::enumerate(transposed(vectors))) {
      const auto element = static_cast<int64_t>(i);
      auto store = [&, vector = vector] { kernel.storeVector(vector, target, kernel.index(element * width)); };
      // A panel has no room for more quads than there are.
      left ? kernel.when(kernel.less(kernel.index(element * quad), left), store) : store();
    }
  };
  Value whole = kernel.bitAnd(count, kernel.index(-steps));
  kernel.loop(kernel.index(0), whole, steps, [&](Value step) { block(step, nullptr); });
  kernel.when(kernel.less(whole, count), [&] { block(whole, kernel.sub(count, whole)); });
}

void QuantizedQuads::packColumnGroup(const Array &bytes, int64_t first, ArrayRef<Array> rows, const Values &inverses,
                                     Value count) {
  constexpr int64_t signs = -0x7F7F7F80; // 0x80808080
  const Array quads{bytes.base, kernel.f32()};
  packQuads(rows, inverses, count, signs, kernel.from(quads, kernel.index(first)), panelColumns);
}

void QuantizedQuads::packRows(Value position, ArrayRef<Array> rows, Value count) {
  const Array panel = panelOfA(position);
  packQuads(rows, writeScales(rows, count, kernel.from(rowScales, position)), count, 0, panel, microRows);
  // A lane is a row.
  const Array quads{panel.base, kernel.i32()};
  Value ones = kernel.constantInt(integers(), 0x01010101);
  Values sums = kernel.loop(
      kernel.index(0), quadsOf(count), 1, {kernel.constantInt(integers(), 0)}, [&](Value at, ValueRange carried) {
        return Values{kernel.addByteQuads(carried[0], ones, kernel.loadVector(quads, kernel.mul(at, microRows)))};
      });
  Value tooMuch = kernel.shiftLeft(sums[0], 7);
  kernel.storeVector(kernel.sub(kernel.constantInt(integers(), 0), tooMuch), initialSums, position);
}

Values QuantizedQuads::products(Value position, const Array &bytes, Value count) {
  const Array panelA{panelOfA(position).base, kernel.i32()}, panelB{bytes.base, kernel.i32()};
  Values sums;
  for (int64_t i = 0; i < microRows; ++i)
    sums.append(microVectors, kernel.splat(kernel.load(initialSums, kernel.add(position, i))));
  return kernel.loop(kernel.index(0), quadsOf(count), 1, sums, [&](Value at, ValueRange carried) {
    Values next(carried);
    const Array fromA = kernel.from(panelA, kernel.mul(at, microRows)),
                fromB = kernel.from(panelB, kernel.mul(at, panelColumns));
    Value columns[microVectors];
    for (int64_t v = 0; v < microVectors; ++v)
      columns[v] = kernel.loadVector(fromB, kernel.index(v * lanes));
    for (int64_t i = 0; i < microRows; ++i) {
      Value row = kernel.splat(kernel.load(fromA, kernel.index(i)));
      for (int64_t v = 0; v < microVectors; ++v) {
        Value &sum = next[i * microVectors + v];
        sum = kernel.addByteQuads(sum, columns[v], row);
      }
    }
    return next;
  });
}

void writeQuantizedQuads(KernelBuilder &kernel, StringRef name, const GemmForm &form) {
  QuantizedQuads(kernel, form).write(name);
}

} // namespace bifocal
