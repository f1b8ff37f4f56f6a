// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_ATTENTIONTILE_H
#define BIFOCAL_CODEGEN_CPU_ATTENTIONTILE_H

#include "codegen/cpu/CpuKernels.h"

namespace bifocal {

/// What the forward and the backward kernel know about an attention op.
struct AttentionShape {
  int64_t heads, channels, headDim;
  double scale, dropRate;
  int64_t site;
  bool causal;
  mlir::AffineExpr queries, keys;
  mlir::Value mask, rng; ///< operands of the op, or null

  template <typename Op> static AttentionShape of(Op op);
};

/// Works on as many queries of one head as a vector has lanes. The queries are the lanes of all vectors, so maxima,
/// sums and products over keys need no shuffles, and every key and value is read where it lies, one element for all
/// lanes.
class AttentionTile {
public:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;
  using Range = mlir::ValueRange;

  /// Keys are taken in blocks, so that the weights of a block stay on the stack.
  static constexpr int64_t keyBlock = 64;
  /// The score of a key that a query does not see; real scores are far above it, half of it tells them apart.
  static constexpr double hiddenScore = -1e30;

  AttentionTile(KernelTask &task, const AttentionShape &shape) : task(task), kernel(task.builder), shape(shape) {}

  /// Chooses the head: sentence `b`, head `h`, and its first queries; `count` of them are real.
  void start(Value sentence, Value head, Value firstQuery);
  Value count() const { return queryCount; }
  /// The mask of the lanes that hold a query.
  Value realQueries() const { return queryMask; }
  /// One behind the last key that any of the queries sees.
  Value keysEnd();

  // Where row `row` of this head begins in a tensor [B, rows, C].
  Array queryRow(const Array &tensor, Value row);
  Array keyRow(const Array &tensor, Value row);

  /// target[d][lane] = factor * rows[lane][d]; lanes without a query repeat the last one.
  void loadTransposed(const Array &rows, const Array &target, double factor = 1.0);
  /// rows[lane][d] = factor[lane] * source[d][lane].
  void storeTransposed(const Array &source, const Array &rows, Value factor);
  void fillZero(const Array &buffer);

  /// The products of the queries in `columns` ([d][lane]) with `group` rows that start at `rows`.
  Values products(const Array &columns, const Array &rows, int64_t group);
  /// sums[d][lane] += sum over the `keys` rows at `rows` of weights[key][lane] * row[d].
  void addWeighted(const Array &weights, Value keys, const Array &rows, const Array &sums);

  /// Which lanes see a key of this block; null: all.
  Value visible(Value key);
  /// Writes the drop factor of the keys [first, first + count) to `target` ([key][lane]); `first` is a multiple of 4.
  void drawDrops(Value first, Value count, const Array &target);

  /// Calls `body(at, group, carried)` for groups of 8, 4, 2 and 1 that cover [0, count).
  Values groups(Value count, Range initial, llvm::function_ref<Values(Value at, int64_t group, Range carried)> body);

  KernelBuilder &builder() { return kernel; }
  const AttentionShape &form() const { return shape; }

private:
  void addByKeys(const Array &weights, Value keys, const Array &rows, const Array &sums);
  void addByColumns(const Array &weights, Value keys, const Array &rows, const Array &sums);

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  Value sentence, head, firstQuery, queryCount, queryMask;
};

} // namespace bifocal
#endif
