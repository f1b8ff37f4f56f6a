// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/CpuDevice.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/core/PlanDevice.h"
#include "runtime/cpu/CpuBackend.h"

#include <algorithm>
#include <fmt/format.h>
#include <omp.h>
#include <sys/mman.h>

namespace bifocal {
namespace {

/// Pages straight from the system.
class HostMemory final : public DeviceMemory {
public:
  HostMemory(std::byte *data, size_t size) : data_(data), size_(size) {}
  ~HostMemory() override {
    if (data_)
      ::munmap(data_, size_);
  }
  std::byte *data() const override { return data_; }
  size_t size() const override { return size_; }
  std::byte *host() override { return data_; }

private:
  std::byte *data_;
  size_t size_;
};

class CpuDevice final : public PlanDevice {
public:
  explicit CpuDevice(const CpuOptions &options)
      : threads_(options.threads > 0 ? options.threads : omp_get_max_threads()), wanted_(options.level),
        backend_(threads_) {}

  std::string description() const override {
    return fmt::format("cpu {}, {} thread{}", level_.empty() ? "without kernels" : level_, threads_,
                       threads_ == 1 ? "" : "s");
  }

  /// Zero, and in huge pages where the system has them, which spares the GEMMs TLB misses; but a huge one is there as a
  /// whole with the first byte that is written to it.
  Result<std::unique_ptr<DeviceMemory>> allocate(size_t bytes, MemoryUse use) override {
    return map(bytes, use == MemoryUse::sparse ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  }

  Status load(const Artifact &artifact) override {
    BIFOCAL_RETURN_IF_ERROR(loadKernels(artifact));
    backend_.use(object_.get());
    return prepare(artifact, backend_);
  }

  Status execute(size_t entry, const Bindings &bindings) override { return issue(entry, bindings); }

private:
  static Result<std::unique_ptr<DeviceMemory>> map(size_t bytes, int pages) {
    if (bytes == 0)
      return std::unique_ptr<DeviceMemory>(std::make_unique<HostMemory>(nullptr, 0));
    void *address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED)
      return Status(StatusCode::overBudget, fmt::format("expects {} bytes of memory, but the system has less", bytes));
    ::madvise(address, bytes, pages);
    return std::unique_ptr<DeviceMemory>(std::make_unique<HostMemory>(static_cast<std::byte *>(address), bytes));
  }

  Status loadKernels(const Artifact &artifact) {
    const std::vector<Artifact::HostObject> &objects = artifact.hostObjects();
    std::vector<std::string_view> present;
    for (std::string_view level : format::hostLevels) {
      const auto found =
          std::find_if(objects.begin(), objects.end(), [&](auto &object) { return object.level == level; });
      if (found == objects.end())
        continue;
      present.push_back(level);
      if (object_ || (!wanted_.empty() && wanted_ != level) || !cpuHasLevel(level))
        continue;
      Result<std::unique_ptr<SharedObject>> object = SharedObject::load(found->bytes, found->level);
      if (!object.ok())
        return object.status();
      object_ = object.take();
      level_ = level;
    }
    if (objects.empty() && !artifact.deviceCode().kernels.empty())
      return {StatusCode::unsupported, "the artifact has kernels for GPUs only: compile it with --target=cpu as well"};
    if (object_ || (objects.empty() && wanted_.empty()))
      return {};
    return {StatusCode::unsupported,
            fmt::format("the artifact has kernels for {}, but {}",
                        present.empty() ? "no known level" : fmt::format("{}", fmt::join(present, ", ")),
                        wanted_.empty() ? "this CPU has none of these"
                                        : fmt::format("'{}' is not there or not in this CPU", wanted_))};
  }

  int threads_;
  std::string wanted_, level_;
  std::unique_ptr<SharedObject> object_;
  CpuBackend backend_;
};

} // namespace

bool cpuHasLevel(std::string_view level) {
  // The compiler may use every instruction of a level, so every one has to be there.
  const bool isWide = __builtin_cpu_supports("x86-64-v4");
  return (level == "x86-64-v3" && __builtin_cpu_supports("x86-64-v3")) || (level == "x86-64-v4" && isWide) ||
         (level == "x86-64-v4-dot" && isWide && __builtin_cpu_supports("avx512bf16") &&
          __builtin_cpu_supports("avx512vnni"));
}

std::vector<std::string> runnableLevels() {
  std::vector<std::string> levels;
  for (auto level = format::hostLevels.rbegin(); level != format::hostLevels.rend(); ++level)
    if (cpuHasLevel(*level))
      levels.emplace_back(*level);
  return levels;
}

std::string nativeLevel() {
  const std::vector<std::string> levels = runnableLevels();
  return levels.empty() ? std::string(format::hostLevels.back()) : levels.back();
}

std::unique_ptr<Device> makeCpuDevice(const CpuOptions &options) { return std::make_unique<CpuDevice>(options); }

} // namespace bifocal
