// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_SAFETENSORS_H
#define BIFOCAL_RUNTIME_CORE_SAFETENSORS_H

#include "runtime/core/File.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// A safetensors file, mapped or in memory: tensors by name, and string metadata. The header is checked in full before
/// anything is handed out: it starts with '{', has at most 100 MB, and the tensors cover the data without holes or
/// overlaps.
class Safetensors {
public:
  struct Entry {
    ElementType type = ElementType::f32; ///< BOOL and U8 are i1 (one byte per element)
    std::vector<int64_t> shape;
    std::span<const std::byte> data; ///< little-endian; not necessarily aligned

    int64_t elements() const { return static_cast<int64_t>(data.size() / byteSize(type)); }
  };

  /// Maps the file; it must not change while this object lives. "-" is stdin.
  static Result<Safetensors> open(const std::string &path);
  /// Reads from bytes that must outlive the object.
  static Result<Safetensors> fromBytes(std::span<const std::byte> bytes);

  const std::map<std::string, Entry, std::less<>> &tensors() const { return tensors_; }
  const std::map<std::string, std::string> &metadata() const { return metadata_; }
  const Entry *find(std::string_view name) const;

  /// Reads all data and compares them with the digest that `writeSafetensors` left in the metadata; ok where there is
  /// none. Errors: `malformed`.
  Status checkDigest() const;

  /// Copies a tensor as f32; f16 and bf16 are widened. `values` must have as many elements as the tensor.
  Status readFloats(std::string_view name, std::span<float> values) const;
  /// Copies a tensor of type i32 or i64 as i64.
  Status readIntegers(std::string_view name, std::span<int64_t> values) const;

private:
  std::shared_ptr<const MappedFile> file_;
  std::span<const std::byte> data_;
  std::map<std::string, Entry, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// A tensor to be written; its memory belongs to the caller.
struct SafetensorsItem {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<int64_t> shape;
  const void *data = nullptr;
};

/// Writes a file through AtomicFile; tensors in the given order, aligned to 64 bytes as a group, and the XXH3 of their
/// data as `bifocal.digest` in the metadata. The same items give the same bytes.
Status writeSafetensors(const std::string &path, std::span<const SafetensorsItem> items,
                        const std::map<std::string, std::string> &metadata = {});

/// Widens 16-bit floats.
float floatFromHalf(uint16_t bits);
float floatFromBfloat(uint16_t bits);

} // namespace bifocal
#endif
