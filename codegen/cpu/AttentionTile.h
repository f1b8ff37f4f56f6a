// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_ATTENTIONTILE_H
#define BIFOCAL_CODEGEN_CPU_ATTENTIONTILE_H

#include "codegen/cpu/AttentionProducts.h"
#include "codegen/cpu/CpuKernels.h"
#include "codegen/cpu/ScoreModifiers.h"
#include "passes/AttentionSchedule.h"

namespace bifocal {

/// How an op scores distances; those of docs/Dialect.md.
struct RelativeShape {
  mlir::Value positionQuery, positions, span; ///< operands of the op, or null
  mlir::AffineExpr distances;                 ///< rows of `positions`
  bool perHead;                               ///< whether each head has channels of its own in them
  int64_t nearest, window;
  double spanUnit, ramp;
  Factor factor; ///< of products with positions
};

/// What the forward and the backward kernels know about an op of the attention family.
struct AttentionShape {
  HeadSizes sizes;
  double scale, dropRate;
  SoftCap softCap;
  int64_t site;
  int64_t strip; ///< queries of a strip on a CPU
  bool causal;
  mlir::AffineExpr queries, keys;
  mlir::Value query, key, value, mask, rng; ///< operands of the op, or null
  /// Of relative attention.
  std::optional<RelativeShape> relative;
  /// What products of queries, keys, values and gradients multiply.
  Factor factor;

  template <typename Op> static AttentionShape of(Op op, const VectorTarget &target);
};

/// Works on as many queries of one head as a vector has lanes. The queries are the lanes of all vectors, so maxima,
/// sums and products over keys need no shuffles, and every key and value is read where it lies, one element for all
/// lanes.
class AttentionTile {
public:
  using Value = mlir::Value;
  using Values = KernelBuilder::Values;
  using Range = mlir::ValueRange;

  static constexpr int64_t keyBlock = blockKeys;
  /// The score of a key that a query does not see; real scores are far above it, half of it tells them apart.
  static constexpr double hiddenScore = -1e30;

  AttentionTile(KernelTask &task, const AttentionShape &shape, ScoreModifiers &modifiers);

  /// Chooses the head: sentence `b`, head `h`, and its first queries; `count` of them are real. They are group `group`
  /// of their strip, by default the first one.
  void start(Value sentence, Value head, Value firstQuery, Value group = {});
  /// The same for the queries [begin, end), which may be more than there are lanes: for `visibleKeys` alone.
  void startRange(Value sentence, Value head, Value begin, Value end);
  Value inSentence() const { return sentence; }
  Value inHead() const { return head; }
  Value first() const { return firstQuery; }
  Value count() const { return queryCount; }
  /// The part of `all` that this tile's group of queries has, of which each has `size` numbers.
  Array own(const Array &all, int64_t size) { return kernel.from(all, kernel.mul(groupIndex, size)); }
  /// The same where teams take turns in `all`, which has a place for each group of one of them.
  Array inTurn(const Array &all, int64_t size) { return kernel.from(all, kernel.index(placeInTeam * size)); }
  /// Makes it the group with this number of its team.
  void joinTeam(int64_t place) { placeInTeam = place; }
  /// The numbers of this tile's queries in an array of one for each query of a strip.
  Value load(const Array &all) { return kernel.loadVector(own(all, kernel.width()), kernel.index(0)); }
  void store(Value numbers, const Array &all) {
    kernel.storeVector(numbers, own(all, kernel.width()), kernel.index(0));
  }
  /// The mask of the lanes that hold a query.
  Value realQueries() const { return queryMask; }
  /// The keys that any of the queries sees.
  KeyRange visibleKeys();

  // The rows of this head from row `row` on: in tensors [B, T, ...] and [B, S, ...], for score map `map`.
  HeadRows queryRows(const Array &tensor, Value row, int64_t map = 0);
  HeadRows keyRows(const Array &tensor, Value row, int64_t map = 0);
  HeadRows valueRows(const Array &tensor, Value row);
  HeadRows outputRows(const Array &tensor, Value row);
  /// The keys of all maps side by side.
  HeadRows allKeyRows(const Array &tensor, Value row);
  /// Where the numbers of this tile's queries begin in a tensor of one for each score map and query, as `lse`.
  Value statisticsAt(int64_t map = 0);

  /// target[d][lane] = scale * rows[lane][d], as factors over channels; lanes without a query repeat the last one. The
  /// scale of factors that are bf16 must be 1.
  void loadColumns(const HeadRows &rows, Factor factor, const Array &target, double scale = 1.0);
  /// rows[lane][d] = factor[lane] * source[d][lane].
  void storeTransposed(const Array &source, const HeadRows &rows, Value factor);
  /// Zeros for [d][lane] with `width` channels.
  void fillZero(const Array &buffer, int64_t width);

  /// Which lanes see a key; null: all.
  Value visible(Value key);
  /// What queries are multiplied by before their products: the scale of scores where it is not rounded there.
  double queryScale() const { return shape.factor == Factor::step ? shape.scale : 1.0; }
  /// A score, from a product and what the modifiers add to it; the tile's block begins with `startBlock`.
  Value scoreOf(Value product, Value key);
  /// What the weight of a key is multiplied by; null: 1.
  Value factor(Value key);
  // What the modifiers are told: `startStrip` and `startKeys` by the tile of all queries of a strip.
  void startStrip();
  void startKeys(Value first, Value count);
  void startQueries();
  void startBlock(Value first, Value count);
  /// Writes the drop factor of the keys [first, first + count) to `target` ([key][lane]); `first` is a multiple of 4.
  void drawDrops(Value first, Value count, const Array &target, int64_t map = 0);

  KernelBuilder &builder() { return kernel; }
  const AttentionShape &form() const { return shape; }

private:
  void loadTransposed(const HeadRows &rows, const Array &target, double scale);
  HeadRows rowsOf(const Array &tensor, mlir::AffineExpr all, Value row, int64_t stride, Value head, int64_t width);
  Value kvHead();

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  ScoreModifiers &modifiers;
  Value sentence, head, firstQuery, queryCount, queryMask, groupIndex;
  int64_t placeInTeam = 0;
};

} // namespace bifocal
#endif
