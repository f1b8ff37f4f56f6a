// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Codegen/EmulatedKernel.h"

#include "codegen/cuda/CudaLowering.h"

#include <cstring>

using namespace mlir;

namespace bifocal::test {

std::unique_ptr<EmulatedKernel> EmulatedKernel::create(gpu::GPUModuleOp kernels, std::string &error) {
  std::unique_ptr<EmulatedKernel> result(new EmulatedKernel);
  for (auto function : kernels.getOps<gpu::GPUFuncOp>())
    result->stages.push_back({function.getName().str(), *WarpKernel::of(function)});
  llvm::LLVMContext context;
  auto module = lowerCudaKernels(kernels, *CudaTarget::find("sm_80"), context);
  if (!module) {
    error += llvm::toString(module.takeError());
    return nullptr;
  }
  std::string ir;
  llvm::raw_string_ostream(ir) << **module;
  Result<std::unique_ptr<emulator::Emulator>> loaded = emulator::Emulator::load(ir, "kernels", result->memory);
  if (!loaded.ok()) {
    error += loaded.status().message();
    return nullptr;
  }
  result->emulator = loaded.take();
  return result;
}

std::string EmulatedKernel::runStage(size_t stage, std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                                     int64_t tiles, const emulator::LaunchOptions &options) {
  auto &[name, kernel] = stages[stage];
  if (kernel.tiles) {
    Builder builder(kernel.tiles.getContext());
    SmallVector<Attribute> values, results;
    for (int64_t size : ArrayRef(sizes).take_front(kernel.tiles.getNumSymbols()))
      values.push_back(builder.getI64IntegerAttr(size));
    if (failed(kernel.tiles.constantFold(values, results)))
      return "the number of tiles of " + name + " cannot be computed";
    tiles = cast<IntegerAttr>(results.front()).getInt();
  }
  if (tiles == 0)
    return "";
  emulator::Launch launch;
  launch.kernel = name;
  launch.grid.x = static_cast<uint32_t>((tiles + kernel.warps - 1) / kernel.warps);
  launch.block.x = static_cast<uint32_t>(warpLanes * kernel.warps);
  launch.dynamicShared = static_cast<uint32_t>(kernel.sharedBytes);
  for (int64_t buffer : kernel.buffers)
    launch.parameters.push_back(const_cast<void **>(&buffers[static_cast<size_t>(buffer)].data));
  for (int64_t size : kernel.sizes)
    launch.parameters.push_back(const_cast<int64_t *>(&sizes[static_cast<size_t>(size)]));
  launch.parameters.push_back(&tiles);
  Result<std::vector<emulator::Finding>> findings = emulator->launch(launch, options);
  if (!findings.ok())
    return findings.status().message();
  std::string text;
  for (const emulator::Finding &finding : *findings)
    text += emulator::format(finding) + "\n";
  return text;
}

std::string EmulatedKernel::run(std::span<const Buffer> buffers, const std::vector<int64_t> &sizes,
                                const std::vector<int64_t> &tiles) {
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
    for (size_t stage = 0; stage < stages.size() && found.empty(); ++stage)
      found = runStage(stage, buffers, sizes, tiles[stage], options);
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

} // namespace bifocal::test
