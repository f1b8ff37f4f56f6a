// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_EMULATOR_CHECKEDMEMORY_H
#define BIFOCAL_CODEGEN_EMULATOR_CHECKEDMEMORY_H

#include "codegen/emulator/Shadow.h"

#include <cstdlib>
#include <map>
#include <string>

namespace bifocal::emulator {

enum class Space : uint8_t { Global, Shared, Constant };

/// A range of memory that kernels may access, with a name for reports.
struct Region {
  std::string name;
  char *begin;
  size_t bytes;
  Space space;
  Shadow shadow;

  bool contains(const char *address, size_t count) const {
    return address >= begin && count <= bytes && address <= begin + bytes - count;
  }
};

/// All ranges that kernels may access. Addresses are those of the host; memory that was allocated here has a margin
/// around it that belongs to nobody, so an index that is off by a little is found.
class CheckedMemory {
public:
  /// Memory of the device: aligned to 256 bytes, filled with NaN patterns, its content undefined. Null when the system
  /// has none.
  void *allocate(size_t bytes, std::string name);
  /// `address` comes from `allocate`.
  void release(void *address);
  /// Declares that the host wrote [address, address + bytes).
  void define(void *address, size_t bytes);
  /// Fills with NaN patterns and declares the content undefined.
  void poison(void *address, size_t bytes);

  /// Makes memory that somebody else owns accessible; it is forgotten with `removeRegion`.
  Region &addRegion(std::string name, void *begin, size_t bytes, Space space, Content content);
  void removeRegion(void *begin);
  /// The region that [address, address + bytes) lies in; null when there is none.
  Region *find(const void *address, size_t bytes);
  /// Where `address` is, in words: `x + 12` or `4 bytes behind the end of x (400 bytes)`.
  std::string describe(const void *address) const;

private:
  struct Freed {
    void operator()(void *memory) const { std::free(memory); }
  };
  std::map<const char *, Region> regions;
  std::map<const char *, std::unique_ptr<void, Freed>> allocations;
  Region *last = nullptr;
};

} // namespace bifocal::emulator
#endif
