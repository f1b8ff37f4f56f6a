// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cpu/CpuDevice.h"

#include "runtime/core/ArtifactFormat.h"
#include "runtime/cpu/Executor.h"

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

private:
  std::byte *data_;
  size_t size_;
};

class CpuDevice final : public Device {
public:
  explicit CpuDevice(const CpuOptions &options)
      : threads_(options.threads > 0 ? options.threads : omp_get_max_threads()), wanted_(options.level) {}

  std::string description() const override {
    return fmt::format("cpu {}, {} thread{}", level_.empty() ? "without kernels" : level_, threads_,
                       threads_ == 1 ? "" : "s");
  }

  /// Zero, and in huge pages where the system has them, which spares the GEMMs TLB misses.
  Result<std::unique_ptr<DeviceMemory>> allocate(size_t bytes) override { return map(bytes, MADV_HUGEPAGE); }

  /// In small pages: a huge one is there as a whole with the first byte that is written to it.
  Result<std::unique_ptr<DeviceMemory>> allocateSparse(size_t bytes) override { return map(bytes, MADV_NOHUGEPAGE); }

  Status load(const Artifact &artifact) override {
    BIFOCAL_RETURN_IF_ERROR(loadKernels(artifact));
    for (const EntryPlan &plan : artifact.plan().entries) {
      Result<std::unique_ptr<Executor>> executor = Executor::create(plan, object_.get(), profile_);
      if (!executor.ok())
        return executor.status();
      executors_.push_back(executor.take());
    }
    return {};
  }

  Status execute(size_t entry, const Bindings &bindings) override { return executors_[entry]->run(bindings, threads_); }

  void profile(bool on) override {
    profile_.on = on;
    if (!on)
      return;
    profile_.flops = 0;
    for (FamilyTime &family : profile_.families)
      family.seconds = 0, family.calls = 0;
  }
  std::vector<FamilyTime> profileResult() const override {
    std::vector<FamilyTime> result;
    for (const FamilyTime &family : profile_.families)
      if (family.calls > 0)
        result.push_back(family);
    return result;
  }
  double profiledFlops() const override { return profile_.flops; }

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
  Profile profile_;
  std::vector<std::unique_ptr<Executor>> executors_;
};

} // namespace

bool cpuHasLevel(std::string_view level) {
  // The compiler may use every instruction of a level, so every one has to be there.
  return (level == "x86-64-v3" && __builtin_cpu_supports("x86-64-v3")) ||
         (level == "x86-64-v4" && __builtin_cpu_supports("x86-64-v4"));
}

std::vector<std::string> runnableLevels() {
  std::vector<std::string> levels;
  for (auto level = format::hostLevels.rbegin(); level != format::hostLevels.rend(); ++level)
    if (cpuHasLevel(*level))
      levels.emplace_back(*level);
  return levels;
}

std::unique_ptr<Device> makeCpuDevice(const CpuOptions &options) { return std::make_unique<CpuDevice>(options); }

} // namespace bifocal
