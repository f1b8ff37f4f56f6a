// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_ARTIFACTFORMAT_H
#define BIFOCAL_RUNTIME_CORE_ARTIFACTFORMAT_H

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

/// What the writer and the reader of an artifact must agree on (docs/Artifact.md). No dependencies.
namespace bifocal::format {

/// The value of "format" in the manifest. Raised when an older runtime could misread a newer artifact, or this one an
/// older artifact.
inline constexpr int64_t version = 6;

inline constexpr std::string_view manifestEntry = "manifest.json";
inline constexpr std::string_view planEntry = "plan.json";
inline constexpr std::string_view hostPrefix = "host/";
inline constexpr std::string_view hostSuffix = ".so";

/// The table of the kernels for GPUs, and where it and their images are.
inline constexpr std::string_view kernelPrefix = "kernels/";
inline constexpr std::string_view kernelTableEntry = "kernels/cuda.json";
inline constexpr std::string_view bitcodeSuffix = ".bc";
inline constexpr std::string_view ptxSuffix = ".ptx";
inline constexpr std::string_view cubinSuffix = ".cubin";
/// Of a block of a GPU: warps, and bytes of dynamic shared memory on the largest one.
inline constexpr int64_t mostWarps = 32;
inline constexpr int64_t mostSharedBytes = 227 << 10;

/// What expressions in that table call the sizes of a launch: s0, s1, ...
inline const std::array<std::string, 16> &launchSizeNames() {
  static const std::array<std::string, 16> names = [] {
    std::array<std::string, 16> result;
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = "s" + std::to_string(i);
    return result;
  }();
  return names;
}

/// CPU levels, best first: AVX-512 with dot products of bf16 and of bytes, AVX-512, AVX2.
inline constexpr std::array<std::string_view, 3> hostLevels = {"x86-64-v4-dot", "x86-64-v4", "x86-64-v3"};

/// The value of a size class is rounded up to a multiple of this.
inline constexpr int64_t classAlignment = 16;
/// Offsets of arena buffers, in bytes per class unit, are multiples of this.
inline constexpr int64_t bufferAlignment = 4;
/// Offsets of panels, in bytes, are multiples of this.
inline constexpr int64_t cacheLine = 64;
/// Offsets of parameters, in elements of the slab, are multiples of this.
inline constexpr int64_t parameterAlignment = 16;

/// The symbol for the rows of a window inside a `slabs` step.
inline constexpr std::string_view windowSymbol = "W";

/// Third counter word of initialisers; dropout sites are numbered from 0 and never reach it.
inline constexpr uint32_t initializerStream = 0x0B1F0CA1;

// Matrix products (runtime/cpu/Gemm.h).
/// Columns of B that one tile of a product's packing stage packs; the width of a panel divides it.
inline constexpr int64_t gemmColumnUnit = 32;
/// Panels hold the inner axis rounded up to a multiple of this.
inline constexpr int64_t gemmInnerUnit = 16;
/// Steps of the inner axis that are packed at a time.
inline constexpr int64_t gemmInnerSteps = 512;
/// Most rows of a tile.
inline constexpr int64_t gemmMostRows = 192;
/// Most rows of a tile of a product's epilogue.
inline constexpr int64_t mostRowsPerTile = 1 << 20;

/// The kernels of products: by what is stored transposed, A and B.
inline constexpr std::array<std::string_view, 4> gemmKernels = {"gemm_nn", "gemm_nt", "gemm_tn", "gemm_tt"};

constexpr std::string_view gemmKernel(bool transA, bool transB) {
  return gemmKernels[(transA ? 2u : 0u) + (transB ? 1u : 0u)];
}

/// The kernel for matrices of these element types: without a suffix where all are f32.
inline std::string gemmKernel(bool transA, bool transB, std::string_view a, std::string_view b, std::string_view c) {
  std::string name(gemmKernel(transA, transB));
  if (a != "f32" || b != "f32" || c != "f32")
    for (const std::string_view element : {a, b, c})
      name.append("_").append(element);
  return name;
}

/// The kernels of products with factors of 8 bits, all of which have a transposed B and f32 in memory: by what is
/// rounded, B or A and B.
inline constexpr std::array<std::string_view, 2> quantizedKernels = {"gemm_nt_i8_weights", "gemm_nt_i8"};

/// Those of the four forms, in the order of `gemmKernels`.
inline std::array<std::string, 4> gemmKernelsOf(std::string_view a, std::string_view b, std::string_view c) {
  return {gemmKernel(false, false, a, b, c), gemmKernel(false, true, a, b, c), gemmKernel(true, false, a, b, c),
          gemmKernel(true, true, a, b, c)};
}

/// What the factors of a product are multiplied in: the narrow one of its element types (docs/Numerics.md). `T` stands
/// for an element type in any way.
template <typename T> T gemmFactor(T a, T b, T c, T f32) {
  for (T type : {a, b, c})
    if (type != f32)
      return type;
  return f32;
}

/// The kernel of GPUs that copies a factor of a product, rows that are not real as zeros, from one element type to
/// another: their libraries of products know no masks, and want both factors of one type. Buffers: from, to, mask (or
/// nothing); sizes: rows, columns, whether there is a mask (0 or 1), elements from one row of the source to the next; a
/// tile is a row.
inline std::string gemmOperand(std::string_view from, std::string_view to) {
  return std::string("gemm_operand_").append(from).append("_").append(to);
}

/// The inner axis of quantised panels is rounded up to a multiple of this.
inline constexpr int64_t quantizedUnit = 32;

/// Elements of 4 bytes that a quantised panel of `columns` columns has for up to `gemmInnerSteps` steps: a scale and a
/// byte for each step.
constexpr int64_t quantizedPanel(int64_t columns, int64_t steps) {
  return columns * (1 + (steps + quantizedUnit - 1) / quantizedUnit * quantizedUnit / 4);
}

/// Elements of workspace (f32) that a product with an inner axis of `k` needs for its `n` columns. Quantised, each
/// column has a scale per `gemmInnerSteps` steps and a byte for each step.
constexpr int64_t gemmWorkspace(int64_t n, int64_t k, bool quantized = false) {
  const auto units = [](int64_t value, int64_t unit) { return (value + unit - 1) / unit; };
  return units(n, gemmColumnUnit) * gemmColumnUnit *
         (quantized ? units(k, gemmInnerSteps) + units(k, quantizedUnit) * quantizedUnit / 4
                    : units(k, gemmInnerUnit) * gemmInnerUnit);
}

/// The same for each step of an inner axis whose length is a whole number of units.
constexpr int64_t gemmWorkspacePerStep(int64_t n) { return gemmWorkspace(n, gemmInnerUnit) / gemmInnerUnit; }

constexpr int64_t roundUpToClass(int64_t value) {
  return (value + classAlignment - 1) / classAlignment * classAlignment;
}

} // namespace bifocal::format
#endif
