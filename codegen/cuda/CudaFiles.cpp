// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/CudaFiles.h"

#include "codegen/common/ExpressionToJson.h"
#include "codegen/cuda/CudaKernels.h"
#include "codegen/cuda/CudaLowering.h"
#include "codegen/cuda/PtxAssembler.h"
#include "codegen/cuda/WarpKernels.h"
#include "runtime/core/ArtifactFormat.h"

#include <future>
#include <nlohmann/json.hpp>

using namespace mlir;
using nlohmann::json;

namespace bifocal {

static std::string entryName(StringRef stem, std::string_view suffix) {
  return std::string(format::kernelPrefix) + stem.str() + std::string(suffix);
}

static json describeResources(const KernelResources &resources) {
  return {{"registers", resources.registers},
          {"shared_bytes", resources.sharedBytes},
          {"spill_bytes", resources.spillStores + resources.spillLoads},
          {"stack_bytes", resources.stackBytes},
          {"instructions", resources.sass.total},
          {"mma", resources.sass.mma}};
}

/// By architecture.
using Cubins = std::map<std::string, Cubin>;

static std::string writeTable(gpu::GPUModuleOp kernels, const Cubins &cubins) {
  json list = json::array();
  for (auto function : kernels.getOps<gpu::GPUFuncOp>()) {
    const WarpKernel kernel = *WarpKernel::of(function);
    json resources = json::object();
    for (const auto &[architecture, cubin] : cubins)
      for (const KernelResources &found : cubin.kernels)
        if (found.name == function.getName())
          resources[architecture] = describeResources(found);
    json entry = {{"name", kernel.name},
                  {"function", function.getName().str()},
                  {"warps", kernel.warps},
                  {"shared_bytes", kernel.sharedBytes},
                  {"buffers", std::vector<int64_t>(kernel.buffers.begin(), kernel.buffers.end())},
                  {"sizes", std::vector<int64_t>(kernel.sizes.begin(), kernel.sizes.end())},
                  {"resources", resources}};
    if (kernel.tiles)
      entry["tiles"] = expressionToJson(kernel.tiles.getResult(0), format::launchSizeNames());
    list.push_back(std::move(entry));
  }
  return json{{"kernels", list}}.dump(1);
}

/// ptxas takes most of the time, and runs beside itself.
static llvm::Expected<Cubins> assembleAll(const std::map<std::string, std::string> &ptx) {
  std::map<std::string, std::future<llvm::Expected<Cubin>>> running;
  for (const auto &[architecture, text] : ptx)
    running.emplace(architecture, std::async(std::launch::async, [&text, target = *CudaTarget::find(architecture)] {
                      return assemblePtx(text, target);
                    }));
  Cubins cubins;
  llvm::Error errors = llvm::Error::success();
  for (auto &[architecture, result] : running) {
    llvm::Expected<Cubin> cubin = result.get();
    if (cubin)
      cubins[architecture] = std::move(*cubin);
    else
      errors = llvm::joinErrors(std::move(errors), cubin.takeError());
  }
  if (errors)
    return errors;
  return cubins;
}

/// All architectures take the IR of the oldest one: what the emulator has checked is what they run.
static CudaTarget oldestOf(gpu::GPUModuleOp kernels) {
  const SmallVector<StringRef> architectures = architecturesOf(kernels);
  return *CudaTarget::find(architectures.empty() ? "sm_80" : *llvm::min_element(architectures));
}

llvm::Expected<std::unique_ptr<llvm::Module>> lowerForArchitectures(gpu::GPUModuleOp kernels,
                                                                    llvm::LLVMContext &context) {
  return lowerCudaKernels(kernels, oldestOf(kernels), context);
}

llvm::Expected<std::map<std::string, std::string>> emitCudaFiles(gpu::GPUModuleOp kernels) {
  const SmallVector<StringRef> architectures = architecturesOf(kernels);
  llvm::LLVMContext context;
  auto module = lowerForArchitectures(kernels, context);
  if (!module)
    return module.takeError();
  std::map<std::string, std::string> files, ptx;
  files[entryName(oldestOf(kernels).chip, format::bitcodeSuffix)] = emitBitcode(**module);
  for (StringRef architecture : architectures) {
    auto text = emitPtx(**module, *CudaTarget::find(architecture));
    if (!text)
      return text.takeError();
    ptx[architecture.str()] = std::move(*text);
  }
  Cubins cubins;
  if (auto ptxas = findPtxas()) {
    auto assembled = assembleAll(ptx);
    if (!assembled)
      return assembled.takeError();
    cubins = std::move(*assembled);
  } else {
    llvm::consumeError(ptxas.takeError());
  }
  files[std::string(format::kernelTableEntry)] = writeTable(kernels, cubins);
  for (auto &[architecture, text] : ptx)
    files[entryName(architecture, format::ptxSuffix)] = std::move(text);
  for (auto &[architecture, cubin] : cubins)
    files[entryName(architecture, format::cubinSuffix)] = std::move(cubin.bytes);
  return files;
}

} // namespace bifocal
