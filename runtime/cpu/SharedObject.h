// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_SHAREDOBJECT_H
#define BIFOCAL_RUNTIME_CPU_SHAREDOBJECT_H

#include "runtime/core/Status.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace bifocal {

/// A shared object loaded from memory.
class SharedObject {
public:
  static Result<std::unique_ptr<SharedObject>> load(std::span<const std::byte> bytes, const std::string &name);
  SharedObject(const SharedObject &) = delete;
  SharedObject &operator=(const SharedObject &) = delete;
  ~SharedObject();

  /// The address of a symbol, or null.
  void *find(const std::string &symbol) const;

private:
  SharedObject(int descriptor, void *handle) : descriptor_(descriptor), handle_(handle) {}
  int descriptor_;
  void *handle_;
};

} // namespace bifocal
#endif
