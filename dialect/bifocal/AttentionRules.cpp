// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/AttentionRules.h"

#include "dialect/bifocal/ShapeRules.h"

using namespace mlir;

namespace bifocal {

LogicalResult verifySoftCap(Operation *op, const APFloat &softCap) {
  if (softCap.isZero() || (softCap.isNormal() && !softCap.isNegative()))
    return success();
  return op->emitOpError("expects 0 or a normal number above it as soft_cap, but got ") << softCap.convertToFloat();
}

/// (C1) and the channels of keys and values in (C2): of `query` and `key` with the same axes before.
template <typename AttentionLike> static LogicalResult verifyChannels(AttentionLike op, ArrayRef<int64_t> keyRows) {
  const auto heads = static_cast<int64_t>(op.getHeads()), given = static_cast<int64_t>(op.getKvHeads());
  const int64_t kvHeads = given == 0 ? heads : given;
  // (C1)
  if (heads < 1)
    return op.emitOpError("expects heads >= 1, but got ") << heads;
  if (failed(verifyHeads(op, heads * mapsOf(op), "query", op.getQuery())))
    return failure();
  if (kvHeads < 1 || heads % kvHeads != 0)
    return op.emitOpError("expects kv_heads that divide the heads, but got ")
           << kvHeads << " kv_heads and " << heads << " heads";
  // (C2)
  const int64_t keyChannels = channelsOf(op.getQuery()) / heads * kvHeads;
  const bool isStep = keyRows.size() == 1;
  StringRef why = kvHeads == heads ? (isStep ? "the shape of 'query'" : "batch and channels of 'query'")
                                   : (isStep ? "rows of 'query', its channels of kv_heads"
                                             : "batch of 'query', its channels of kv_heads");
  if (failed(verifyShape(op, "key", op.getKey(), withChannels(keyRows, keyChannels), why)) ||
      failed(verifyHeads(op, kvHeads, "value", op.getValue())))
    return failure();
  return verifyShape(op, "value", op.getValue(), withChannels(rowsOf(op.getKey()), channelsOf(op.getValue())),
                     isStep ? "the rows of 'key'" : "batch and steps of 'key'");
}

template <typename AttentionLike> LogicalResult verifyAttention(AttentionLike op) {
  ArrayRef<int64_t> query = shapeOf(op.getQuery()), key = shapeOf(op.getKey());
  if (failed(verifyChannels(op, {query[0], key[1]})))
    return failure();
  if constexpr (requires { op.getCausal(); }) {
    // (C3)
    if (op.getMask() && failed(verifyShape(op, "mask", op.getMask(), {key[0], key[1]}, "batch and steps of 'key'")))
      return failure();
    // (C4)
    if (op.getCausal() && sizesDiffer(query[1], key[1]))
      return op.emitOpError("expects as many queries as keys where 'causal' stands, but got ")
             << query[1] << " queries and " << key[1] << " keys";
  }
  // (C5)
  if (failed(verifyDropRate(op, op.getDropRate(), op.getRng())))
    return failure();
  // (C8)
  return verifySoftCap(op, op.getSoftCap());
}

template <typename StepLike> LogicalResult verifyStep(StepLike op) {
  ArrayRef<int64_t> query = shapeOf(op.getQuery());
  if (failed(verifyChannels(op, {query[0]})))
    return failure();
  // (C2)
  if (failed(verifyShape(op, "output", op.getOutput(), {query[0], headSizes(op).outputChannels()},
                         "rows of 'query', heads times the channels of a value")))
    return failure();
  // (C3)
  if (failed(verifyShape(op, "ancestors", op.getAncestors(), {query[0], ShapedType::kDynamic},
                         "one row per row of 'query'")))
    return failure();
  return verifySoftCap(op, op.getSoftCap());
}

template <typename StepLike> LogicalResult verifyCaches(StepLike op, SymbolTableCollection &tables) {
  Type element = getElementTypeOrSelf(op.getQuery().getType());
  for (auto [name, state, row] : {std::tuple("key_cache", op.getKeyCacheAttr(), op.getKey()),
                                  std::tuple("value_cache", op.getValueCacheAttr(), op.getValue())})
    if (failed(verifyState(op, name, state, {ShapedType::kDynamic, ShapedType::kDynamic, channelsOf(row)}, element,
                           "steps, rows, channels", tables)))
      return failure();
  return success();
}

/// Of an operand [N, P].
template <typename StepLike> static AffineExpr pairsOf(StepLike op, const SymbolicDims &dims, int64_t more) {
  const Dims &ancestors = dims.operands[op.getAncestorsMutable().getOperandNumber()];
  return ancestors[0] * (ancestors[1] + more);
}

template <typename StepLike> AffineExpr stepFlops(StepLike op, const SymbolicDims &dims) {
  // The cached steps and the newest one.
  const HeadSizes sizes = headSizes(op);
  return pairsOf(op, dims, 1) *
         (2 * (sizes.scoreProducts() + sizes.maps * sizes.valueProducts()) + 6 * sizes.maps * sizes.heads);
}

template <typename StepLike> AffineExpr stepBytes(StepLike op, const SymbolicDims &dims) {
  // Keys and values of all steps are read, those of one are written.
  const HeadSizes sizes = headSizes(op);
  const int64_t row = (sizes.keyChannels() + sizes.valueChannels()) * elementBytes(op.getQuery().getType());
  return compulsoryBytes(op, dims) + pairsOf(op, dims, 2) * row;
}

template <typename AttentionLike> LogicalResult verifyOutput(AttentionLike op, StringRef name, Value output) {
  ArrayRef<int64_t> query = shapeOf(op.getQuery());
  return verifyShape(op, name, output, {query[0], query[1], headSizes(op).outputChannels()},
                     "batch and steps of 'query', heads times the channels of a value");
}

template <typename AttentionLike> LogicalResult verifyLogSums(AttentionLike op) {
  ArrayRef<int64_t> query = shapeOf(op.getQuery());
  const int64_t maps = mapsOf(op), heads = static_cast<int64_t>(op.getHeads()) * maps;
  return verifyShape(op, "lse", op.getLse(), {query[0], heads, query[1]},
                     maps == 1 ? "batch of 'query', heads, steps of 'query'"
                               : "batch of 'query', maps of all heads, steps of 'query'");
}

#define BIFOCAL_ATTENTION_RULES(Op)                                                                                    \
  template LogicalResult verifyAttention(Op);                                                                          \
  template LogicalResult verifyOutput(Op, StringRef, Value);                                                           \
  template LogicalResult verifyLogSums(Op);
BIFOCAL_ATTENTION_RULES(AttentionOp)
BIFOCAL_ATTENTION_RULES(AttentionGradOp)
BIFOCAL_ATTENTION_RULES(DiffAttentionOp)
BIFOCAL_ATTENTION_RULES(DiffAttentionGradOp)
BIFOCAL_ATTENTION_RULES(RelativeAttentionOp)
BIFOCAL_ATTENTION_RULES(RelativeAttentionGradOp)
#undef BIFOCAL_ATTENTION_RULES

#define BIFOCAL_STEP_RULES(Op)                                                                                         \
  template LogicalResult verifyStep(Op);                                                                               \
  template LogicalResult verifyCaches(Op, SymbolTableCollection &);                                                    \
  template AffineExpr stepFlops(Op, const SymbolicDims &);                                                             \
  template AffineExpr stepBytes(Op, const SymbolicDims &);
BIFOCAL_STEP_RULES(AttentionStepOp)
BIFOCAL_STEP_RULES(DiffAttentionStepOp)
BIFOCAL_STEP_RULES(RelativeAttentionStepOp)
#undef BIFOCAL_STEP_RULES

} // namespace bifocal
