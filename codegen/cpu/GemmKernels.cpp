// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/GemmKernels.h"

#include "codegen/cpu/GemmPanels.h"
#include "codegen/cpu/GemmTiles.h"
#include "passes/KernelSchedule.h"
#include "runtime/core/ArtifactFormat.h"

using namespace mlir;

namespace bifocal {
using Values = KernelBuilder::Values;

namespace {

/// Products of floats: elements of panels are f32, or pairs of bf16 where the machine multiplies pairs; sums are f32.
class FloatGemm : public GemmTiles {
public:
  FloatGemm(KernelBuilder &kernel, const GemmForm &form)
      : GemmTiles(kernel, form), factors(form.factor(), kernel.target()),
        panelStride(microRows * innerSteps / factors.stepsOfElement() + panelSlack()) {}

private:
  void allocate(bool ownPanels) override {
    packedA = kernel.stackArray(llvm::divideCeil(format::gemmMostRows, microRows) * panelStride);
    if (ownPanels)
      packedB = kernel.stackArray(panelColumns * innerSteps / factors.stepsOfElement());
  }
  void packA(const GemmTile &tile, Value inner, Value count) override;
  void packColumns(Value first, Value end, Value inner, Value count) override;
  Array keptPanel(Value column, Value inner) override {
    return kernel.from(panelOfB(column), kernel.mul(factors.elements(kernel, inner), panelColumns));
  }
  Array ownPanel(Value column, Value inner, Value count) override {
    packB(column, inner, count, packedB);
    return packedB;
  }
  Values multiply(Value position, const Array &panelB, const GemmAhead &ahead, Value count, Values sums) override;
  GemmAhead aheadOf(const GemmTile &tile, Value position, Value column, Value inner, Value count) override;

  /// One panel, or with a B that is not transposed several.
  void packB(Value column, Value inner, Value count, const Array &panel, int64_t panels = 1);

  Array panelOfA(Value row) {
    return kernel.from(packedA, kernel.mul(kernel.div(row, kernel.index(microRows)), panelStride));
  }
  /// The panel of B that starts at `column`; panels have room for the whole inner axis in f32, rounded up.
  Array panelOfB(Value column) { return kernel.from(workspace(), kernel.mul(column, panelSteps())); }
  Value panelSteps() {
    return kernel.mul(kernel.ceilDiv(k(), kernel.index(format::gemmInnerUnit)), format::gemmInnerUnit);
  }

  /// `number` more elements of a micro tile, from the first of these panels on.
  Values multiplyElements(const Array &panelA, const Array &panelB, int64_t number, ValueRange sums);

  const PanelFactors factors;
  /// From one panel of A to the next.
  const int64_t panelStride;
  /// Memory of one tile.
  Array packedA, packedB;
};

} // namespace

Type GemmForm::factor() const { return format::gemmFactor<Type>(a, b, c, Float32Type::get(a.getContext())); }

void FloatGemm::packB(Value column, Value inner, Value count, const Array &panel, int64_t panels) {
  if (!form.transB) {
    const Neighbours source{kernel.from(b(), kernel.add(kernel.mul(inner, strideB()), column)), realSteps, strideB(),
                            kernel.sub(n(), column)};
    return packNeighbours(kernel, source, factors, count,
                          {panel, panelColumns, panels, kernel.mul(panelSteps(), panelColumns)});
  }
  packTransposed(kernel, rowsOfB(column, inner, panelColumns), factors, count, panel);
}

void FloatGemm::packColumns(Value first, Value end, Value inner, Value count) {
  // Rows of B are read in whole stretches: lines that follow each other come faster than lines a row apart.
  if (!form.transB)
    return packB(first, inner, count, keptPanel(first, inner), format::gemmColumnUnit / panelColumns);
  kernel.loop(first, end, panelColumns, [&](Value column) { packB(column, inner, count, keptPanel(column, inner)); });
}

void FloatGemm::packA(const GemmTile &tile, Value inner, Value count) {
  if (form.transA) {
    // What neighbouring panels share of a line of the cache is read while it is there.
    constexpr int64_t panels = 2;
    return kernel.loop(kernel.index(0), tile.real, microRows * panels, [&](Value position) {
      Value first = kernel.add(tile.firstRow, position);
      const Neighbours source{kernel.from(a(), kernel.add(kernel.mul(inner, strideA()), first)), realSteps, strideA(),
                              kernel.sub(m(), first)};
      packNeighbours(kernel, source, factors, count,
                     {panelOfA(position), microRows, panels, kernel.index(panelStride)});
    });
  }
  kernel.loop(kernel.index(0), tile.real, microRows, [&](Value position) {
    packTransposed(kernel, rowsOfA(tile, position, inner), factors, count, panelOfA(position));
  });
}

/// The micro tiles of a panel share the next one evenly, so that it is in L2 when it is needed: the prefetcher of the
/// hardware stops at the end of a page, and kept panels come from memory. One line for each group of steps: with few
/// rows that is the beginning of the panel only, which starts the hardware's own.
GemmAhead FloatGemm::aheadOf(const GemmTile &tile, Value position, Value column, Value inner, Value count) {
  Array next = keptPanel(kernel.add(column, panelColumns), inner);
  Value first = kernel.mul(kernel.div(kernel.mul(position, factors.elements(kernel, count)), tile.real), panelColumns);
  return {kernel.from(next, first), kernel.ceilDiv(kernel.index(panelColumns * microRows), tile.real)};
}

Values FloatGemm::multiplyElements(const Array &panelA, const Array &panelB, int64_t number, ValueRange sums) {
  Values next(sums);
  for (int64_t at = 0; at < number; ++at) {
    const int64_t element = stepAddedAs(factors.element, at);
    Value row[microVectors];
    for (int64_t v = 0; v < microVectors; ++v)
      row[v] = kernel.loadVector(panelB, kernel.index(element * panelColumns + v * kernel.width()));
    for (int64_t i = 0; i < microRows; ++i) {
      Value left = kernel.splat(kernel.load(panelA, kernel.index(element * microRows + i)));
      for (int64_t v = 0; v < microVectors; ++v) {
        Value &sum = next[i * microVectors + v];
        sum = multiplyAdd(kernel, factors.element, left, row[v], sum);
      }
    }
  }
  return next;
}

Values FloatGemm::multiply(Value position, const Array &panelB, const GemmAhead &ahead, Value count, Values sums) {
  constexpr int64_t unrolled = 4;
  const int64_t least = factors.areHalves() ? 2 : 1;
  Array panelA = panelOfA(position);
  auto multiplyFrom = [&](Value first, int64_t number, ValueRange carried) {
    return multiplyElements(kernel.from(panelA, kernel.mul(first, microRows)),
                            kernel.from(panelB, kernel.mul(first, panelColumns)), number, carried);
  };
  Value elements = factors.elements(kernel, count), whole = kernel.bitAnd(elements, kernel.index(-unrolled));
  sums = kernel.loop(kernel.index(0), whole, unrolled, sums, [&](Value first, ValueRange carried) {
    if (ahead.place)
      kernel.prefetch(ahead.place, kernel.mul(first, ahead.stride), /*toWrite=*/false, /*locality=*/2);
    return multiplyFrom(first, unrolled, carried);
  });
  return kernel.loop(whole, elements, least, sums,
                     [&](Value first, ValueRange carried) { return multiplyFrom(first, least, carried); });
}

LogicalResult writeGemm(ModuleOp module, Location location, const VectorTarget &target, StringRef name,
                        const GemmForm &form) {
  KernelBuilder kernel(module, location, target);
  if (form.quantization == plan::Quantization::none)
    FloatGemm(kernel, form).write(name);
  else
    writeQuantizedGemm(kernel, name, form);
  return kernel.verifyStack();
}

} // namespace bifocal
