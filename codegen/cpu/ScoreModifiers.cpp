// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/ScoreModifiers.h"

#include "codegen/cpu/AttentionTile.h"

using namespace mlir;

namespace bifocal {

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
