// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Codegen/StagedKernel.h"

#include "codegen/cuda/CudaLowering.h"
#include "codegen/emulator/Emulator.h"
#include "runtime/cuda/Driver.h"

#include <cstdlib>
#include <cstring>
#include <map>

using namespace mlir;

namespace bifocal::test {
namespace {

/// On the emulator, which checks every access; under two schedules.
class EmulatedKernel final : public StagedKernel {
public:
  std::string load(const llvm::Module &module) {
    std::string ir;
    llvm::raw_string_ostream(ir) << module;
    Result<std::unique_ptr<emulator::Emulator>> loaded = emulator::Emulator::load(ir, "kernels", memory);
    if (!loaded.ok())
      return loaded.status().message();
    emulator = loaded.take();
    return "";
  }

  std::string run(std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                  const std::vector<int64_t> &tiles) override {
    using emulator::LaunchOptions, emulator::Order, emulator::CopyTime;
    std::vector<std::string> before, after;
    for (auto [number, buffer] : llvm::enumerate(buffers)) {
      // A buffer may be there twice, where a kernel works in place.
      memory.addRegion("buffer " + std::to_string(number), buffer.data, buffer.bytes, emulator::Space::Global,
                       emulator::Content::Defined);
      before.emplace_back(static_cast<char *>(buffer.data), buffer.bytes);
    }
    std::string found;
    for (const LaunchOptions &options : {LaunchOptions{Order::Forward, 1, CopyTime::Late, true},
                                         LaunchOptions{Order::Shuffled, 3, CopyTime::Early, true}}) {
      for (auto [buffer, content] : llvm::zip(buffers, before))
        std::memcpy(buffer.data, content.data(), buffer.bytes);
      for (size_t stage = 0; stage < stageCount() && found.empty(); ++stage)
        found = runStage(describe(stage, sizes, tiles[stage]), buffers, options);
      for (auto [number, buffer] : llvm::enumerate(buffers)) {
        std::string_view content(static_cast<char *>(buffer.data), buffer.bytes);
        if (after.size() <= number)
          after.emplace_back(content);
        else if (content != after[number] && found.empty())
          found = "buffer " + std::to_string(number) + " has other bits under another schedule";
      }
    }
    for (const Buffer &buffer : buffers)
      memory.removeRegion(buffer.data);
    return found;
  }

private:
  std::string runStage(const Launch &stage, std::span<const Buffer> buffers, const emulator::LaunchOptions &options) {
    if (stage.blocks == 0)
      return "";
    emulator::Launch launch;
    launch.kernel = stage.kernel;
    launch.grid.x = stage.blocks;
    launch.block.x = stage.threads;
    launch.dynamicShared = stage.sharedBytes;
    for (int64_t buffer : stage.buffers)
      launch.parameters.push_back(const_cast<void **>(&buffers[static_cast<size_t>(buffer)].data));
    launch.parameters.insert(launch.parameters.end(), stage.sizes.begin(), stage.sizes.end());
    Result<std::vector<emulator::Finding>> findings = emulator->launch(launch, options);
    if (!findings.ok())
      return findings.status().message();
    std::string text;
    for (const emulator::Finding &finding : *findings)
      text += emulator::format(finding) + "\n";
    return text;
  }

  emulator::CheckedMemory memory;
  std::unique_ptr<emulator::Emulator> emulator;
};

/// On a GPU, from PTX. What lies behind each buffer must stay as it is.
class GpuKernel final : public StagedKernel {
public:
  std::string load(const llvm::Module &module) {
    auto ptx = emitPtx(module, *CudaTarget::find("sm_80"));
    if (!ptx)
      return llvm::toString(ptx.takeError());
    Result<std::unique_ptr<cuda::Driver>> opened = cuda::openCudaDriver();
    if (!opened.ok())
      return opened.status().message();
    driver = opened.take();
    const auto bytes = std::as_bytes(std::span(*ptx));
    DeviceCode code;
    code.images.push_back({DeviceCode::Kind::ptx, "sm_80", {bytes.begin(), bytes.end()}});
    if (Status status = driver->load(code); !status.ok())
      return status.message();
    for (size_t stage = 0; stage < stageCount(); ++stage) {
      Result<size_t> function = driver->find(stageName(stage), sharedBytes(stage));
      if (!function.ok())
        return function.status().message();
      functions.push_back(*function);
    }
    return "";
  }

  std::string run(std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                  const std::vector<int64_t> &tiles) override {
    std::string first;
    const std::string before = gather(buffers);
    for (int round = 0; round < 2; ++round) {
      scatter(buffers, before);
      if (Status status = runOnce(buffers, sizes, tiles); !status.ok())
        return status.message();
      if (round == 0)
        first = gather(buffers);
      else if (first != gather(buffers))
        return "other bits the second time";
    }
    return "";
  }

private:
  static std::string gather(std::span<const Buffer> buffers) {
    std::string content;
    for (const Buffer &buffer : buffers)
      content.append(static_cast<const char *>(buffer.data), buffer.bytes);
    return content;
  }
  static void scatter(std::span<const Buffer> buffers, std::string_view content) {
    for (const Buffer &buffer : buffers) {
      std::memcpy(buffer.data, content.data(), buffer.bytes);
      content.remove_prefix(buffer.bytes);
    }
  }

  Status runOnce(std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                 const std::vector<int64_t> &tiles) {
    constexpr size_t guardBytes = 256;
    std::map<void *, std::pair<std::byte *, size_t>> copies; // one of each, where a kernel works in place
    std::vector<std::byte *> addresses;
    for (const Buffer &buffer : buffers) {
      auto [copy, isNew] = copies.try_emplace(buffer.data);
      if (isNew) {
        std::string content(static_cast<const char *>(buffer.data), buffer.bytes);
        content.append(guardBytes, '\x5A');
        const Result<std::byte *> memory = driver->allocate(content.size(), cuda::MemoryKind::device);
        if (!memory.ok())
          return memory.status();
        copy->second = {*memory, buffer.bytes};
        BIFOCAL_RETURN_IF_ERROR(driver->copy(*memory, reinterpret_cast<const std::byte *>(content.data()),
                                             static_cast<int64_t>(content.size())));
        BIFOCAL_RETURN_IF_ERROR(driver->wait());
      }
      addresses.push_back(copy->second.first);
    }
    for (size_t stage = 0; stage < stageCount(); ++stage)
      BIFOCAL_RETURN_IF_ERROR(launch(stage, describe(stage, sizes, tiles[stage]), addresses));
    for (const auto &[data, copy] : copies) {
      std::string content(copy.second + guardBytes, 0);
      BIFOCAL_RETURN_IF_ERROR(driver->copy(reinterpret_cast<std::byte *>(content.data()), copy.first,
                                           static_cast<int64_t>(content.size())));
      BIFOCAL_RETURN_IF_ERROR(driver->wait());
      driver->release(copy.first, cuda::MemoryKind::device);
      std::memcpy(data, content.data(), copy.second);
      if (content.find_first_not_of('\x5A', copy.second) != std::string::npos)
        return {StatusCode::internal, "writes behind a buffer of " + std::to_string(copy.second) + " bytes"};
    }
    return {};
  }

  Status launch(size_t stage, const Launch &how, std::vector<std::byte *> &addresses) {
    if (how.blocks == 0)
      return {};
    std::vector<void *> parameters;
    for (int64_t buffer : how.buffers)
      parameters.push_back(&addresses[static_cast<size_t>(buffer)]);
    parameters.insert(parameters.end(), how.sizes.begin(), how.sizes.end());
    return driver->launch({functions[stage], how.blocks, how.threads, how.sharedBytes, parameters, {}});
  }

  std::unique_ptr<cuda::Driver> driver;
  std::vector<size_t> functions;
};

} // namespace

std::unique_ptr<StagedKernel> StagedKernel::create(gpu::GPUModuleOp kernels, std::string &error) {
  llvm::LLVMContext context;
  auto module = lowerCudaKernels(kernels, *CudaTarget::find("sm_80"), context);
  if (!module) {
    error += llvm::toString(module.takeError());
    return nullptr;
  }
  const char *device = std::getenv("BIFOCAL_TEST_DEVICE");
  std::string problem;
  auto loaded = [&](auto result) -> std::unique_ptr<StagedKernel> {
    for (auto function : kernels.getOps<gpu::GPUFuncOp>())
      result->stages.push_back({function.getName().str(), *WarpKernel::of(function)});
    problem = result->load(**module);
    return problem.empty() ? std::move(result) : nullptr;
  };
  auto result = device && std::string_view(device) == "cuda" ? loaded(std::make_unique<GpuKernel>())
                                                             : loaded(std::make_unique<EmulatedKernel>());
  error += problem;
  return result;
}

StagedKernel::Launch StagedKernel::describe(size_t stage, const std::vector<int64_t> &sizes, int64_t tiles) {
  auto &[name, kernel] = stages[stage];
  if (kernel.tiles) {
    Builder builder(kernel.tiles.getContext());
    SmallVector<Attribute> values, results;
    for (int64_t size : ArrayRef(sizes).take_front(kernel.tiles.getNumSymbols()))
      values.push_back(builder.getI64IntegerAttr(size));
    if (failed(kernel.tiles.constantFold(values, results)))
      llvm::report_fatal_error("the number of tiles of a stage cannot be computed");
    tiles = cast<IntegerAttr>(results.front()).getInt();
  }
  Launch launch;
  launch.kernel = name;
  launch.blocks = static_cast<uint32_t>((tiles + kernel.warps - 1) / kernel.warps);
  launch.threads = static_cast<uint32_t>(warpLanes * kernel.warps);
  launch.sharedBytes = static_cast<uint32_t>(kernel.sharedBytes);
  launch.buffers.assign(kernel.buffers.begin(), kernel.buffers.end());
  for (int64_t size : kernel.sizes)
    launch.sizes.push_back(const_cast<int64_t *>(&sizes[static_cast<size_t>(size)]));
  launch.tiles = std::make_unique<int64_t>(tiles);
  launch.sizes.push_back(launch.tiles.get());
  return launch;
}

} // namespace bifocal::test
