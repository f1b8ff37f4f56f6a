// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_SCOREMODIFIERS_H
#define BIFOCAL_CODEGEN_CPU_SCOREMODIFIERS_H

#include "codegen/cpu/CpuKernels.h"

namespace bifocal {

class AttentionTile;

/// The keys [begin, end).
struct KeyRange {
  mlir::Value begin, end;
};

/// What an op of the attention family says about pairs of a query and a key beside their product. A tile asks all of
/// its modifiers, in order; forward and backward ask the same ones, so that both see the same keys. A kind that adds to
/// scores or weighs them gets a function here, with nothing to say by default.
class ScoreModifier {
public:
  using Value = mlir::Value;

  virtual ~ScoreModifier() = default;
  /// The keys among `keys` that the queries of the tile may see at all: the others cost nothing.
  virtual KeyRange bound(AttentionTile &, KeyRange keys) const { return keys; }
  /// The lanes whose query sees a key; null: all.
  virtual Value visible(AttentionTile &, Value /*key*/) const { return {}; }
};

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
