// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_ATTENTIONGRADTILE_H
#define BIFOCAL_CODEGEN_CUDA_ATTENTIONGRADTILE_H

// What the gradients of the attention family on tensor cores have in common: rows of queries and keys on the stack, the
// weights of their pairs, computed again from the log-sums, and the gradients of their scores.

#include "codegen/cuda/AttentionHead.h"

namespace bifocal {

/// The tensors of an op of the family that a tile reads beside those of its shape, null where there is none, and which
/// of its results is which.
struct GradTensors {
  mlir::Value outputGrad, output, lse, lambda;
  int64_t queryGrad = 0, positionQueryGrad = 0, keyGrad = 1, valueGrad = 2;

  template <typename Op> static GradTensors of(Op op) {
    GradTensors tensors{.outputGrad = op.getOutputGrad(), .output = {}, .lse = op.getLse(), .lambda = {}};
    if constexpr (requires { op.getOutput(); })
      tensors.output = op.getOutput();
    if constexpr (requires { op.getLambda(); })
      tensors.lambda = op.getLambda();
    if constexpr (requires { op.getPositions(); }) {
      tensors.positionQueryGrad = 1;
      tensors.keyGrad = 2;
      tensors.valueGrad = 3;
    }
    return tensors;
  }
};

/// What the elements of a tile need to know of their queries, for each map: log-sums, and the sum over keys of weights
/// times their gradients.
struct QueryLines {
  std::array<mlir::Value, 2> lse, delta;
};

/// Tiles of eight queries and eight keys.
struct PairTile {
  std::array<mlir::Value, 2> dropped;   ///< weights of each map that dropout has left
  mlir::Value valueWeight;              ///< what values count
  mlir::Value weightGrad;               ///< <output_grad, value>; null, as what follows, where nobody asked for it
  std::array<mlir::Value, 2> scoreGrad; ///< without the factor `scale`
  mlir::Value rampGrad;                 ///< of the logarithm of the ramp, times the weight without it
};

/// 16 queries and 16 keys: by halves of the columns and sides (upper, lower) of the rows.
struct PairBlock {
  std::array<std::array<PairTile, 2>, 2> tiles;

  TileBuilder::Sums valueWeights(int64_t half) const {
    return {tiles[half][0].valueWeight, tiles[half][1].valueWeight};
  }
  TileBuilder::Sums scoreGrads(int64_t half, int64_t map) const {
    return {tiles[half][0].scoreGrad[map], tiles[half][1].scoreGrad[map]};
  }
};

class AttentionGradTile {
public:
  using Value = mlir::Value;
  using Sums = TileBuilder::Sums;
  using Rows = AttentionHead::Rows;

  static constexpr int64_t stackedKeys = AttentionHead::stackedKeys;

  /// To be made inside of a stage: takes places on the stack, for `queryRows` queries (16 or 32).
  AttentionGradTile(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, const GradTensors &tensors,
                    mlir::Type element, int64_t queryRows);

  AttentionHead head;
  // On the stack.
  Matrix queries, positionQueries, outputGrads, keys, values;

  /// Everything about `count` queries from `first` on, their deltas only where asked for. Queries that the sentence
  /// does not have are zeros. Their rows are there behind the next wait, as those of keys.
  void loadQueries(Value first, int64_t count, bool withDeltas);
  /// The sums of differential attention over all keys, of the 16 queries from `first` on.
  void keepDeltas(Value first, llvm::ArrayRef<Sums> shares);
  /// 16 or `stackedKeys` keys from `first` on; their values where `withValues`.
  void loadKeys(Value first, int64_t count, bool withValues);
  /// Draws for keys from `first` on, a multiple of 4, and the queries that were loaded.
  void draw(Value first, int64_t count);
  /// The factors that were drawn for a tile of RelativePairs::diagonal with queries in columns; what was drawn begins
  /// `first` keys before the first one of its block.
  Value drawnDiagonal(Value first, int64_t query, int64_t key);

  /// Writes the sums of 16 rows, of the queries from `first` on, to a tensor of one number for each map and query;
  /// returns them in lanes.
  Value writeRowSums(const Sums &shares, const Array &target, Value first, int64_t map = 0);
  mlir::Type elementType() const { return element; }

  /// Of eight queries from row `row` on; without deltas there are no gradients of scores.
  QueryLines linesAt(Value row, TileKeys keys, bool withDeltas = true);
  /// 16 queries from row `row` on, the first of which is query `first`, and 16 keys from row `key` on; `lines` are
  /// those of eight queries each. Of relative attention, the rows of their distances stay on the stack.
  PairBlock pairs(Value first, Value row, Value key, TileKeys place, llvm::ArrayRef<QueryLines> lines, bool withGrads);
  /// `products` and `drawn` (null without dropout) of each map. `ramp` may be null, and `weightGrad` where gradients
  /// are not asked for.
  PairTile pair(llvm::ArrayRef<Value> products, Value weightGrad, const QueryLines &lines, Value visible, Value ramp,
                llvm::ArrayRef<Value> drawn);

private:
  static constexpr int64_t drawnKeys = stackedKeys + 4;
  void computeDeltas(Value first, int64_t count);
  /// Of `count` rows of eight equal numbers on the stack one each, in lanes.
  Value keptRows(int64_t count);

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder &tiles;
  const AttentionShape &shape;
  GradTensors tensors;
  mlir::Type element;
  ScoreModifiers none;
  AttentionTile drawing;
  Value lambda;
  // On the stack: a number for each query and map, eight equal ones for each, and [key][query] of each map, above 0
  // where a weight is kept.
  std::array<Array, 2> lse, delta;
  Matrix eightTimes;
  std::array<Matrix, 2> drops;
};

} // namespace bifocal
#endif
