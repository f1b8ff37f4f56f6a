// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMMON_VECTORTARGET_H
#define BIFOCAL_CODEGEN_COMMON_VECTORTARGET_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace bifocal {

/// What a kernel generator must know about the vectors of a machine: a level of CPUs, or a warp of a GPU, whose threads
/// are the lanes of one vector.
struct VectorTarget {
  /// The name of the level as LLVM and the artifact spell it: `x86-64-v3` or `x86-64-v4`; or `warp`.
  llvm::StringRef level;
  /// f32 lanes of one vector register.
  int64_t vectorWidth;
  /// Number of vector registers.
  int64_t registers;
  /// Lanes of other vectors are a whole number of warps, and exchange what they hold lane by lane.
  bool isWarp = false;

  /// Threads of a warp.
  static constexpr int64_t lanesOfWarp = 32;

  static VectorTarget warp() { return {"warp", lanesOfWarp, 32, true}; }

  /// The level called `name`; empty when there is no such level.
  static std::optional<VectorTarget> find(llvm::StringRef name) {
    if (name == "x86-64-v3")
      return VectorTarget{"x86-64-v3", 8, 16};
    if (name == "x86-64-v4")
      return VectorTarget{"x86-64-v4", 16, 32};
    return std::nullopt;
  }
};

} // namespace bifocal
#endif
