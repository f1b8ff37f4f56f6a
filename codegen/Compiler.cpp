// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/Compiler.h"

#include "codegen/Artifact.h"
#include "codegen/cpu/CpuKernels.h"
#include "codegen/cuda/CudaKernels.h"
#include "dialect/plan/PlanOps.h"
#include "frontend/Import.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <fmt/format.h>
#include <mutex>

using namespace mlir;

namespace bifocal {

namespace {
/// Remembers the first error and leaves its printing to others.
class FirstError {
public:
  explicit FirstError(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error && message.empty())
            message = diagnostic.str();
          return failure();
        }) {}
  std::string text(StringRef fallback) const { return message.empty() ? fallback.str() : message; }

private:
  std::string message;
  ScopedDiagnosticHandler handler;
};
} // namespace

void prepareContext(MLIRContext &context) {
  static std::once_flag once;
  std::call_once(once, [] {
    registerPipelines();
    registerCpuCodegenPasses();
    registerCudaKernelPasses();
  });
  context.loadDialect<BifocalDialect, plan::PlanDialect, arith::ArithDialect, DLTIDialect, func::FuncDialect,
                      gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect, NVVM::NVVMDialect, scf::SCFDialect,
                      vector::VectorDialect>();
}

Result<OwningOpRef<ModuleOp>> parseModule(std::string_view text, std::string_view fileName, MLIRContext &context) {
  prepareContext(context);
  FirstError error(context);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(StringRef(text), ParserConfig(&context), StringRef(fileName));
  if (!module)
    return Status(StatusCode::diagnostics, error.text("the file is not MLIR"));
  return module;
}

std::string printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, OpPrintingFlags().enableDebugInfo());
  stream << '\n';
  return text;
}

static Status dump(ModuleOp module, Phase phase, const std::string &directory) {
  if (directory.empty())
    return {};
  if (std::error_code error = llvm::sys::fs::create_directories(directory))
    return {StatusCode::cannotRead, fmt::format("cannot make the folder `{}`: {}", directory, error.message())};
  std::string path = fmt::format("{}/{}-{}.mlir", directory, static_cast<int>(phase) + 1, phaseName(phase).str());
  std::error_code error;
  llvm::raw_fd_ostream file(path, error);
  if (!error)
    file << printModule(module);
  if (error || file.has_error())
    return {StatusCode::cannotRead,
            fmt::format("cannot write `{}`: {}", path, error ? error.message() : file.error().message())};
  return {};
}

Status runPhases(ModuleOp module, const CompileOptions &options) {
  prepareContext(*module.getContext());
  if (options.from == Phase::Import)
    BIFOCAL_RETURN_IF_ERROR(dump(module, Phase::Import, options.dumpDirectory));
  for (Phase phase : allPhases()) {
    if (phase <= options.from || phase > options.to || phasePipeline(phase, options.phases).empty())
      continue;
    FirstError error(*module.getContext());
    PassManager manager(module.getContext(), ModuleOp::getOperationName());
    std::string problems;
    llvm::raw_string_ostream stream(problems);
    if (failed(addPhase(manager, phase, options.phases, stream)))
      return {StatusCode::internal,
              fmt::format("the phase `{}` has no pipeline: {}", phaseName(phase).str(), problems)};
    if (options.configure)
      options.configure(manager);
    if (failed(manager.run(module)))
      return {StatusCode::diagnostics,
              fmt::format("the phase `{}` stopped: {}", phaseName(phase).str(), error.text("no reason given"))};
    BIFOCAL_RETURN_IF_ERROR(dump(module, phase, options.dumpDirectory));
  }
  return {};
}

Result<std::string> compileModule(ModuleOp module, const CompileOptions &options) {
  BIFOCAL_RETURN_IF_ERROR(runPhases(module, options));
  return writeArtifact(module);
}

Result<std::string> compileSpec(std::string_view text, std::string_view fileName, const CompileOptions &options) {
  Result<Spec> spec = parseSpec(text, fileName);
  if (!spec.ok())
    return spec.status();
  MLIRContext context;
  prepareContext(context);
  OwningOpRef<ModuleOp> module = importSpec(*spec, context);
  return compileModule(*module, options);
}

} // namespace bifocal
