// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/EmitText.h"

#include "codegen/cpu/Lowering.h"
#include "codegen/cuda/CudaFiles.h"
#include "codegen/cuda/CudaKernels.h"
#include "codegen/cuda/CudaLowering.h"
#include "codegen/cuda/PtxAssembler.h"

#include <fmt/format.h>

namespace bifocal::tools {

const std::vector<std::string> &emittedForms() {
  static const std::vector<std::string> forms = {"artifact", "mlir", "llvm", "asm", "ptx", "cubin"};
  return forms;
}

bool isOfKernels(const std::string &form) { return form != "artifact" && form != "mlir"; }

template <typename T> static Result<T> resultOf(llvm::Expected<T> value) {
  if (!value)
    return Status(StatusCode::internal, llvm::toString(value.takeError()));
  return std::move(*value);
}

static Result<std::string> emitForCpus(mlir::ModuleOp module, const std::string &form) {
  const bool isLlvm = form == "llvm";
  std::string text;
  for (auto kernels : module.getOps<mlir::ModuleOp>()) {
    llvm::StringRef level = kernels.getSymName().value_or("");
    Result<std::string> part =
        resultOf(emitKernelText(kernels, level, isLlvm ? KernelText::Llvm : KernelText::Assembly));
    if (!part.ok())
      return part;
    text += fmt::format("{} {}\n{}", isLlvm ? ";" : "#", level.str(), *part);
  }
  return text;
}

Status checkEmitted(const std::string &form, const std::string &target, const PhaseOptions &phases) {
  const auto expects = [&](const char *allowed) {
    return Status(StatusCode::usage, fmt::format("--emit={} expects --target={}, but got {}", form, allowed, target));
  };
  if (form == "asm" && !phases.cpu)
    return expects("cpu");
  if (form == "ptx" && phases.cudaArchitectures.empty())
    return expects("cuda:sm_80 or cuda:sm_90");
  if (form == "cubin" && phases.cudaArchitectures.size() != 1)
    return expects("cuda:sm_80 or cuda:sm_90, one of both");
  return {};
}

static Result<std::string> emitCubin(const std::string &ptx, const CudaTarget &target) {
  auto ptxas = findPtxas();
  if (!ptxas)
    return Status(StatusCode::unsupported, llvm::toString(ptxas.takeError()));
  Result<Cubin> cubin = resultOf(assemblePtx(ptx, target));
  return cubin.ok() ? Result<std::string>(std::move(cubin->bytes)) : cubin.status();
}

static Result<std::string> emitForGpus(mlir::gpu::GPUModuleOp kernels, const std::string &form) {
  const auto architectures = architecturesOf(kernels);
  if (form == "cubin" && architectures.size() != 1)
    return Status(StatusCode::usage,
                  fmt::format("--emit=cubin expects IR for one architecture, but got {}", architectures.size()));
  llvm::LLVMContext context;
  auto lowered = lowerForArchitectures(kernels, context);
  if (!lowered)
    return Status(StatusCode::internal, llvm::toString(lowered.takeError()));
  std::string text;
  if (form == "llvm") {
    llvm::raw_string_ostream(text) << "; cuda\n" << **lowered;
    return text;
  }
  for (llvm::StringRef architecture : architectures) {
    const CudaTarget target = *CudaTarget::find(architecture);
    Result<std::string> ptx = resultOf(emitPtx(**lowered, target));
    if (!ptx.ok() || form == "cubin")
      return ptx.ok() ? emitCubin(*ptx, target) : ptx;
    text += fmt::format("// {}\n{}", architecture.str(), *ptx);
  }
  return text;
}

Result<std::string> emitKernels(mlir::ModuleOp module, const std::string &form) {
  std::string text;
  const bool forCpus = form == "llvm" || form == "asm", forGpus = form != "asm";
  if (forCpus) {
    Result<std::string> part = emitForCpus(module, form);
    if (!part.ok())
      return part;
    text = part.take();
  }
  if (forGpus)
    for (auto kernels : module.getOps<mlir::gpu::GPUModuleOp>()) {
      Result<std::string> part = emitForGpus(kernels, form);
      if (!part.ok())
        return part;
      text += *part;
    }
  if (text.empty())
    return Status(StatusCode::usage,
                  fmt::format("--emit={} expects kernels that have this form, but the IR has none", form));
  return text;
}

} // namespace bifocal::tools
