// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_GEMM_H
#define BIFOCAL_RUNTIME_CPU_GEMM_H

#include "runtime/core/Backend.h"

#include <array>
#include <cstdint>

namespace bifocal {

/// One stage of a generated kernel, over the tiles [begin, end).
using CpuKernel = void (*)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end);

/// The generated stages of a product (codegen/cpu/GemmKernels.h), for one choice of transA, transB and element types:
///   buffers: a, b, c, workspace, mask; sizes: m, n, k, accumulate (0 or 1), rows per tile, columns per tile, whether
///   there is a mask (0 or 1), elements from one row of a, b and c to the next.
/// Stage 0 packs `format::gemmColumnUnit` columns of B per tile into the workspace. Stage 1 computes tiles of C,
/// numbered row by row, from the workspace. Stage 2 does the same from B itself.
using GemmKernels = std::array<CpuKernel, 3>;

/// What runs on rows of C as soon as they are complete: `run(context, begin, end)`, where begin is a multiple of
/// `granularity` and end is one too, or m.
struct GemmEpilogue {
  int64_t granularity = 1;
  void (*run)(void *context, int64_t begin, int64_t end) = nullptr;
  void *context = nullptr;
};

/// Computes the product. C is cut into tiles by its shape and the number of threads; an element is a chain of fused
/// multiply-adds over the inner axis in an order that the element types alone decide: the bits of a row depend neither
/// on the number of threads nor on the other rows. Of a narrow product (one with a bf16 or f16 matrix) the factors are
/// rounded to that type before, and a narrow C once, after the chain. See docs/Numerics.md. Allocates nothing.
void gemm(int threads, const GemmKernels &kernels, const GemmArguments &arguments, const GemmEpilogue &epilogue = {});

} // namespace bifocal
#endif
