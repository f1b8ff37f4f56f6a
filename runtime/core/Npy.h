// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_NPY_H
#define BIFOCAL_RUNTIME_CORE_NPY_H

#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace bifocal {

/// A tensor that owns its memory.
struct HostTensor {
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;

  static HostTensor zeros(ElementType type, std::vector<int64_t> shape);
  /// Expects a rank of at most TensorView::maxRank.
  TensorView view();
  int64_t elements() const { return static_cast<int64_t>(data.size() / byteSize(type)); }
  /// One element as a number.
  double at(int64_t index) const;
  /// Stores a number, converted to the element type; bf16 and f16 are not written.
  void set(int64_t index, double value);
};

/// Reads an .npy file (format 1 to 3, little-endian, C order): f4, f8 (narrowed to f32), f2, i4, i8, u1 and bool.
Result<HostTensor> readNpy(const std::string &path);
Result<HostTensor> parseNpy(std::span<const std::byte> bytes);
Status writeNpy(const std::string &path, const HostTensor &tensor);

} // namespace bifocal
#endif
