// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_GEMMPANELS_H
#define BIFOCAL_CODEGEN_CPU_GEMMPANELS_H

// Panels: a strip of a matrix, `width` rows or columns wide, stored so that step p of the inner axis is `width`
// neighbouring elements. The innermost loop of a product reads both its matrices as panels, front to back: no strides
// of a power of two that fight for the same few lines of the cache, no page per row.

#include "codegen/common/KernelBuilder.h"

namespace bifocal {

/// Elements behind a panel's last one that its writers may overwrite.
int64_t panelSlack();

/// What panels hold: the factors of a product, rounded to `type` where the matrix in memory is wider. Steps of bf16
/// come in pairs, the last one with zeros where their number is odd.
struct PanelFactors {
  mlir::Type type;
  enum class Element {
    step,       ///< the f32 of a step
    halfOfPair, ///< the same of a step of bf16
    pair,       ///< two steps of bf16, the first one in the lower half
  } element;

  PanelFactors(mlir::Type type, const VectorTarget &target);

  bool arePairs() const { return element == Element::pair; }
  bool areHalves() const { return element == Element::halfOfPair; }
  int64_t stepsOfElement() const { return arePairs() ? 2 : 1; }
  /// Elements that `steps` steps take in a row or column.
  mlir::Value elements(KernelBuilder &kernel, mlir::Value steps) const;
};

/// sum + a * b, of vectors of factors.
mlir::Value multiplyAdd(KernelBuilder &kernel, PanelFactors::Element element, mlir::Value a, mlir::Value b,
                        mlir::Value sum);
/// Which step is added as number `at`, counted from an even one: where a pair is two elements, the second one comes
/// first, as the machines add that have instructions for pairs.
inline int64_t stepAddedAs(PanelFactors::Element element, int64_t at) {
  return element == PanelFactors::Element::halfOfPair ? at ^ 1 : at;
}

/// Neighbouring columns of a row-major matrix: element i of step p is source[step(p) * stride + i], where step(p) is p,
/// or `steps[p]` if that is there. `left` elements of a row exist; those behind them count as zeros.
struct Neighbours {
  Array source;
  Array steps;
  mlir::Value stride, left;
};

/// Panels next to each other, each with `width` elements of every step and `stride` elements behind its predecessor.
struct Panels {
  Array first;
  int64_t width, count;
  mlir::Value stride;
};

/// panel[p * width + i] = element i of step p, or of pair p, for the steps [0, count), where i goes on from one panel
/// to the next.
void packNeighbours(KernelBuilder &kernel, const Neighbours &neighbours, const PanelFactors &factors, mlir::Value count,
                    const Panels &panels);

/// panel[p * width + i] = rows[i][p] for the steps [0, count); the width is the number of rows. Writes whole vectors of
/// elements: up to their number rounded up to the lanes of a vector.
void packTransposed(KernelBuilder &kernel, mlir::ArrayRef<Array> rows, const PanelFactors &factors, mlir::Value count,
                    const Array &panel);

} // namespace bifocal
#endif
