// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_RELATIVEMODIFIERS_H
#define BIFOCAL_CODEGEN_CPU_RELATIVEMODIFIERS_H

// What relative_attention says about a query and a key by how far they are apart: which pairs there are, the score of
// the distance, and the ramp at the end of a span.

#include "codegen/cpu/AttentionBlocks.h"

namespace bifocal {

/// Steps from a key to the queries of a tile: those of the memory count.
class Distances {
public:
  using Value = mlir::Value;

  explicit Distances(AttentionTile &tile) : tile(tile), kernel(tile.builder()) {}
  /// From key `key` to the tile's first query.
  Value first(Value key);
  /// To all queries, as a vector of i32.
  Value all(Value key);

private:
  AttentionTile &tile;
  KernelBuilder &kernel;
};

/// How many distances are seen, from the nearest one on.
mlir::Value seenDistances(KernelBuilder &kernel, const RelativeShape &relative);

/// A query sees the keys from the nearest one on that the window has and that positions have rows for.
class WindowModifier : public ScoreModifier {
public:
  KeyRange bound(AttentionTile &tile, KeyRange keys) const override;
  Value visible(AttentionTile &tile, Value key) const override;
};

/// Where relative_attention_grad sums up the gradients of positions and spans: of each sentence and head rows of
/// positions, and a number for each query.
struct RelativeSums {
  Array positions, spans;
};

/// The rows of positions from `first` on that some queries need for a block of keys. `before` counts the distances that
/// come before the first one, from that of the last key and the first query on.
struct PositionRows {
  mlir::Value first, count, before;
};

/// Adds to scores what a query says to the position of a key. The products of a block's distances with all queries lie
/// on the stack. The same key is one step farther from the next query, so its scores lie on a diagonal of them: a CPU
/// turns diagonals into rows by blends, lanes of a warp pick what is theirs.
class PositionModifier : public ScoreModifier {
public:
  PositionModifier(KernelTask &task, const AttentionShape &shape);
  /// The same, backward: gradients of the queries go to `queryGrad`, those of positions to `sums`.
  PositionModifier(KernelTask &task, const AttentionShape &shape, const Array &queryGrad, const Array &sums);

  void startStrip(AttentionTile &strip) override;
  void startKeys(AttentionTile &strip, Value first, Value count) override;
  void startQueries(AttentionTile &tile) override;
  void startBlock(AttentionTile &tile, Value first, Value count) override;
  Value added(AttentionTile &tile, Value key) const override;
  void startHead(AttentionTile &tile) override;
  void startGradients(AttentionTile &tile) override;
  void addScoreGradients(AttentionTile &tile, const Array &gradients) override;
  void finishQueries(AttentionTile &tile) override;

private:
  /// The rows of the distances from the keys [first, first + count) to the queries of a tile or strip.
  PositionRows rowsOf(AttentionTile &tile, Value first, Value count);
  /// The rows of a head in positions and in their sums, from row `row` on.
  HeadRows positionsFrom(AttentionTile &tile, Value row);
  HeadRows sumsFrom(AttentionTile &tile, Value row);
  /// Where a tile reads the rows that it needs for its block, and its position queries.
  FactorRows positionsOfBlock();
  HeadRows queriesOf(AttentionTile &tile);
  void turnScores();
  void turnGradients(const Array &gradients);

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  Factor factor;
  // On the stack: of each group of queries [d][lane]; [distance][lane] from the smallest of a block on.
  int64_t perGroup, perGradGroup;
  Array queries, queryGrads, distances;
  Array queryGradTarget, positionSums;
  /// Copies for a strip: rows of positions for a block of keys, and its queries.
  FactorPlace rowPlace, queryPlace;
  FactorRows copiedPositions;
  HeadRows copiedQueries;
  Value firstPosition, firstQuery;
  /// The block: its first key, how many there are, and the rows that the tile needs for it.
  Value blockFirst, blockCount;
  PositionRows rows;
};

/// The ramp at the end of a span, which `part` of `unit` steps is.
struct SpanRamp {
  KernelBuilder &kernel;
  double unit, ramp;
  mlir::Value part;

  /// The last distance that is seen at most, as an i64. A span that is no number is none; one beyond `most` ends there.
  mlir::Value last(mlir::Value most) const;
  /// How many steps are left from `distance` (a vector of f32) to where the ramp begins: within it 0 to -ramp. Rounded
  /// once: at the ends of the ramp the gradient hangs on the sign.
  mlir::Value left(mlir::Value distance) const;
  /// What the weight of a key so far away is multiplied by.
  mlir::Value factor(mlir::Value distance) const;
};

/// Weighs keys by the ramp of the head's span, and does not see those behind its end.
class SpanModifier : public ScoreModifier {
public:
  SpanModifier(KernelTask &task, const AttentionShape &shape) : SpanModifier(task, shape, Array()) {}
  /// The same, backward.
  SpanModifier(KernelTask &task, const AttentionShape &shape, const Array &sums);

  KeyRange bound(AttentionTile &tile, KeyRange keys) const override;
  Value visible(AttentionTile &tile, Value key) const override;
  Value factor(AttentionTile &tile, Value key) const override;
  void startGradients(AttentionTile &tile) override;
  void addFactorGradient(AttentionTile &tile, Value key, Value gradient) override;
  void finishQueries(AttentionTile &tile) override;

private:
  SpanRamp rampOf(AttentionTile &tile) const;
  /// The distances of a key, as f32.
  Value distanceOf(AttentionTile &tile, Value key) const;

  KernelTask &task;
  KernelBuilder &kernel;
  const AttentionShape &shape;
  Array sums, totals; ///< `totals` are on the stack, of each group [lane]
};

/// The modifiers of a backward pass with relative attention, which sum up in `sums` and write gradients of the position
/// queries to `queryGrad`.
ScoreModifiers relativeGradModifiers(KernelTask &task, const AttentionShape &shape, const Array &queryGrad,
                                     const RelativeSums &sums);

/// Where relative_attention_grad keeps them.
RelativeSums relativeSumsOf(KernelTask &task, RelativeAttentionGradOp op);
/// The stages of relative_attention_grad behind the first one, which add them up.
void writeRelativeSums(KernelTask &task, RelativeAttentionGradOp op, const AttentionShape &shape);

} // namespace bifocal
#endif
