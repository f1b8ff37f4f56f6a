// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/CpuBackend.h"

#include "runtime/cpu/ParallelFor.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace bifocal {

Result<CpuKernel> CpuBackend::find(const std::string &name, size_t stage) const {
  const std::string symbol = fmt::format("{}.{}", name, stage);
  void *found = object_ ? object_->find(symbol) : nullptr;
  if (!found)
    return Status(StatusCode::malformed, fmt::format("expects the kernel '{}' in the host object", symbol));
  return reinterpret_cast<CpuKernel>(found);
}

Result<Backend::Handle> CpuBackend::kernel(const std::string &name, size_t stage, size_t, size_t) {
  const Result<CpuKernel> found = find(name, stage);
  if (!found.ok())
    return found.status();
  kernels_.push_back(*found);
  return kernels_.size() - 1;
}

Result<Backend::Handle> CpuBackend::product(const EntryPlan &, const GemmStep &step) {
  GemmKernels stages = {};
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    const Result<CpuKernel> found = find(step.kernel, stage);
    if (!found.ok())
      return found.status();
    stages[stage] = *found;
  }
  products_.push_back(stages);
  return products_.size() - 1;
}

Status CpuBackend::launch(Handle kernel, const Arguments &arguments, int64_t tiles) {
  parallelFor(threads_, tiles, [&](int, int64_t begin, int64_t end) {
    kernels_[kernel](arguments.buffers.data(), arguments.sizes.data(), begin, end);
  });
  return {};
}

Status CpuBackend::multiply(Handle product, const GemmArguments &arguments, const Epilogue *epilogue) {
  if (!epilogue) {
    gemm(threads_, products_[product], arguments);
    return {};
  }
  struct Context {
    CpuKernel kernel;
    const Epilogue &epilogue;
  } context{kernels_[epilogue->kernel], *epilogue};
  const auto run = [](void *opaque, int64_t begin, int64_t end) {
    const auto &[kernel, epilogue] = *static_cast<Context *>(opaque);
    const int64_t rows = epilogue.rowsPerTile;
    kernel(epilogue.arguments.buffers.data(), epilogue.arguments.sizes.data(), begin / rows, (end + rows - 1) / rows);
  };
  gemm(threads_, products_[product], arguments, {epilogue->rowsPerTile, run, &context});
  return {};
}

Status CpuBackend::fill(std::byte *target, int64_t bytes, uint32_t word) {
  constexpr int64_t chunk = 1 << 18;
  parallelFor(threads_, (bytes + chunk - 1) / chunk, [&](int, int64_t begin, int64_t end) {
    std::byte *first = target + begin * chunk, *last = target + std::min(bytes, end * chunk);
    for (; last - first >= 4; first += 4)
      std::memcpy(first, &word, 4);
    std::memcpy(first, &word, static_cast<size_t>(last - first));
  });
  return {};
}

Status CpuBackend::copy(std::byte *to, const std::byte *from, int64_t bytes) {
  std::memmove(to, from, static_cast<size_t>(bytes));
  return {};
}

double CpuBackend::flops(const GemmArguments &arguments, bool transA) const {
  const double all = Backend::flops(arguments, transA);
  const int64_t rows = transA ? arguments.k : arguments.m;
  if (!arguments.mask || rows == 0)
    return all;
  return all * static_cast<double>(std::count(arguments.mask, arguments.mask + rows, 1)) / static_cast<double>(rows);
}

} // namespace bifocal
