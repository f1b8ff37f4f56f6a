// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CUDA_RELATIVEPAIRS_H
#define BIFOCAL_CODEGEN_CUDA_RELATIVEPAIRS_H

// What relative_attention says on tensor cores about pairs of a query and a key by how far they are apart: which pairs
// there are, the score of the distance, and the ramp at the end of a span. The products of 16 queries with the rows of
// all distances that they have to some keys lie on the stack; an element of a tile of pairs is read along a diagonal.

#include "codegen/cpu/RelativeModifiers.h"
#include "codegen/cuda/TileBuilder.h"

namespace bifocal {

/// What the keys of a tile of pairs are; the queries are the other.
enum class TileKeys : uint8_t { inColumns, inRows };

/// Which kernels: forward a block has 32 keys, backward it has 16, and its scores have gradients.
enum class Pass : uint8_t { forward, backward };

/// Of one head. Tiles are told by the steps of their queries behind their keys, both counted from the first one in its
/// tensor (AttentionHead::steps).
class RelativePairs {
public:
  using Value = mlir::Value;
  using Sums = TileBuilder::Sums;

  /// To be made inside of a stage: takes places on the stack, for blocks of 16 queries.
  RelativePairs(KernelTask &task, TileBuilder &tiles, const AttentionShape &shape, mlir::Type element, Pass pass);
  void place(Value head);

  Value visible(Value steps);
  /// What weights are multiplied by; null without a span.
  Value factor(Value steps);
  /// `gradients` where the ramp is, zeros elsewhere.
  Value onRamp(Value steps, Value gradients);

  /// Steps of keys behind queries of the same number.
  Value memory() { return kernel.sub(kernel.expression(shape.keys), kernel.expression(shape.queries)); }
  /// The most steps from a query to a key that it sees.
  Value farthest();
  /// The queries that see any of `count` keys; the first one is a multiple of 16.
  KeyRange queriesOf(Value firstKey, int64_t count);
  /// The queries that see a key at any of 16 distances from the `row`th on, likewise.
  KeyRange queriesAt(Value row);

  /// Begins to copy `count` rows of positions, at most as many as a block has distances, from the `row`th on to the
  /// stack; zeros for those that there are not.
  void loadRows(Value row, int64_t count);
  /// The same for a block of 16 queries, the first of which is `steps` behind the first key.
  void loadBlock(Value steps);
  /// Behind the next wait: the products of the block's queries for positions with these rows.
  void startBlock(const Matrix &queries);
  /// The products of 16 rows with 16 queries: distances in rows.
  llvm::SmallVector<Sums> rowsTimes(const Matrix &queries);
  /// sums[query] += gradient of its score with a key * row of their distance, for 16 keys: two tiles of eight each.
  void addRows(llvm::ArrayRef<Sums> scoreGrads, llvm::MutableArrayRef<Sums> sums);

  /// Keeps products of 16 queries with as many rows as a block has distances, eight rows each.
  void keep(llvm::ArrayRef<Sums> products);
  /// A tile of what is kept, where query i and key j have product i - j + blockKeys - 1: behind `startBlock` what their
  /// distance adds to a score.
  Value diagonal(int64_t query, int64_t key, TileKeys keys);

private:
  Value distances(Value steps);
  SpanRamp ramp() const;

  KernelTask &task;
  KernelBuilder &kernel;
  TileBuilder &tiles;
  const AttentionShape &shape;
  mlir::Type element;
  int64_t blockKeys;
  Value head, span;
  // On the stack: rows of positions, one factor or two, what is kept, and gradients of scores.
  llvm::SmallVector<Matrix, 2> rows;
  Matrix kept, grads;
};

} // namespace bifocal
#endif
