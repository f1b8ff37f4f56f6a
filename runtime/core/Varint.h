// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_VARINT_H
#define BIFOCAL_RUNTIME_CORE_VARINT_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace bifocal {

/// Takes a number off the front of `text`: seven bits a byte, the lowest first, as protocol buffers have them. Nothing
/// where it does not end, or is longer than 64 bits.
inline std::optional<uint64_t> readVarint(std::string_view &text) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !text.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80)
      return value;
  }
  return std::nullopt;
}

} // namespace bifocal
#endif
