// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_ATTENTIONPRODUCTS_H
#define BIFOCAL_CODEGEN_CPU_ATTENTIONPRODUCTS_H

// What the kernels of the attention family multiply: rows of a head, copied near, and the products that add up
// channels, keys and queries. Queries are the lanes of vectors; `[d][lane]` has a vector for each channel.

#include "codegen/cpu/GemmPanels.h"

namespace bifocal {

/// What products over channels multiply: f32, or bf16 by pairs of channels. Both their factors are elements of tensors,
/// so pairs lose nothing. Weights are f32, and so are the products over keys and over queries.
using Factor = PanelFactors::Element;

/// The factors of products of `tensors`, whose heads have rows of `widths` channels. Warps compute in f32: they have
/// tensor cores for what is narrow.
Factor factorOf(llvm::ArrayRef<mlir::Value> tensors, llvm::ArrayRef<int64_t> widths, const VectorTarget &target);

/// Elements that `channels` take: a pair is one, in the place of an f32.
inline int64_t elementsOf(Factor factor, int64_t channels) { return factor == Factor::pair ? channels / 2 : channels; }

/// Rows of one head: of `width` elements each, `stride` elements apart.
struct HeadRows {
  Array first;
  int64_t stride, width;
  Factor factor = Factor::step;
};

/// The rows of `rows` from `row` on.
HeadRows rowsFrom(KernelBuilder &kernel, const HeadRows &rows, mlir::Value row);
/// Rows of a tensor as factors over channels, where they lie.
HeadRows factorsOverChannels(const HeadRows &rows, Factor factor);

/// Rows for what is added up over channels, and over rows. They are one where factors are no pairs.
struct FactorRows {
  HeadRows overChannels, overRows;
};

/// Where copies of rows lie: on the stack of a CPU. A warp, which has no such memory near, reads rows where they are.
struct FactorPlace {
  Factor factor = Factor::step;
  Array overChannels, overRows;

  enum Sums { channels = 1, rows = 2, both = 3 };
  /// For `count` rows of `width` channels, and the sums that take them.
  static FactorPlace onStack(KernelBuilder &kernel, Factor factor, int64_t count, int64_t width, Sums sums);
};

/// Copies the first `count` rows, rows of a tensor, to `place`: those are a power of two apart and push each other out
/// of near memory.
FactorRows copiedRows(KernelBuilder &kernel, const HeadRows &rows, mlir::Value count, const FactorPlace &place);

/// Calls `body(at, group, carried)` for groups of `most`, a power of two, its half and so on, that cover [0, count).
KernelBuilder::Values
inGroups(KernelBuilder &kernel, mlir::Value count, mlir::ValueRange initial, int64_t most,
         llvm::function_ref<KernelBuilder::Values(mlir::Value at, int64_t group, mlir::ValueRange carried)> body);
/// Steps of a loop that are written as one: `most`, but one for a warp, whose code and registers are dearer.
inline int64_t unrolledSteps(const KernelBuilder &kernel, int64_t most) { return kernel.target().isWarp ? 1 : most; }

/// The products of the queries in each of `columns` (factors, [d][lane]) with the first `group` rows, row by row.
KernelBuilder::Values productsOverChannels(KernelBuilder &kernel, llvm::ArrayRef<Array> columns, const HeadRows &rows,
                                           int64_t group);
/// The products of two arrays of `width` factors for each lane.
mlir::Value productOfColumns(KernelBuilder &kernel, Factor factor, const Array &a, const Array &b, int64_t width);

/// sums[d][lane] += sum over the first `keys` rows of weights[key][lane] * row[d], for each of the arrays.
void addWeighted(KernelBuilder &kernel, llvm::ArrayRef<Array> weights, mlir::Value keys, const HeadRows &rows,
                 llvm::ArrayRef<Array> sums);

/// Weights of keys ([key][lane]) for some queries. Those of more queries than there are lanes lie group by group,
/// `perGroup` numbers apart.
struct QueryWeights {
  Array first;
  mlir::Value queries;
  int64_t perGroup = 0;
};

/// target[key][d] += factor * sum over the queries of weights[key][query] * rows[query][d], for `count` keys.
void addToKeys(KernelBuilder &kernel, const QueryWeights &weights, mlir::Value count, const HeadRows &rows,
               const HeadRows &target, double factor);

} // namespace bifocal
#endif
