// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/CudaLowering.h"

#include "codegen/Passes.h"
#include "codegen/common/LlvmPasses.h"
#include "codegen/cuda/CudaChecks.h"
#include "codegen/cuda/CudaError.h"
#include "codegen/cuda/DebugLocations.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/NVGPUToNVVM/NVGPUToNVVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <mutex>

using namespace mlir;

namespace bifocal {

void addCudaLowering(OpPassManager &manager, const CudaLoweringOptions &options) {
  ConvertGpuOpsToNVVMOpsOptions toNvvm;
  toNvvm.indexBitwidth = options.indexBits;
  toNvvm.useBarePtrCallConv = true;
  ConvertIndexToLLVMPassOptions index;
  index.indexBitwidth = options.indexBits;
  manager.addPass(createVerifyCudaKernelsPass());
  manager.addPass(memref::createExpandStridedMetadataPass());
  // It writes memref, arith and llvm ops, which the passes behind it lower.
  manager.addPass(createConvertNVGPUToNVVMPass());
  manager.addPass(createConvertSCFToCFPass());
  // arith, cf, func, index and memref ops as well.
  manager.addPass(createConvertGpuOpsToNVVMOps(toNvvm));
  // Only math.fma and its like are left; before the pass above, functions of math would become intrinsics that the
  // backend has no instruction for.
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertIndexToLLVMPass(index));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  // Ops with PTX text become inline assembly.
  manager.addPass(createConvertNVVMToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  manager.addPass(createAssignDynamicSharedMemoryPass());
  manager.addPass(createVerifyCudaKernelsPass({/*lowered=*/true}));
}

/// The kernels in the LLVM and NVVM dialects; null after an error.
static OwningOpRef<ModuleOp> lowerToNvvm(gpu::GPUModuleOp kernels, const CudaLoweringOptions &options) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernels.getLoc());
  module->push_back(kernels->clone());
  PassManager manager(kernels.getContext(), ModuleOp::getOperationName());
  addCudaLowering(manager.nest<gpu::GPUModuleOp>(), options);
  if (failed(manager.run(*module)))
    return nullptr;
  auto lowered = *module->getOps<gpu::GPUModuleOp>().begin();
  for (Operation &op : llvm::make_early_inc_range(lowered.getBody()->without_terminator())) {
    op.moveBefore(lowered);
    // What only kernels call goes with its last call.
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op);
        function && !function.isExternal() && !op.hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
      function.setLinkage(LLVM::Linkage::Internal);
  }
  lowered.erase();
  if (failed(attachDebugLocations(*module)))
    return nullptr;
  return module;
}

static std::unique_ptr<llvm::TargetMachine> createMachine(const CudaTarget &target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
  constexpr const char *triple = "nvptx64-nvidia-cuda";
  std::string error;
  const llvm::Target *backend = llvm::TargetRegistry::lookupTarget(triple, error);
  assert(backend && "LLVM is built with the NVPTX backend");
  llvm::TargetOptions options;
  // No contraction of what the generators wrote as two roundings: the emulator and the CPU give the same bits.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(triple, target.chip, CudaTarget::features,
                                                                           options, std::nullopt, std::nullopt,
                                                                           llvm::CodeGenOptLevel::Aggressive));
}

/// Instructions of a whole warp stay where all its threads come by. LLVM 19 knows that of shuffles and barriers only.
static void keepWarpsTogether(llvm::Module &module) {
  for (llvm::Function &function : module)
    if (function.getName().starts_with("llvm.nvvm.mma.") || function.getName().starts_with("llvm.nvvm.ldmatrix."))
      for (llvm::User *user : function.users())
        if (auto *call = llvm::dyn_cast<llvm::CallBase>(user))
          call->setConvergent();
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  runLlvmPasses(module, machine, [](llvm::PassBuilder &builder) {
    return builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3);
  });
}

/// What may only break through a fault of the passes above: the checks have spoken about all that a kernel's writer
/// does.
static llvm::Error checkModule(const llvm::Module &module) {
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (llvm::verifyModule(module, &stream))
    return makeCudaError(std::errc::state_not_recoverable, "kernels became LLVM IR that is not valid: " + problems);
  for (const llvm::Function &function : module)
    if (function.isDeclaration() && !function.isIntrinsic() && !function.use_empty())
      return makeCudaError(std::errc::state_not_recoverable,
                           "expects kernels to call only what they define, but they call '" + function.getName() + "'");
  for (const llvm::GlobalVariable &global : module.globals()) {
    auto *array = llvm::dyn_cast<llvm::ArrayType>(global.getValueType());
    if (array && array->getNumElements() == 0 && !global.hasExternalLinkage())
      return makeCudaError(std::errc::state_not_recoverable,
                           "expects dynamic shared memory to be external, but '" + global.getName() + "' is not");
  }
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<llvm::Module>> lowerCudaKernels(gpu::GPUModuleOp kernels, const CudaTarget &target,
                                                               llvm::LLVMContext &context,
                                                               const CudaLoweringOptions &options) {
  if (options.indexBits != 32 && options.indexBits != 64)
    return makeCudaError(std::errc::invalid_argument,
                         "expects an index of 32 or 64 bits, but got " + llvm::Twine(options.indexBits));
  DialectRegistry registry;
  registerCudaKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
  kernels.getContext()->appendDialectRegistry(registry);
  OwningOpRef<ModuleOp> lowered = lowerToNvvm(kernels, options);
  std::unique_ptr<llvm::Module> module;
  if (lowered)
    module = translateModuleToLLVMIR(*lowered, context, kernels.getName());
  if (!module)
    return makeCudaError(std::errc::invalid_argument, "the kernels of '" + kernels.getName() + "' have errors");
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target);
  module->setTargetTriple(machine->getTargetTriple().str());
  module->setDataLayout(machine->createDataLayout());
  keepWarpsTogether(*module);
  optimize(*module, *machine);
  completeDebugLocations(*module);
  if (llvm::Error error = checkModule(*module))
    return error;
  return module;
}

namespace {
/// Keeps what the backend cannot compile; without it LLVM prints that and ends the program.
struct BackendErrors : llvm::DiagnosticHandler {
  explicit BackendErrors(std::string &text) : text(text) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo &problem) override {
    if (problem.getSeverity() != llvm::DS_Error)
      return true;
    llvm::raw_string_ostream stream(text);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    stream << (text.empty() ? "" : "; ");
    problem.print(printer);
    return true;
  }

  std::string &text;
};
} // namespace

llvm::Expected<std::string> emitPtx(const llvm::Module &module, const CudaTarget &target) {
  std::unique_ptr<llvm::TargetMachine> machine = createMachine(target);
  // The backend rewrites what it compiles.
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return makeCudaError(std::errc::not_supported, "this LLVM cannot write PTX");
  llvm::LLVMContext &context = module.getContext();
  std::string problems;
  std::unique_ptr<llvm::DiagnosticHandler> before = context.getDiagnosticHandler();
  context.setDiagnosticHandler(std::make_unique<BackendErrors>(problems));
  codegen.run(*copy);
  context.setDiagnosticHandler(std::move(before));
  if (!problems.empty())
    return makeCudaError(std::errc::invalid_argument, "the NVPTX backend cannot compile the kernels: " + problems);
  return std::string(text.data(), text.size());
}

std::string emitBitcode(const llvm::Module &module) {
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  llvm::WriteBitcodeToFile(module, stream);
  return bytes;
}

void registerCudaKernelDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect, gpu::GPUDialect, index::IndexDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, nvgpu::NVGPUDialect, NVVM::NVVMDialect, scf::SCFDialect,
                  vector::VectorDialect>();
}

void registerCudaCodegenPasses() {
  registerBifocalCodegenPasses();
  struct Options : PassPipelineOptions<Options> {
    Option<unsigned> indexBits{*this, "index-bits", llvm::cl::desc("bits of index: 64 or 32"), llvm::cl::init(64)};
  };
  PassPipelineRegistration<Options>("bifocal-lower-cuda-kernels",
                                    "gpu and nvgpu dialects to the LLVM and NVVM dialects, with all checks",
                                    [](OpPassManager &manager, const Options &options) {
                                      addCudaLowering(manager.nest<gpu::GPUModuleOp>(), {options.indexBits});
                                    });
}

} // namespace bifocal
