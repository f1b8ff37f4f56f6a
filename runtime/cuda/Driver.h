// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CUDA_DRIVER_H
#define BIFOCAL_RUNTIME_CUDA_DRIVER_H

// What the device `cuda` needs of a GPU: the driver of NVIDIA's GPUs on one side, the emulator on the other. Both
// execute the same kernels of the same artifact, called by the same code.

#include "runtime/core/DeviceCode.h"
#include "runtime/core/HostTimes.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace bifocal::cuda {

enum class MemoryKind : uint8_t {
  device,  ///< for kernels, copies and fills
  staging, ///< of the host, for copies that do not wait for it
};

/// A range of device memory.
struct Range {
  std::byte *begin = nullptr;
  int64_t bytes = 0;
};

struct Launch {
  size_t function = 0; ///< what `Driver::find` has found
  uint32_t blocks = 0, threads = 0, sharedBytes = 0;
  std::span<void *const> parameters; ///< one pointer to each parameter's value
  std::span<const Range> accessible; ///< all memory that the kernel may access; ranges may overlap
};

/// C[m,n] = op(A) op(B) + (accumulate ? C : 0), row major, sums in f32; A and B have the same element type.
struct Product {
  int64_t m = 0, n = 0, k = 0;
  const std::byte *a = nullptr, *b = nullptr;
  std::byte *c = nullptr;
  bool transA = false, transB = false; ///< stored [k,m] and [n,k]
  bool accumulate = false;
  ElementType factor = ElementType::f32, result = ElementType::f32;
  int64_t strideA = 0, strideB = 0, strideC = 0; ///< elements from one row, as it is stored, to the next
};

/// One GPU with one queue: calls take effect in order, and may return before they have.
class Driver {
public:
  virtual ~Driver() = default;

  /// For logs, e.g. "cuda NVIDIA H100 80GB HBM3, sm_90".
  virtual std::string description() const = 0;

  /// To be called by a thread before it calls anything else.
  virtual Status attach() { return {}; }

  /// Zeros, aligned to 256 bytes. Waits for the queue where it must.
  ///
  /// Errors:
  ///   overBudget  the device has no such memory
  virtual Result<std::byte *> allocate(size_t bytes, MemoryKind kind) = 0;
  /// What a call that is under way uses is not released.
  virtual void release(std::byte *memory, MemoryKind kind) = 0;

  /// Takes the image that suits the GPU best.
  ///
  /// Errors:
  ///   unsupported  there is none
  virtual Status load(const DeviceCode &code) = 0;
  /// A kernel of the loaded image, which may ask for `sharedBytes` of dynamic shared memory.
  virtual Result<size_t> find(const std::string &function, int64_t sharedBytes) = 0;

  virtual Status launch(const Launch &launch) = 0;
  virtual Status multiply(const Product &product) = 0;
  virtual Status fill(Range range, uint32_t word) = 0;
  /// From and to any memory; the ranges do not overlap.
  virtual Status copy(std::byte *to, const std::byte *from, int64_t bytes) = 0;
  virtual Status wait() = 0;

  // As those of `Backend`.
  virtual Status mark(size_t index) {
    times_.mark(index);
    return {};
  }
  virtual Result<double> secondsBetween(size_t first, size_t second) { return times_.secondsBetween(first, second); }

  /// Recordings that a device keeps at once.
  static constexpr size_t mostRecordings = 1024;
  // Recording: what is called between `beginRecording` and `endRecording` does not run, but can be replayed.
  virtual bool records() const { return false; }
  virtual Status beginRecording() { return unrecorded(); }
  virtual Result<size_t> endRecording() { return unrecorded(); }
  virtual Status replay(size_t recording) { return unrecorded(); }
  virtual void forgetRecordings() {}

private:
  HostTimes times_;

  static Status unrecorded() { return {StatusCode::internal, "this driver does not record"}; }
};

/// The first GPU of this machine; the driver and the library of products are looked up at run time.
///
/// Errors:
///   deviceUnavailable  there is no GPU, no driver, no library of products, or Bifocal was built without CUDA
Result<std::unique_ptr<Driver>> openCudaDriver();

} // namespace bifocal::cuda
#endif
