// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Tensor.h"

namespace bifocal {

std::string_view name(ElementType type) {
  switch (type) {
  case ElementType::f32:
    return "f32";
  case ElementType::bf16:
    return "bf16";
  case ElementType::f16:
    return "f16";
  case ElementType::i32:
    return "i32";
  case ElementType::i64:
    return "i64";
  case ElementType::i1:
    return "i1";
  }
  return "unknown";
}

std::optional<ElementType> elementTypeByName(std::string_view text) {
  for (ElementType type :
       {ElementType::f32, ElementType::bf16, ElementType::f16, ElementType::i32, ElementType::i64, ElementType::i1})
    if (name(type) == text)
      return type;
  return std::nullopt;
}

} // namespace bifocal
