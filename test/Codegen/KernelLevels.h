// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_CODEGEN_KERNELLEVELS_H
#define BIFOCAL_TEST_CODEGEN_KERNELLEVELS_H

#include "codegen/common/VectorTarget.h"
#include "runtime/cpu/CpuDevice.h"
#include "test/Codegen/KernelHarness.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <ostream>

namespace bifocal::test {

/// How kernels are written, and the instructions that carry them out.
struct KernelLevel {
  std::string shapes, instructions;
};

inline void PrintTo(const KernelLevel &level, std::ostream *out) {
  *out << level.shapes << " in instructions of " << level.instructions;
}

/// The levels of this machine. One that it cannot run is written all the same (vectors, masks and tiles of that level),
/// in narrower instructions: that says nothing about the code of the wide ones, but it does about the generator.
/// The level with dot products, whose kernels differ in products of bf16 and of bytes alone, is there if asked for.
inline std::vector<KernelLevel> kernelLevels(bool withDotProducts = false) {
  const std::vector<std::string> runnable = runnableLevels();
  std::vector<KernelLevel> levels;
  for (const char *shapes : {"x86-64-v3", "x86-64-v4", "x86-64-v4-dot"}) {
    const bool runs = std::find(runnable.begin(), runnable.end(), shapes) != runnable.end();
    // Dot products are instructions that the others do not have.
    if (!runnable.empty() && (VectorTarget::find(shapes)->hasDotProducts ? runs && withDotProducts : true))
      levels.push_back({shapes, runs ? shapes : runnable.back()});
  }
  return levels;
}

/// The levels of this machine, and the warps of GPUs, which the emulator runs.
inline std::vector<std::string> testedLevels() {
  std::vector<std::string> levels;
  for (const KernelLevel &level : kernelLevels())
    if (level.shapes == level.instructions)
      levels.push_back(level.shapes);
  levels.push_back("warp");
  return levels;
}

inline std::vector<KernelLevel> levelsWithWarps() {
  std::vector<KernelLevel> levels = kernelLevels();
  levels.push_back({"warp", "warp"});
  return levels;
}

inline std::string shortLevelName(const testing::TestParamInfo<std::string> &info) {
  return info.param.substr(info.param.rfind('-') + 1);
}

inline std::string levelName(const testing::TestParamInfo<KernelLevel> &info) {
  auto last = [](const std::string &level) { return level.substr(level.rfind('-') + 1); };
  const std::string shapes = last(info.param.shapes), instructions = last(info.param.instructions);
  return shapes == instructions ? shapes : shapes + "_shapes_in_" + instructions;
}

} // namespace bifocal::test
#endif
