// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CPU_CPUBACKEND_H
#define BIFOCAL_RUNTIME_CPU_CPUBACKEND_H

#include "runtime/core/Backend.h"
#include "runtime/cpu/Gemm.h"
#include "runtime/cpu/SharedObject.h"

#include <vector>

namespace bifocal {

/// Runs the functions of a shared object on the threads of this machine. A step is complete when its call returns.
class CpuBackend final : public Backend {
public:
  explicit CpuBackend(int threads) : threads_(threads) {}
  /// Where functions are looked up; none without it. Must outlive the backend.
  void use(const SharedObject *object) { object_ = object; }

  Result<Handle> kernel(const std::string &name, size_t stage, size_t buffers, size_t sizes) override;
  Result<Handle> product(const EntryPlan &plan, const GemmStep &step) override;
  Status launch(Handle kernel, const Arguments &arguments, int64_t tiles) override;
  Status multiply(Handle product, const GemmArguments &arguments, const Epilogue *epilogue) override;
  Status fill(std::byte *target, int64_t bytes, uint32_t word) override;
  Status copy(std::byte *to, const std::byte *from, int64_t bytes) override;
  /// Without those of rows that the mask leaves out.
  double flops(const GemmArguments &arguments, bool transA) const override;

private:
  Result<CpuKernel> find(const std::string &name, size_t stage) const;

  int threads_;
  const SharedObject *object_ = nullptr;
  std::vector<CpuKernel> kernels_;
  std::vector<GemmKernels> products_;
};

} // namespace bifocal
#endif
