// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cuda/Driver.h"

#if BIFOCAL_HAS_CUDA
#include "runtime/cuda/CudaProducts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <vector>

namespace bifocal::cuda {
namespace {

CUdeviceptr address(const std::byte *memory) { return reinterpret_cast<CUdeviceptr>(memory); }

/// 90 of `sm_90`; nothing for other names.
std::optional<int> versionOf(std::string_view architecture) {
  constexpr std::string_view prefix = "sm_";
  if (!architecture.starts_with(prefix))
    return std::nullopt;
  architecture.remove_prefix(prefix.size());
  int version = 0;
  const auto [end, error] = std::from_chars(architecture.data(), architecture.data() + architecture.size(), version);
  if (error != std::errc() || end != architecture.data() + architecture.size())
    return std::nullopt;
  return version;
}

class CudaDriver final : public Driver {
public:
  explicit CudaDriver(std::shared_ptr<const CudaLibrary> library) : library_(std::move(library)) {}

  ~CudaDriver() override {
    const bool isBroken = !wait().ok();
    forgetRecordings();
    for (CUevent mark : marks_)
      library_->cuEventDestroy(mark);
    products_.reset();
    if (module_)
      library_->cuModuleUnload(module_);
    if (stream_)
      library_->cuStreamDestroy(stream_);
    // The context stays, as that of CUDA's own runtime does: making it anew takes longer than most programs. But after
    // a fault it is of no use to anyone.
    if (isBroken && context_)
      library_->cuDevicePrimaryCtxReset(device_);
  }

  Status open() {
    const CudaLibrary &api = *library_;
    BIFOCAL_RETURN_IF_ERROR(api.check(api.cuInit(0), "starting the driver"));
    BIFOCAL_RETURN_IF_ERROR(api.check(api.cuDeviceGet(&device_, 0), "opening the first GPU"));
    std::array<char, 256> name{};
    BIFOCAL_RETURN_IF_ERROR(
        api.check(api.cuDeviceGetName(name.data(), static_cast<int>(name.size()) - 1, device_), "asking the GPU"));
    name_ = name.data();
    int major = 0, minor = 0;
    for (auto [attribute, value] : {std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &major),
                                    std::pair(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &minor),
                                    std::pair(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &mostShared_)})
      BIFOCAL_RETURN_IF_ERROR(api.check(api.cuDeviceGetAttribute(value, attribute, device_), "asking the GPU"));
    version_ = 10 * major + minor;
    BIFOCAL_RETURN_IF_ERROR(api.check(api.cuDevicePrimaryCtxRetain(&context_, device_), "opening the GPU"));
    BIFOCAL_RETURN_IF_ERROR(attach());
    BIFOCAL_RETURN_IF_ERROR(
        api.check(api.cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), "making a queue of the GPU"));
    products_ = std::make_unique<CudaProducts>(library_, stream_);
    return products_->prepare();
  }

  std::string description() const override {
    return fmt::format("cuda {}{}", name_, loaded_.empty() ? "" : ", " + loaded_);
  }

  Status attach() override { return library_->check(library_->cuCtxSetCurrent(context_), "opening the GPU"); }

  Result<std::byte *> allocate(size_t bytes, MemoryKind kind) override {
    const CudaLibrary &api = *library_;
    CUdeviceptr memory = 0;
    void *host = nullptr;
    CUresult result = CUDA_SUCCESS;
    if (kind == MemoryKind::staging)
      result = api.cuMemHostAlloc(&host, bytes, 0);
    else
      result = api.cuMemAlloc(&memory, bytes);
    if (result != CUDA_SUCCESS)
      return api.check(result, fmt::format("expects {} bytes of memory on the GPU", bytes).c_str());
    auto *begin = kind == MemoryKind::staging ? static_cast<std::byte *>(host) : reinterpret_cast<std::byte *>(memory);
    if (kind == MemoryKind::staging) {
      std::fill_n(begin, bytes, std::byte{0});
      return begin;
    }
    Status status = fill({begin, static_cast<int64_t>(bytes)}, 0);
    if (status.ok())
      status = wait();
    if (status.ok())
      return begin;
    release(begin, kind);
    return status;
  }

  void release(std::byte *memory, MemoryKind kind) override {
    (void)wait();
    if (kind == MemoryKind::staging)
      library_->cuMemFreeHost(memory);
    else
      library_->cuMemFree(address(memory));
  }

  Status load(const DeviceCode &code) override {
    const DeviceCode::Image *best = choose(code);
    if (!best) {
      std::vector<std::string> present;
      for (const DeviceCode::Image &image : code.images)
        present.push_back(image.architecture);
      return {StatusCode::unsupported, fmt::format("the artifact has kernels for {}, but this GPU is sm_{}",
                                                   fmt::join(present, ", "), version_)};
    }
    // The driver wants PTX to end with a zero.
    std::vector<std::byte> bytes = best->bytes;
    bytes.push_back(std::byte{0});
    std::array<char, 4096> log{};
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
    const CUresult result = library_->cuModuleLoadDataEx(&module_, bytes.data(), 2, options, values);
    const bool isPtx = best->kind == DeviceCode::Kind::ptx;
    loaded_ = fmt::format("{} of {}", isPtx ? "PTX" : "machine code", best->architecture);
    if (result == CUDA_SUCCESS)
      return {};
    const Status status = library_->check(result, "loading the kernels");
    return {StatusCode::malformed, fmt::format("{} ({}): {}", status.message(), loaded_, log.data())};
  }

  Result<size_t> find(const std::string &function, int64_t sharedBytes) override {
    if (sharedBytes > mostShared_)
      return Status(StatusCode::unsupported,
                    fmt::format("expects {} bytes of shared memory for '{}', but a block of this GPU has at most {}",
                                sharedBytes, function, mostShared_));
    CUfunction found = nullptr;
    if (library_->cuModuleGetFunction(&found, module_, function.c_str()) != CUDA_SUCCESS)
      return Status(StatusCode::malformed, fmt::format("expects the function '{}' in the image for GPUs", function));
    BIFOCAL_RETURN_IF_ERROR(
        library_->check(library_->cuFuncSetAttribute(found, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                                     static_cast<int>(sharedBytes)),
                        "asking for shared memory"));
    functions_.push_back(found);
    return functions_.size() - 1;
  }

  Status launch(const Launch &launch) override {
    return library_->check(library_->cuLaunchKernel(functions_[launch.function], launch.blocks, 1, 1, launch.threads, 1,
                                                    1, launch.sharedBytes, stream_,
                                                    const_cast<void **>(launch.parameters.data()), nullptr),
                           "launching a kernel");
  }

  Status multiply(const Product &product) override { return products_->multiply(product); }

  Status fill(Range range, uint32_t word) override {
    const auto words = static_cast<size_t>(range.bytes / 4);
    if (words > 0)
      BIFOCAL_RETURN_IF_ERROR(
          library_->check(library_->cuMemsetD32Async(address(range.begin), word, words, stream_), "filling memory"));
    for (auto at = static_cast<int64_t>(4 * words); at < range.bytes; ++at)
      BIFOCAL_RETURN_IF_ERROR(
          library_->check(library_->cuMemsetD8Async(address(range.begin + at),
                                                    static_cast<unsigned char>(word >> 8 * (at % 4)), 1, stream_),
                          "filling memory"));
    return {};
  }

  Status copy(std::byte *to, const std::byte *from, int64_t bytes) override {
    return library_->check(library_->cuMemcpyAsync(address(to), address(from), static_cast<size_t>(bytes), stream_),
                           "copying memory");
  }

  Status wait() override {
    return stream_ ? library_->check(library_->cuStreamSynchronize(stream_), "waiting for the GPU") : Status();
  }

  Status mark(size_t index) override {
    while (marks_.size() <= index) {
      CUevent event = nullptr;
      BIFOCAL_RETURN_IF_ERROR(library_->check(library_->cuEventCreate(&event, CU_EVENT_DEFAULT), "making an event"));
      marks_.push_back(event);
    }
    return library_->check(library_->cuEventRecord(marks_[index], stream_), "noting the time");
  }

  Result<double> secondsBetween(size_t first, size_t second) override {
    BIFOCAL_RETURN_IF_ERROR(library_->check(library_->cuEventSynchronize(marks_[second]), "waiting for the GPU"));
    float milliseconds = 0;
    BIFOCAL_RETURN_IF_ERROR(library_->check(library_->cuEventElapsedTime(&milliseconds, marks_[first], marks_[second]),
                                            "asking for the time"));
    return 1e-3 * milliseconds;
  }

  bool records() const override { return true; }

  Status beginRecording() override {
    return library_->check(library_->cuStreamBeginCapture(stream_, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                           "recording a graph");
  }

  Result<size_t> endRecording() override {
    CUgraph graph = nullptr;
    CUgraphExec recording = nullptr;
    Status status = library_->check(library_->cuStreamEndCapture(stream_, &graph), "recording a graph");
    if (status.ok())
      status = library_->check(library_->cuGraphInstantiate(&recording, graph, 0), "preparing a graph");
    if (graph)
      library_->cuGraphDestroy(graph);
    if (!status.ok())
      return status;
    // At once, so that none of the later ones allocates between steps.
    recordings_.reserve(mostRecordings);
    recordings_.push_back(recording);
    return recordings_.size() - 1;
  }

  Status replay(size_t recording) override {
    return library_->check(library_->cuGraphLaunch(recordings_[recording], stream_), "launching a graph");
  }

  void forgetRecordings() override {
    for (CUgraphExec recording : recordings_)
      library_->cuGraphExecDestroy(recording);
    recordings_.clear();
  }

private:
  /// Machine code runs on its own generation from its version on, PTX on every later one.
  const DeviceCode::Image *choose(const DeviceCode &code) const {
    const DeviceCode::Image *best = nullptr;
    std::pair<bool, int> bestRank{false, -1};
    for (const DeviceCode::Image &image : code.images) {
      const std::optional<int> version = versionOf(image.architecture);
      const bool isCubin = image.kind == DeviceCode::Kind::cubin;
      if (image.kind == DeviceCode::Kind::bitcode || !version || *version > version_ ||
          (isCubin && *version / 10 != version_ / 10))
        continue;
      if (const std::pair rank{isCubin, *version}; !best || rank > bestRank)
        best = &image, bestRank = rank;
    }
    return best;
  }

  std::shared_ptr<const CudaLibrary> library_;
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
  CUstream stream_ = nullptr;
  CUmodule module_ = nullptr;
  std::unique_ptr<CudaProducts> products_;
  std::string name_, loaded_;
  int version_ = 0, mostShared_ = 0;
  std::vector<CUfunction> functions_;
  std::vector<CUevent> marks_;
  std::vector<CUgraphExec> recordings_;
};

} // namespace

Result<std::unique_ptr<Driver>> openCudaDriver() {
  Result<std::shared_ptr<const CudaLibrary>> library = CudaLibrary::open();
  if (!library.ok())
    return library.status();
  auto driver = std::make_unique<CudaDriver>(library.take());
  if (Status status = driver->open(); !status.ok())
    return status;
  return std::unique_ptr<Driver>(std::move(driver));
}

} // namespace bifocal::cuda

#else

namespace bifocal::cuda {
Result<std::unique_ptr<Driver>> openCudaDriver() {
  return Status(StatusCode::deviceUnavailable, "this build has no CUDA: its headers were not there");
}
} // namespace bifocal::cuda

#endif
