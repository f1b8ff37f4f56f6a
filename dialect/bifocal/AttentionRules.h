// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_DIALECT_BIFOCAL_ATTENTIONRULES_H
#define BIFOCAL_DIALECT_BIFOCAL_ATTENTIONRULES_H

// What all ops of the attention family have in common: how their channels are cut into heads, what their verifiers ask,
// and which pairs of a query and a key they score.

#include "dialect/bifocal/BifocalOps.h"

namespace bifocal {

/// How an op cuts its channels into heads.
struct HeadSizes {
  int64_t heads;   ///< of the output
  int64_t kvHeads; ///< of keys and values, each shared by heads / kvHeads neighbouring heads
  int64_t maps;    ///< score maps of a head: 2 where their difference weighs the values
  int64_t key;     ///< channels of a query and of a key, of one map
  int64_t value;   ///< channels of a value

  int64_t queryChannels() const { return heads * maps * key; }
  int64_t keyChannels() const { return kvHeads * maps * key; }
  int64_t valueChannels() const { return kvHeads * value; }
  int64_t outputChannels() const { return heads * value; }
  /// Multiply-adds of the products of a query of all heads with a key, and of its weights with a value; both maps share
  /// the values.
  int64_t scoreProducts() const { return queryChannels(); }
  int64_t valueProducts() const { return outputChannels(); }
};

/// The score maps of a head of `op`.
inline int64_t mapsOf(AttentionOp) { return 1; }
inline int64_t mapsOf(AttentionGradOp) { return 1; }
inline int64_t mapsOf(RelativeAttentionOp) { return 1; }
inline int64_t mapsOf(RelativeAttentionGradOp) { return 1; }
inline int64_t mapsOf(RelativeAttentionStepOp) { return 1; }
inline int64_t mapsOf(AttentionStepOp) { return 1; }
inline int64_t mapsOf(DiffAttentionOp) { return 2; }
inline int64_t mapsOf(DiffAttentionStepOp) { return 2; }
inline int64_t mapsOf(DiffAttentionGradOp) { return 2; }

/// Of a verified op.
template <typename AttentionLike> HeadSizes headSizes(AttentionLike op) {
  auto channels = [](mlir::Value value) { return llvm::cast<mlir::ShapedType>(value.getType()).getShape().back(); };
  const auto heads = static_cast<int64_t>(op.getHeads()), given = static_cast<int64_t>(op.getKvHeads());
  const int64_t kvHeads = given == 0 ? heads : given, maps = mapsOf(op);
  return {heads, kvHeads, maps, channels(op.getQuery()) / (heads * maps), channels(op.getValue()) / kvHeads};
}

/// (C1) to (C5) and (C8), which the ops of the family share.
template <typename AttentionLike> llvm::LogicalResult verifyAttention(AttentionLike op);
/// (C1) to (C3) of a decoding step, and its `soft_cap`.
template <typename StepLike> llvm::LogicalResult verifyStep(StepLike op);
/// What all of them ask of `soft_cap`.
llvm::LogicalResult verifySoftCap(mlir::Operation *op, const llvm::APFloat &softCap);
/// (C4) of a decoding step.
template <typename StepLike> llvm::LogicalResult verifyCaches(StepLike op, mlir::SymbolTableCollection &tables);
/// Its cost: the cached steps are read, and those of the newest one written.
template <typename StepLike> mlir::AffineExpr stepFlops(StepLike op, const SymbolicDims &dims);
template <typename StepLike> mlir::AffineExpr stepBytes(StepLike op, const SymbolicDims &dims);
/// The shape of `output` or of its gradient, and that of the log-sums.
template <typename AttentionLike>
llvm::LogicalResult verifyOutput(AttentionLike op, llvm::StringRef name, mlir::Value output);
template <typename AttentionLike> llvm::LogicalResult verifyLogSums(AttentionLike op);

/// The pairs of a query and a key that `op` scores, summed over the batch: all, or those that a causal op sees. An op
/// that bounds the keys of a query otherwise says so here, and its cost and schedule follow. What a span hides depends
/// on a parameter, so it counts as if all of the window were seen.
template <typename AttentionLike> mlir::AffineExpr scoredPairs(AttentionLike op, const Dims &query, const Dims &key) {
  if constexpr (requires { op.getWindow(); }) {
    if (op.getWindow() > 0)
      return query[0] * query[1] * static_cast<int64_t>(op.getWindow());
    return query[0] * (query[1] * key[1] - (query[1] * (query[1] - 1)).floorDiv(2));
  } else {
    if (op.getCausal())
      return query[0] * (query[1] * (query[1] + 1)).floorDiv(2);
    return query[0] * query[1] * key[1];
  }
}

} // namespace bifocal
#endif
