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
  /// The name of the level as the artifact spells it (`format::hostLevels`); or `warp`.
  llvm::StringRef level;
  /// f32 lanes of one vector register.
  int64_t vectorWidth;
  /// Number of vector registers.
  int64_t registers;
  /// Lanes of other vectors are a whole number of warps, and exchange what they hold lane by lane.
  bool isWarp = false;
  /// Has instructions that add up products of two neighbouring bf16, and of four neighbouring bytes (AVX512_BF16 and
  /// AVX512_VNNI: servers from Cooper Lake and Sapphire Rapids on, and Zen 4 on).
  bool hasDotProducts = false;

  /// Threads of a warp.
  static constexpr int64_t lanesOfWarp = 32;

  static VectorTarget warp() { return {"warp", lanesOfWarp, 32, true}; }

  /// The level called `name`; empty when there is no such level.
  static std::optional<VectorTarget> find(llvm::StringRef name) {
    if (name == "x86-64-v3")
      return VectorTarget{"x86-64-v3", 8, 16};
    if (name == "x86-64-v4")
      return VectorTarget{"x86-64-v4", 16, 32};
    if (name == "x86-64-v4-dot")
      return VectorTarget{"x86-64-v4-dot", 16, 32, /*isWarp=*/false, /*hasDotProducts=*/true};
    return std::nullopt;
  }

  /// What LLVM calls the CPU of a level, and what it has beyond that.
  llvm::StringRef cpu() const { return hasDotProducts ? "x86-64-v4" : level; }
  llvm::StringRef features() const { return hasDotProducts ? "+avx512bf16,+avx512vnni" : ""; }
};

} // namespace bifocal
#endif
