// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMMON_CPUTARGET_H
#define BIFOCAL_CODEGEN_COMMON_CPUTARGET_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace bifocal {

/// What a kernel generator must know about a level of CPUs.
struct CpuTarget {
  /// The name of the level as LLVM and the artifact spell it: `x86-64-v3` or `x86-64-v4`.
  llvm::StringRef level;
  /// f32 lanes of one vector register.
  int64_t vectorWidth;
  /// Number of vector registers.
  int64_t registers;

  /// The level called `name`; empty when there is no such level.
  static std::optional<CpuTarget> find(llvm::StringRef name) {
    if (name == "x86-64-v3")
      return CpuTarget{"x86-64-v3", 8, 16};
    if (name == "x86-64-v4")
      return CpuTarget{"x86-64-v4", 16, 32};
    return std::nullopt;
  }
};

} // namespace bifocal
#endif
