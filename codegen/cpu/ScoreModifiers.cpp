// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/ScoreModifiers.h"

#include "codegen/cpu/AttentionTile.h"

using namespace mlir;

namespace bifocal {

static Value partOf(KernelBuilder &kernel, Value score, double most) {
  return kernel.mul(score, kernel.constant(score.getType(), 1 / most));
}

Value SoftCap::of(KernelBuilder &kernel, Value score) const {
  if (most == 0)
    return score;
  return kernel.mul(kernel.tanh(partOf(kernel, score, most)), kernel.constant(score.getType(), most));
}

Value SoftCap::slope(KernelBuilder &kernel, Value capped) const {
  if (most == 0)
    return {};
  Value part = partOf(kernel, capped, most), zero = kernel.constant(capped.getType(), 0.0);
  // A key that no query sees may have a score that is no number, which then counts nothing.
  return kernel.max(kernel.fma(kernel.neg(part), part, kernel.constant(capped.getType(), 1.0)), zero);
}

Value SoftCap::gradient(KernelBuilder &kernel, Value capped, Value gradient) const {
  Value own = slope(kernel, capped);
  return own ? kernel.mul(gradient, own) : gradient;
}

KeyRange CausalModifier::bound(AttentionTile &tile, KeyRange keys) const {
  KernelBuilder &kernel = tile.builder();
  return {keys.begin, kernel.min(keys.end, kernel.add(tile.first(), tile.count()))};
}

Value CausalModifier::visible(AttentionTile &tile, Value key) const {
  KernelBuilder &kernel = tile.builder();
  Value distance = kernel.convert(kernel.sub(tile.first(), key), kernel.i32());
  Value query = kernel.add(kernel.lanes(kernel.i32(), kernel.width()), kernel.splat(distance));
  return kernel.lessEqual(kernel.constantInt(query.getType(), 0), query);
}

Value PaddingModifier::visible(AttentionTile &tile, Value key) const {
  KernelBuilder &kernel = tile.builder();
  Value place = kernel.add(kernel.mul(tile.inSentence(), kernel.expression(tile.form().keys)), key);
  Value real = kernel.notEqual(kernel.load(mask, place), kernel.constantInt(kernel.i8(), 0));
  return kernel.splat(real, kernel.width());
}

} // namespace bifocal
