// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_BACKEND_H
#define BIFOCAL_RUNTIME_CORE_BACKEND_H

#include "runtime/core/HostTimes.h"
#include "runtime/core/Plan.h"
#include "runtime/core/Status.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace bifocal {

/// A matrix product of row-major matrices: C[m,n] = op(A) op(B) + (accumulate ? C : 0). With `transA` A is stored
/// [k,m], with `transB` B is stored [n,k]. The element types are those that the kernels are for.
struct GemmArguments {
  int64_t m = 0, n = 0, k = 0;
  const void *a = nullptr, *b = nullptr;
  void *c = nullptr;
  /// `format::gemmWorkspace(n, k, quantized)` elements, or null.
  float *workspace = nullptr;
  bool accumulate = false;
  /// What is in the workspace, before and after: nothing that counts; nothing, then the panels of B; these already.
  enum class Panels : uint8_t { own, keep, kept } panels = Panels::own;
  /// Which rows of A, as it is stored, are real (1 or 0 each), or null for all. The others count as zeros: rows of C
  /// that are 0 or, with accumulate, stay; with transA, steps of the inner axis that the sums leave out. Not for both
  /// transposed.
  const unsigned char *mask = nullptr;
  /// Elements from one row of a matrix, as it is stored, to the next.
  int64_t strideA = 0, strideB = 0, strideC = 0;

  /// For matrices whose rows are adjacent.
  void setAdjacent(bool transA, bool transB) {
    strideA = transA ? m : k;
    strideB = transB ? k : n;
    strideC = n;
  }
};

/// What differs between devices when a plan runs: where kernels come from and how they, products, fills and copies are
/// issued. All addresses are the device's; steps take effect in the order in which they are issued.
class Backend {
public:
  virtual ~Backend() = default;

  /// What `kernel` or `product` has found, for the calls below.
  using Handle = size_t;

  /// What a kernel works on, in the order of the launch. `bytes` are the sizes of the buffers.
  struct Arguments {
    std::span<void *const> buffers;
    std::span<const int64_t> bytes;
    std::span<const int64_t> sizes;
  };

  /// A kernel of one stage over the rows of C, `rowsPerTile` of them a tile.
  struct Epilogue {
    Handle kernel;
    Arguments arguments;
    int64_t rowsPerTile;
  };

  /// The function of a stage of a kernel, for launches with so many buffers and sizes.
  ///
  /// Errors:
  ///   malformed  the artifact has no such function, or it needs more of them
  virtual Result<Handle> kernel(const std::string &name, size_t stage, size_t buffers, size_t sizes) = 0;
  /// What computes the products of `step`, a step of `plan`.
  ///
  /// Errors:
  ///   malformed    the artifact has no function for it
  ///   unsupported  the device has no such product
  virtual Result<Handle> product(const EntryPlan &plan, const GemmStep &step) = 0;

  virtual Status launch(Handle kernel, const Arguments &arguments, int64_t tiles) = 0;
  /// `arguments` has elements in C, or panels to keep; `epilogue` may be null.
  virtual Status multiply(Handle product, const GemmArguments &arguments, const Epilogue *epilogue) = 0;
  /// Writes 32-bit words; what is left of `bytes` gets the first bytes of one.
  virtual Status fill(std::byte *target, int64_t bytes, uint32_t word) = 0;
  /// The ranges may overlap.
  virtual Status copy(std::byte *to, const std::byte *from, int64_t bytes) = 0;

  /// Notes when all steps so far will have taken effect, as time `index`; a later call may note it anew.
  virtual Status mark(size_t index) {
    times_.mark(index);
    return {};
  }
  /// What lies between two times, the second one not before the first; waits for both.
  virtual Result<double> secondsBetween(size_t first, size_t second) { return times_.secondsBetween(first, second); }
  /// Floating-point operations of a product.
  virtual double flops(const GemmArguments &arguments, bool transA) const {
    return 2.0 * static_cast<double>(arguments.m) * static_cast<double>(arguments.n) * static_cast<double>(arguments.k);
  }

private:
  HostTimes times_;
};

} // namespace bifocal
#endif
