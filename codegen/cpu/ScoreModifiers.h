// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_SCOREMODIFIERS_H
#define BIFOCAL_CODEGEN_CPU_SCOREMODIFIERS_H

#include "codegen/cpu/CpuKernels.h"

namespace bifocal {

class AttentionTile;
struct AttentionShape;

/// The keys [begin, end).
struct KeyRange {
  mlir::Value begin, end;
};

/// What a `soft_cap` makes of a scaled score, on vectors of any length.
struct SoftCap {
  double most = 0; ///< 0: it stays as it is

  /// most tanh(score / most).
  mlir::Value of(KernelBuilder &kernel, mlir::Value score) const;
  /// How much a gradient of the capped score counts for the score itself; null: as much.
  mlir::Value slope(KernelBuilder &kernel, mlir::Value capped) const;
  /// `gradient` of a capped score as one of the score itself.
  mlir::Value gradient(KernelBuilder &kernel, mlir::Value capped, mlir::Value gradient) const;
};

/// What an op of the attention family says about pairs of a query and a key beside their product. A tile asks all of
/// its modifiers, in order; forward and backward ask the same ones, so that both see the same keys. A kind says what it
/// adds to scores, what it weighs them by, and what it learns from their gradients; by default nothing. Keys are
/// counted from the first one of the tensor.
class ScoreModifier {
public:
  using Value = mlir::Value;

  virtual ~ScoreModifier() = default;
  /// The keys among `keys` that the queries of the tile may see at all: the others cost nothing. The first one is a
  /// multiple of AttentionTile::keyBlock.
  virtual KeyRange bound(AttentionTile &, KeyRange keys) const { return keys; }
  /// The lanes whose query sees a key; null: all.
  virtual Value visible(AttentionTile &, Value /*key*/) const { return {}; }

  /// `strip` has the queries that go over the keys together; before any of its tiles has got its own.
  virtual void startStrip(AttentionTile & /*strip*/) {}
  /// The tiles of `strip` come to the keys [first, first + count).
  virtual void startKeys(AttentionTile & /*strip*/, Value /*first*/, Value /*count*/) {}
  /// The tile has got its queries; before any key is asked for.
  virtual void startQueries(AttentionTile &) {}
  /// Comes before the scores of the keys [first, first + count).
  virtual void startBlock(AttentionTile &, Value /*first*/, Value /*count*/) {}
  /// What is added to the score of a key of the block; null: nothing.
  virtual Value added(AttentionTile &, Value /*key*/) const { return {}; }
  /// What the weight of a key is multiplied by; null: 1.
  virtual Value factor(AttentionTile &, Value /*key*/) const { return {}; }

  /// Before the queries of a head, backward: its sums become zero.
  virtual void startHead(AttentionTile &) {}
  /// Comes behind `startQueries`, backward.
  virtual void startGradients(AttentionTile &) {}
  /// The gradient of the logarithm of `factor` times the weight without it.
  virtual void addFactorGradient(AttentionTile &, Value /*key*/, Value /*gradient*/) {}
  /// The gradients of the scores of a block, [key][lane], without the factor `scale`.
  virtual void addScoreGradients(AttentionTile &, const Array & /*gradients*/) {}
  /// Behind the last key of the queries.
  virtual void finishQueries(AttentionTile &) {}
};

using ScoreModifiers = llvm::SmallVector<std::unique_ptr<ScoreModifier>>;

/// Those of `shape`, in the order in which they are asked. Made inside of a stage, once for all its tiles: they take
/// places on the stack.
ScoreModifiers modifiersOf(KernelTask &task, const AttentionShape &shape);

/// Those that bound the keys of a tile, for `visibleKeys` alone: they take no places.
ScoreModifiers boundsOf(KernelTask &task, const AttentionShape &shape);

/// A query sees the keys up to its own step.
class CausalModifier : public ScoreModifier {
public:
  KeyRange bound(AttentionTile &tile, KeyRange keys) const override;
  Value visible(AttentionTile &tile, Value key) const override;
};

/// A query sees the keys where a mask [B, S] is true.
class PaddingModifier : public ScoreModifier {
public:
  explicit PaddingModifier(Array mask) : mask(mask) {}
  Value visible(AttentionTile &tile, Value key) const override;

private:
  Array mask;
};

} // namespace bifocal
#endif
