// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_TENSOR_H
#define BIFOCAL_RUNTIME_CORE_TENSOR_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace bifocal {

enum class ElementType : uint8_t { f32, bf16, f16, i32, i64, i1 };

/// Bytes of one element; an i1 takes one byte.
constexpr size_t byteSize(ElementType type) {
  switch (type) {
  case ElementType::f32:
  case ElementType::i32:
    return 4;
  case ElementType::i64:
    return 8;
  case ElementType::bf16:
  case ElementType::f16:
    return 2;
  case ElementType::i1:
    return 1;
  }
  return 0;
}

constexpr bool isFloat(ElementType type) {
  return type == ElementType::f32 || type == ElementType::bf16 || type == ElementType::f16;
}

std::string_view name(ElementType type); // "f32", ...
std::optional<ElementType> elementTypeByName(std::string_view text);

/// A dense row-major tensor in memory that somebody else owns. Rank at most 4.
struct TensorView {
  static constexpr size_t maxRank = 4;

  TensorView() = default;
  TensorView(ElementType type, std::initializer_list<int64_t> dims, void *data) : type(type), data(data) {
    for (int64_t dim : dims)
      extents[rank++] = dim;
  }

  std::span<const int64_t> dims() const { return {extents.data(), rank}; }
  int64_t elements() const {
    int64_t product = 1;
    for (int64_t dim : dims())
      product *= dim;
    return product;
  }
  size_t bytes() const { return static_cast<size_t>(elements()) * byteSize(type); }

  ElementType type = ElementType::f32;
  size_t rank = 0;
  std::array<int64_t, maxRank> extents{};
  void *data = nullptr;
};

} // namespace bifocal
#endif
