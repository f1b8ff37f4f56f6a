// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/EmulatedDriver.h"

#include "codegen/emulator/EmulatedProducts.h"
#include "codegen/emulator/Emulator.h"
#include "runtime/cuda/CudaDevice.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace bifocal::emulator {
namespace {

using cuda::MemoryKind, cuda::Range;

/// Ranges that touch or overlap, as one: a kernel may work in place.
std::vector<Range> merged(std::span<const Range> ranges) {
  std::vector<Range> sorted(ranges.begin(), ranges.end()), result;
  std::ranges::sort(sorted, {}, &Range::begin);
  for (const Range &range : sorted) {
    if (range.bytes == 0)
      continue;
    if (result.empty() || range.begin >= result.back().begin + result.back().bytes)
      result.push_back(range);
    else
      result.back().bytes = std::max(result.back().bytes, range.begin + range.bytes - result.back().begin);
  }
  return result;
}

class EmulatedDriver final : public cuda::Driver {
public:
  explicit EmulatedDriver(const LaunchOptions &options) : options_(options) {}

  std::string description() const override { return "cuda-emu"; }

  Result<std::byte *> allocate(size_t bytes, MemoryKind) override {
    constexpr size_t alignment = 256;
    void *memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!memory)
      return Status(StatusCode::overBudget, fmt::format("expects {} bytes of memory, but the system has less", bytes));
    std::memset(memory, 0, bytes);
    return static_cast<std::byte *>(memory);
  }
  void release(std::byte *memory, MemoryKind) override { std::free(memory); }

  Status load(const DeviceCode &code) override {
    const auto image = std::ranges::find(code.images, DeviceCode::Kind::bitcode, &DeviceCode::Image::kind);
    if (image == code.images.end())
      return {StatusCode::unsupported,
              "the artifact has no bitcode of its kernels for GPUs, which the emulator executes"};
    const std::string_view bitcode(reinterpret_cast<const char *>(image->bytes.data()), image->bytes.size());
    Result<std::unique_ptr<Emulator>> emulator = Emulator::load(bitcode, "kernels for GPUs", memory_);
    if (!emulator.ok())
      return emulator.status();
    emulator_ = emulator.take();
    kernels_ = emulator_->kernels();
    return {};
  }

  Result<size_t> find(const std::string &function, int64_t) override {
    const auto found = std::ranges::find(kernels_, function);
    if (found == kernels_.end())
      return Status(StatusCode::malformed, fmt::format("expects the function '{}' in the bitcode for GPUs", function));
    return static_cast<size_t>(found - kernels_.begin());
  }

  Status launch(const cuda::Launch &given) override {
    const std::vector<Range> ranges = merged(given.accessible);
    for (size_t i = 0; i < ranges.size(); ++i)
      memory_.addRegion(fmt::format("memory {} of the launch", i), ranges[i].begin,
                        static_cast<size_t>(ranges[i].bytes), Space::Global, Content::Defined);
    Launch launch;
    launch.kernel = kernels_[given.function];
    launch.grid.x = given.blocks;
    launch.block.x = given.threads;
    launch.dynamicShared = given.sharedBytes;
    launch.parameters.assign(given.parameters.begin(), given.parameters.end());
    const Result<std::vector<Finding>> findings = emulator_->launch(launch, options_);
    for (const Range &range : ranges)
      memory_.removeRegion(range.begin);
    if (!findings.ok())
      return findings.status();
    if (findings->empty())
      return {};
    std::string text = fmt::format("the emulator found {} faults in the kernel '{}':", findings->size(), launch.kernel);
    for (const Finding &finding : *findings)
      text += "\n" + format(finding);
    return {StatusCode::internal, text};
  }

  Status multiply(const cuda::Product &product) override {
    emulator::multiply(product);
    return {};
  }

  Status fill(Range range, uint32_t word) override {
    for (int64_t at = 0; at < range.bytes; at += 4)
      std::memcpy(range.begin + at, &word, static_cast<size_t>(std::min<int64_t>(4, range.bytes - at)));
    return {};
  }

  Status copy(std::byte *to, const std::byte *from, int64_t bytes) override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return {};
  }

  Status wait() override { return {}; }

private:
  LaunchOptions options_;
  CheckedMemory memory_;
  std::unique_ptr<Emulator> emulator_;
  std::vector<std::string> kernels_;
};

} // namespace

std::unique_ptr<cuda::Driver> makeEmulatedDriver(const LaunchOptions &options) {
  return std::make_unique<EmulatedDriver>(options);
}

std::unique_ptr<Device> makeEmulatedDevice(const LaunchOptions &options) {
  return makeCudaDevice(makeEmulatedDriver(options));
}

} // namespace bifocal::emulator
