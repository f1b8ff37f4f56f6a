// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/LanePattern.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace bifocal {

static Value number(OpBuilder &builder, Location loc, uint32_t value) {
  return builder.create<arith::ConstantOp>(loc, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
}

LanePattern patternOf(ArrayRef<int64_t> sources, int64_t lanes) {
  LanePattern pattern;
  pattern.lanes = static_cast<uint32_t>(sources.size());
  for (auto [lane, source] : llvm::enumerate(sources)) {
    for (unsigned bit = 0; bit < 5; ++bit)
      pattern.planes[bit] |= static_cast<uint32_t>(source % lanes >> bit & 1) << lane;
    pattern.second |= static_cast<uint32_t>(source >= lanes) << lane;
  }
  return pattern;
}

/// Bit `thread` of `plane`, as 0 or 1.
static Value bitOf(OpBuilder &builder, Location loc, uint32_t plane, Value thread) {
  Value shifted = builder.create<arith::ShRUIOp>(loc, number(builder, loc, plane), thread);
  return builder.create<arith::AndIOp>(loc, shifted, number(builder, loc, 1));
}

Value LanePattern::sourceThread(OpBuilder &builder, Location loc, Value thread) const {
  // Most shuffles are (lane & kept) ^ flipped: a bit of the source is a bit of the lane, its opposite, or fixed.
  const uint32_t valid = lanes == 32 ? ~0u : (1u << lanes) - 1;
  constexpr uint32_t identity[] = {0xAAAAAAAA, 0xCCCCCCCC, 0xF0F0F0F0, 0xFF00FF00, 0xFFFF0000};
  uint32_t kept = 0, flipped = 0;
  bool simple = true;
  for (unsigned bit = 0; bit < 5; ++bit) {
    const uint32_t plane = planes[bit] & valid, own = identity[bit] & valid;
    if (plane == own)
      kept |= 1u << bit;
    else if (plane == (~own & valid))
      kept |= 1u << bit, flipped |= 1u << bit;
    else if (plane == valid)
      flipped |= 1u << bit;
    else
      simple &= plane == 0;
  }
  if (!simple) {
    Value source;
    for (unsigned bit = 0; bit < 5; ++bit) {
      Value part =
          builder.create<arith::ShLIOp>(loc, bitOf(builder, loc, planes[bit], thread), number(builder, loc, bit));
      source = source ? builder.create<arith::OrIOp>(loc, source, part).getResult() : part;
    }
    return source;
  }
  if (kept == 31 && flipped == 0)
    return Value();
  Value source = builder.create<arith::AndIOp>(loc, thread, number(builder, loc, kept));
  return builder.create<arith::XOrIOp>(loc, source, number(builder, loc, flipped));
}

Value LanePattern::isSecond(OpBuilder &builder, Location loc, Value thread) const {
  if (second == 0)
    return Value();
  Value bit = bitOf(builder, loc, second, thread);
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ne, bit, number(builder, loc, 0));
}

} // namespace bifocal
