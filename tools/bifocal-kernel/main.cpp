// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shows what becomes of kernels for NVIDIA GPUs: LLVM IR, PTX, machine code and the resources that it takes.
#include "codegen/cuda/CudaLowering.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "runtime/core/File.h"
#include "tools/bifocal-kernel/Resources.h"
#include "tools/bifocal/Message.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/SourceMgr.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <unistd.h>

using namespace bifocal;

namespace {

struct KernelCommand {
  std::string input, chip = "sm_80", emit = "ptx", output = "-";
  unsigned indexBits = 64;
  bool json = false;

  Status run();

private:
  Status checkOptions() const;
  Status lower(llvm::StringRef text);
  Status emitModule(const llvm::Module &module);
  Status assemble(llvm::StringRef ptx);
  Status write(llvm::StringRef bytes) const;

  std::optional<CudaTarget> target;
};

constexpr const char *help =
    R"(Exit codes: 0 ok, 1 the kernels have errors, 2 usage, 3 a file cannot be read or written,
5 ptxas is missing, 70 a fault of Bifocal or LLVM.

Examples:
  bifocal-kernel kernels.mlir                           PTX for sm_80
  bifocal-kernel kernels.mlir --chip=sm_90 --emit=llvm  what the NVPTX backend and the emulator get
  bifocal-kernel kernels.mlir --emit=resources          registers, spills, tensor-core instructions
  bifocal-kernel edited.ptx --emit=resources            the same of PTX that was edited by hand)";

} // namespace

/// The exit code that an error of codegen stands for.
static Status toStatus(llvm::Error error) {
  Status status;
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &info) {
    const std::error_code code = info.convertToErrorCode();
    StatusCode meaning = StatusCode::cannotRead;
    if (code == std::errc::invalid_argument)
      meaning = StatusCode::diagnostics;
    else if (code == std::errc::not_supported)
      meaning = StatusCode::unsupported;
    else if (code == std::errc::state_not_recoverable)
      meaning = StatusCode::internal;
    status = {meaning, info.message()};
  });
  return status;
}

static int report(const Status &status) {
  if (!status.ok())
    tools::say("error: {}\n", status.message());
  return static_cast<int>(status.code());
}

Status KernelCommand::checkOptions() const {
  if (json && emit != "resources")
    return {StatusCode::usage, fmt::format("--json expects --emit=resources, but got --emit={}", emit)};
  if (input.ends_with(".ptx") && emit != "cubin" && emit != "resources")
    return {StatusCode::usage, fmt::format("PTX can only become cubin or resources, but got --emit={}", emit)};
  if ((emit == "cubin" || emit == "bitcode") && output == "-" && isatty(STDOUT_FILENO))
    return {StatusCode::usage,
            fmt::format("--emit={} expects -o FILE: it writes bytes, and stdout is a terminal", emit)};
  return {};
}

Status KernelCommand::write(llvm::StringRef bytes) const {
  if (output != "-")
    return writeFileAtomically(output, std::as_bytes(std::span(bytes.data(), bytes.size())));
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0)
    return {StatusCode::cannotRead, "cannot write all of the output to stdout"};
  return {};
}

Status KernelCommand::assemble(llvm::StringRef ptx) {
  llvm::Expected<Cubin> cubin = assemblePtx(ptx, *target);
  if (!cubin)
    return toStatus(cubin.takeError());
  if (emit == "cubin")
    return write(cubin->bytes);
  return write(json ? tools::resourcesToJson(cubin->kernels, *target) : tools::describeResources(cubin->kernels));
}

Status KernelCommand::emitModule(const llvm::Module &module) {
  if (emit == "bitcode")
    return write(emitBitcode(module));
  if (emit == "llvm") {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream, nullptr);
    return write(text);
  }
  llvm::Expected<std::string> ptx = emitPtx(module, *target);
  if (!ptx)
    return toStatus(ptx.takeError());
  return emit == "ptx" ? write(*ptx) : assemble(*ptx);
}

Status KernelCommand::lower(llvm::StringRef text) {
  mlir::DialectRegistry registry;
  registerCudaKernelDialects(registry);
  // One thread: errors come in the order of the file.
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  const std::string name = input == "-" ? "<stdin>" : input;
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, name), llvm::SMLoc());
  mlir::SourceMgrDiagnosticHandler handler(sources, &context, llvm::errs());
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(sources, &context);
  if (!module)
    return {StatusCode::diagnostics, fmt::format("'{}' is not MLIR", name)};
  auto kernels = llvm::to_vector(module->getOps<mlir::gpu::GPUModuleOp>());
  if (kernels.size() != 1)
    return {StatusCode::diagnostics,
            fmt::format("expects one gpu.module in '{}', but there are {}", name, kernels.size())};
  llvm::LLVMContext llvmContext;
  auto lowered = lowerCudaKernels(kernels.front(), *target, llvmContext, {indexBits});
  return lowered ? emitModule(**lowered) : toStatus(lowered.takeError());
}

Status KernelCommand::run() {
  BIFOCAL_RETURN_IF_ERROR(checkOptions());
  target = CudaTarget::find(chip);
  constexpr size_t mostBytes = size_t{256} << 20;
  Result<std::vector<std::byte>> bytes = readFile(input, mostBytes);
  if (!bytes.ok())
    return bytes.status();
  llvm::StringRef text(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  return input.ends_with(".ptx") ? assemble(text) : lower(text);
}

int main(int argc, char **argv) try {
  // What the backend has no instruction for ends the program from within LLVM.
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    tools::say("error: LLVM cannot compile the kernels: {}\n", reason);
    std::_Exit(static_cast<int>(StatusCode::internal));
  });
  CLI::App app{"Shows what becomes of kernels for NVIDIA GPUs: LLVM IR, PTX, machine code and what it needs."};
  KernelCommand command;
  app.add_option("kernels", command.input, "MLIR with one gpu.module, or PTX (.ptx); - is stdin")->required();
  app.add_option("--chip", command.chip, "Architecture")
      ->check(CLI::IsMember({"sm_80", "sm_90"}))
      ->capture_default_str();
  app.add_option("--emit", command.emit, "What to write")
      ->check(CLI::IsMember({"llvm", "bitcode", "ptx", "cubin", "resources"}))
      ->capture_default_str();
  app.add_flag("--json", command.json, "Resources as JSON");
  app.add_option("-o,--output", command.output, "Where the result goes; - is stdout")->capture_default_str();
  app.add_option("--index-bits", command.indexBits, "Bits of index; 32 for tensors of less than 2^31 elements")
      ->check(CLI::IsMember({32, 64}))
      ->capture_default_str();
  app.footer(help);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() != 0)
      return report({StatusCode::usage, fmt::format("{} (see bifocal-kernel --help)", error.what())});
    app.exit(error);
    std::cout.flush();
    return std::cout ? 0 : report({StatusCode::cannotRead, "cannot write all of the output to stdout"});
  }
  return report(command.run());
} catch (const std::exception &error) {
  return report({StatusCode::internal, fmt::format("internal error: {}", error.what())});
}
