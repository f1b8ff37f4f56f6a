// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/emulator/Emulator.h"

#include "codegen/emulator/HostFunctions.h"
#include "codegen/emulator/Instrumentation.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace bifocal::emulator {

/// What every GPU since sm_80 accepts at most (CUDA C++ Programming Guide, table of compute capabilities).
constexpr uint64_t mostThreads = 1024, mostGridX = 0x7fffffff, mostGridYZ = 65535, mostShared = 227 << 10;

struct Emulator::Code {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  InstrumentedModule module;
  CheckedMemory *memory = nullptr;
  std::vector<char *> constants;
  std::unique_ptr<Machine> machine;

  ~Code() {
    for (char *constant : constants)
      memory->removeRegion(constant);
  }
};

Emulator::Emulator(std::unique_ptr<Code> code) : code(std::move(code)) {}
Emulator::~Emulator() = default;

static std::string messageOf(llvm::Error error) { return llvm::toString(std::move(error)); }

namespace {
struct Variable {
  std::string name;
  size_t bytes;
  bool constant;
};
} // namespace

/// Module variables outside shared memory, with names that the JIT finds.
static std::vector<Variable> exportVariables(llvm::Module &module) {
  std::vector<Variable> variables;
  for (llvm::GlobalVariable &variable : module.globals()) {
    if (variable.isDeclaration() || variable.getName().starts_with("llvm."))
      continue;
    variable.setLinkage(llvm::GlobalValue::ExternalLinkage);
    size_t bytes = module.getDataLayout().getTypeAllocSize(variable.getValueType());
    variables.push_back({variable.getName().str(), bytes, variable.isConstant()});
  }
  return variables;
}

Result<std::unique_ptr<Emulator>> Emulator::load(std::string_view ir, std::string_view name, CheckedMemory &memory) {
  using namespace llvm;
  static const bool initialised = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  if (!initialised)
    return Status(StatusCode::internal, "LLVM has no code generator for this machine");
  auto failed = [&](const std::string &why) {
    return Status(StatusCode::unsupported, fmt::format("{}: {}", name, why));
  };
  auto context = std::make_unique<LLVMContext>();
  SMDiagnostic diagnostic;
  std::unique_ptr<MemoryBuffer> buffer =
      MemoryBuffer::getMemBufferCopy(StringRef(ir.data(), ir.size()), StringRef(name.data(), name.size()));
  std::unique_ptr<Module> module = parseIR(*buffer, diagnostic, *context);
  if (!module) {
    std::string text;
    raw_string_ostream stream(text);
    diagnostic.print("", stream, /*ShowColors=*/false);
    return Status(StatusCode::malformed, fmt::format("{}: no LLVM IR: {}", name, StringRef(text).trim().str()));
  }
  auto builder = orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return failed(messageOf(builder.takeError()));
  // Most of the time goes into checks of accesses, which nothing makes faster: optimisations cost more than they save.
  builder->setCodeGenOptLevel(CodeGenOptLevel::None);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return failed(messageOf(machine.takeError()));
  auto code = std::make_unique<Code>();
  code->memory = &memory;
  auto text = instrument(*module, (*machine)->createDataLayout(), builder->getTargetTriple().str());
  if (!text)
    return failed(messageOf(text.takeError()));
  code->module = std::move(*text);
  std::vector<Variable> variables = exportVariables(*module);
  auto jit = orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(*builder)).create();
  if (!jit)
    return failed(messageOf(jit.takeError()));
  code->jit = std::move(*jit);
  if (Error error = defineHostFunctions(*code->jit))
    return failed(messageOf(std::move(error)));
  if (Error error = code->jit->addIRModule(orc::ThreadSafeModule(std::move(module), std::move(context))))
    return failed(messageOf(std::move(error)));
  for (const Variable &variable : variables) {
    auto address = code->jit->lookup(variable.name);
    if (!address)
      return failed(messageOf(address.takeError()));
    char *begin = address->toPtr<char *>();
    memory.addRegion(variable.name, begin, variable.bytes, variable.constant ? Space::Constant : Space::Global,
                     Content::Defined);
    code->constants.push_back(begin);
  }
  code->machine = std::make_unique<Machine>(memory, code->module.sites);
  return std::unique_ptr<Emulator>(new Emulator(std::move(code)));
}

std::vector<std::string> Emulator::kernels() const {
  std::vector<std::string> names;
  for (const KernelInfo &kernel : code->module.kernels)
    names.push_back(kernel.name);
  return names;
}

const std::string &Emulator::text() const { return code->module.text; }

static std::string words(const Dim3 &dim) { return fmt::format("{} x {} x {}", dim.x, dim.y, dim.z); }

/// What the driver of a GPU would refuse.
static Status verifyLaunch(const KernelInfo &kernel, const Launch &launch) {
  auto invalid = [&](const std::string &why) {
    return Status(StatusCode::usage, fmt::format("launch of {}: {}", kernel.name, why));
  };
  const Dim3 &grid = launch.grid, &block = launch.block;
  if (launch.parameters.size() != kernel.parameters.size())
    return invalid(
        fmt::format("got {} parameters, the kernel has {}", launch.parameters.size(), kernel.parameters.size()));
  if (!grid.count() || grid.x > mostGridX || grid.y > mostGridYZ || grid.z > mostGridYZ)
    return invalid(
        fmt::format("got a grid of {}, allowed are 1 to {} x {} x {}", words(grid), mostGridX, mostGridYZ, mostGridYZ));
  if (!block.count() || block.count() > mostThreads || block.z > 64)
    return invalid(
        fmt::format("got blocks of {} threads, allowed are 1 to {} (z at most 64)", words(block), mostThreads));
  if (kernel.required.x &&
      !(block == Dim3{kernel.required.x, std::max(kernel.required.y, 1u), std::max(kernel.required.z, 1u)}))
    return invalid(fmt::format("got blocks of {}, the kernel is made for {}", words(block), words(kernel.required)));
  if (kernel.most.x &&
      block.count() > Dim3{kernel.most.x, std::max(kernel.most.y, 1u), std::max(kernel.most.z, 1u)}.count())
    return invalid(
        fmt::format("got blocks of {}, the kernel is made for at most {}", words(block), words(kernel.most)));
  size_t shared = launch.dynamicShared;
  for (const Machine::SharedVariable &variable : kernel.shared.variables)
    shared += variable.bytes;
  if (shared > mostShared)
    return invalid(fmt::format("needs {} bytes of shared memory, {} are there", shared, mostShared));
  return {};
}

Result<std::vector<Finding>> Emulator::launch(const Launch &launch, const LaunchOptions &options) {
  auto kernel = std::find_if(code->module.kernels.begin(), code->module.kernels.end(),
                             [&](const KernelInfo &known) { return known.name == launch.kernel; });
  if (kernel == code->module.kernels.end())
    return Status(StatusCode::usage,
                  fmt::format("no kernel '{}'; there are: {}", launch.kernel, fmt::join(kernels(), ", ")));
  if (Status status = verifyLaunch(*kernel, launch); !status.ok())
    return status;
  auto entry = code->jit->lookup(entryName(kernel->name));
  if (!entry)
    return Status(StatusCode::internal, messageOf(entry.takeError()));
  return code->machine->run(launch, kernel->shared, options, entry->toPtr<void (*)(void **)>());
}

} // namespace bifocal::emulator
