// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CUDA_CUDABACKEND_H
#define BIFOCAL_RUNTIME_CUDA_CUDABACKEND_H

#include "runtime/core/Backend.h"
#include "runtime/cuda/Driver.h"

#include <array>
#include <vector>

namespace bifocal::cuda {

/// Issues the steps of plans to a driver.
class CudaBackend final : public Backend {
public:
  explicit CudaBackend(Driver &driver) : driver_(driver) {}
  ~CudaBackend() override;
  CudaBackend(const CudaBackend &) = delete;
  CudaBackend &operator=(const CudaBackend &) = delete;

  /// Where kernels are looked up; must outlive the backend.
  void use(const DeviceCode &code) { code_ = &code; }
  /// Changes whenever the backend replaces memory of its own, whose addresses recordings hold.
  size_t generation() const { return generation_; }

  Result<Handle> kernel(const std::string &name, size_t stage, size_t buffers, size_t sizes) override;
  Result<Handle> product(const EntryPlan &plan, const GemmStep &step) override;
  Status launch(Handle kernel, const Arguments &arguments, int64_t tiles) override;
  Status multiply(Handle product, const GemmArguments &arguments, const Epilogue *epilogue) override;
  Status fill(std::byte *target, int64_t bytes, uint32_t word) override;
  Status copy(std::byte *to, const std::byte *from, int64_t bytes) override;
  Status mark(size_t index) override { return driver_.mark(index); }
  Result<double> secondsBetween(size_t first, size_t second) override { return driver_.secondsBetween(first, second); }

private:
  struct Kernel {
    const DeviceKernel *info;
    size_t function;
  };
  /// A factor of products as it is in memory, and how it becomes one as the library wants it.
  struct Operand {
    ElementType type = ElementType::f32;
    bool copied = false;
    Handle kernel = 0;
  };
  struct ProductForm {
    bool transA, transB;
    ElementType factor, result;
    std::array<Operand, 2> operands;
  };

  Result<Operand> operand(ElementType from, ElementType to, bool masked);
  /// A matrix in memory: as it is stored, `stride` elements from one row to the next.
  struct Matrix {
    const void *data;
    int64_t rows, columns, stride;
  };
  Result<Matrix> prepare(const Operand &operand, size_t index, const Matrix &source, ElementType factor,
                         const unsigned char *mask);
  Status grow(size_t index, int64_t bytes);

  Driver &driver_;
  const DeviceCode *code_ = nullptr;
  std::vector<Kernel> kernels_;
  std::vector<ProductForm> products_;
  std::array<Range, 2> copies_; ///< of factors that need one
  size_t generation_ = 0;
  std::vector<void *> parameters_;
  std::vector<Range> ranges_;
};

} // namespace bifocal::cuda
#endif
