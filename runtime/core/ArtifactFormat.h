// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_ARTIFACTFORMAT_H
#define BIFOCAL_RUNTIME_CORE_ARTIFACTFORMAT_H

#include <array>
#include <cstdint>
#include <string_view>

/// What the writer and the reader of an artifact must agree on (docs/Artifact.md). No code, no dependencies.
namespace bifocal::format {

/// The value of "format" in the manifest. Raised when an older runtime could misread a newer artifact.
inline constexpr int64_t version = 1;

inline constexpr std::string_view manifestEntry = "manifest.json";
inline constexpr std::string_view planEntry = "plan.json";
inline constexpr std::string_view hostPrefix = "host/";
inline constexpr std::string_view hostSuffix = ".so";

/// CPU levels, best first.
inline constexpr std::array<std::string_view, 2> hostLevels = {"x86-64-v4", "x86-64-v3"};

/// The value of a size class is rounded up to a multiple of this.
inline constexpr int64_t classAlignment = 16;
/// Offsets of arena buffers, in bytes per class unit, are multiples of this.
inline constexpr int64_t bufferAlignment = 4;
/// Offsets of parameters, in elements of the slab, are multiples of this.
inline constexpr int64_t parameterAlignment = 16;

/// The symbol for the rows of a window inside a `slabs` step.
inline constexpr std::string_view windowSymbol = "W";

/// Third counter word of initialisers; dropout sites are numbered from 0 and never reach it.
inline constexpr uint32_t initializerStream = 0x0B1F0CA1;

constexpr int64_t roundUpToClass(int64_t value) {
  return (value + classAlignment - 1) / classAlignment * classAlignment;
}

} // namespace bifocal::format
#endif
