// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmPanels.h"

#include "codegen/common/Transpose.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

// A panel may be narrower than a vector. Its steps are written in ascending order, so what a store writes too much the
// next one puts right. A whole line of the cache: neighbouring panels then start in neighbouring lines.
int64_t panelSlack() { return 16; }

PanelFactors::PanelFactors(Type type, const VectorTarget &target)
    : type(type), element(!type.isBF16()          ? Element::step
                          : target.hasDotProducts ? Element::pair
                                                  : Element::halfOfPair) {}

Value PanelFactors::elements(KernelBuilder &kernel, Value steps) const {
  Value half = kernel.ceilDiv(steps, kernel.index(2));
  return arePairs() ? half : areHalves() ? kernel.mul(half, 2) : steps;
}

Value multiplyAdd(KernelBuilder &kernel, PanelFactors::Element element, Value a, Value b, Value sum) {
  return element == PanelFactors::Element::pair ? kernel.addBf16Pairs(sum, a, b) : kernel.fma(a, b, sum);
}

/// A vector of factors. What memory holds in the narrow type already needs no rounding.
static Value loadFactors(KernelBuilder &kernel, const Array &source, const PanelFactors &factors, Value at,
                         Value mask) {
  Value vector = kernel.loadVector(source, at, mask);
  if (source.element == factors.type)
    return vector;
  return factors.arePairs() ? kernel.widen(kernel.bf16Bits(vector), factors.type)
                            : kernel.rounded(vector, factors.type);
}

/// The bits of factors of bf16, in the lower halves of i32.
static Value lowerHalves(KernelBuilder &kernel, Value factors) {
  return kernel.shiftRight(kernel.bitcast(factors, kernel.vectorOf(kernel.i32())), 16);
}

static Value asFloats(KernelBuilder &kernel, Value pairs) {
  return kernel.bitcast(pairs, kernel.vectorOf(kernel.f32()));
}

namespace {

/// One group of panels of neighbours, with masks where some of their columns do not exist.
struct NeighbourPacker {
  KernelBuilder &kernel;
  const Neighbours &neighbours;
  const PanelFactors &factors;
  const Panels &panels;
  ValueRange masks;

  /// Steps, or pairs of them, up to `count`.
  void write(Value count);

private:
  int64_t lanes() { return kernel.width(); }
  int64_t vectors() { return llvm::divideCeil(panels.width, lanes()); }
  Array row(Value step) {
    const auto &[source, steps, stride, left] = neighbours;
    return kernel.from(source, kernel.mul(steps ? kernel.load(steps, step) : step, stride));
  }
  Value load(const Array &from, Value column, Value mask) { return loadFactors(kernel, from, factors, column, mask); }
  /// `vector(column, mask)` for all columns of an element.
  void writeElement(Value element, llvm::function_ref<Value(Value column, Value mask)> vector);
  void writePair(Value step, bool isWhole);
};

void NeighbourPacker::writeElement(Value element, llvm::function_ref<Value(Value, Value)> vector) {
  for (int64_t p = 0; p < panels.count; ++p) {
    Array panel = p == 0 ? panels.first : kernel.from(panels.first, kernel.mul(panels.stride, p));
    Array to = kernel.from(panel, kernel.mul(element, panels.width));
    for (int64_t v = 0; v < vectors(); ++v) {
      Value mask = masks.empty() ? Value() : masks[p * vectors() + v];
      kernel.storeVector(vector(kernel.index(p * panels.width + v * lanes()), mask), to, kernel.index(v * lanes()));
    }
  }
}

void NeighbourPacker::writePair(Value step, bool isWhole) {
  Array first = row(step), second = isWhole ? row(kernel.add(step, 1)) : Array();
  Value upper = kernel.constantInt(kernel.vectorOf(kernel.i32()), -0x10000);
  writeElement(kernel.div(step, kernel.index(2)), [&](Value column, Value mask) {
    Value pair = lowerHalves(kernel, load(first, column, mask));
    if (second)
      pair = kernel.bitOr(pair, kernel.bitAnd(kernel.bitcast(load(second, column, mask), upper.getType()), upper));
    return asFloats(kernel, pair);
  });
}

void NeighbourPacker::write(Value count) {
  Value zero = kernel.index(0), whole = kernel.bitAnd(count, kernel.index(-2));
  if (factors.arePairs()) {
    kernel.loop(zero, whole, 2, [&](Value step) { writePair(step, true); });
    return kernel.when(kernel.less(whole, count), [&] { writePair(whole, false); });
  }
  kernel.loop(zero, count, 1, [&](Value step) {
    Array from = row(step);
    writeElement(step, [&](Value column, Value mask) { return load(from, column, mask); });
  });
  if (factors.areHalves())
    kernel.when(kernel.less(whole, count),
                [&] { writeElement(count, [&](Value, Value) { return kernel.constantVector(0.0); }); });
}

} // namespace

void packNeighbours(KernelBuilder &kernel, const Neighbours &neighbours, const PanelFactors &factors, Value count,
                    const Panels &panels) {
  const int64_t lanes = kernel.width(), vectors = llvm::divideCeil(panels.width, lanes);
  auto write = [&](ValueRange masks) { NeighbourPacker{kernel, neighbours, factors, panels, masks}.write(count); };
  Value left = neighbours.left;
  kernel.when(
      // The last vector may reach beyond the last panel.
      kernel.lessEqual(kernel.index((panels.count - 1) * panels.width + vectors * lanes), left), [&] { write({}); },
      [&] {
        Values masks;
        for (int64_t p = 0; p < panels.count; ++p)
          for (int64_t v = 0; v < vectors; ++v)
            masks.push_back(kernel.tailMask(kernel.sub(left, kernel.index(p * panels.width + v * lanes))));
        write(masks);
      });
}

/// The elements of a row from `step` on, as many as a vector has lanes; of the steps behind it there are `left`, null
/// for all.
static Value loadElements(KernelBuilder &kernel, const Array &row, const PanelFactors &factors, Value step,
                          Value left) {
  const int64_t lanes = kernel.width();
  Value first = loadFactors(kernel, row, factors, step, left ? kernel.tailMask(left) : Value());
  if (!factors.arePairs())
    return first;
  Value mask = left ? kernel.tailMask(kernel.sub(left, kernel.index(lanes))) : Value();
  Value second = loadFactors(kernel, row, factors, kernel.add(step, lanes), mask);
  Values halves;
  for (Value vector : {first, second})
    halves.push_back(kernel.convert(lowerHalves(kernel, vector), kernel.i16()));
  return asFloats(kernel, kernel.concatenate(halves));
}

void packTransposed(KernelBuilder &kernel, ArrayRef<Array> rows, const PanelFactors &factors, Value count,
                    const Array &panel) {
  const int64_t lanes = kernel.width(), width = static_cast<int64_t>(rows.size()), steps = factors.stepsOfElement();
  Value whole = kernel.bitAnd(count, kernel.index(-lanes * steps));
  for (int64_t first = 0; first < width; first += lanes) {
    Array target = kernel.from(panel, kernel.index(first));
    auto block = [&](Value step, Value left) {
      Values vectors;
      for (int64_t i = first; i < first + lanes; ++i)
        vectors.push_back(loadElements(kernel, rows[std::min(i, width - 1)], factors, step, left));
      Array place = kernel.from(target, kernel.mul(kernel.div(step, kernel.index(steps)), width));
      for (auto [i, vector] : llvm::enumerate(transposeLanes(kernel, vectors)))
        kernel.storeVector(vector, place, kernel.index(static_cast<int64_t>(i) * width));
    };
    kernel.loop(kernel.index(0), whole, lanes * steps, [&](Value step) { block(step, nullptr); });
    kernel.when(kernel.less(whole, count), [&] { block(whole, kernel.sub(count, whole)); });
  }
}

} // namespace bifocal
