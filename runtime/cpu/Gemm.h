// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_GEMM_H
#define BIFOCAL_RUNTIME_CPU_GEMM_H

#include "runtime/core/Status.h"

#include <cstdint>

namespace bifocal {

/// A matrix product of row-major f32 matrices: C[m,n] = op(A) op(B) + (accumulate ? C : 0). With `transA` A is stored
/// [k,m], with `transB` B is stored [n,k]; rows are adjacent.
struct GemmArguments {
  int64_t m = 0, n = 0, k = 0;
  const float *a = nullptr, *b = nullptr;
  float *c = nullptr;
  bool transA = false, transB = false, accumulate = false;
};

/// What runs on rows of C as soon as they are complete: `run(context, begin, end)`, where begin is a multiple of
/// `granularity` and end is one too, or m.
struct GemmEpilogue {
  int64_t granularity = 1;
  void (*run)(void *context, int64_t begin, int64_t end) = nullptr;
  void *context = nullptr;
};

/// Computes the product with oneDNN. C is cut into tiles by its shape alone and every tile is one single-threaded
/// `dnnl_sgemm`, so the bits of the result do not depend on the number of threads, and the bits of a row do not depend
/// on m once m >= 16. Below, oneDNN has kernels for few rows (m = 1; m < 16 with `transB`) that sum in another order:
/// both results are within k * 2^-24 * sum |a b| of the exact one.
///
/// We allocate nothing; oneDNN takes the buffer for packed panels from the heap inside each tile's call and returns it.
Status gemm(int threads, const GemmArguments &arguments, const GemmEpilogue &epilogue = {});

} // namespace bifocal
#endif
