// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/CudaKernels.h"

#include "codegen/cpu/CpuKernels.h"
#include "codegen/cuda/CudaTarget.h"
#include "codegen/cuda/OperandKernels.h"
#include "codegen/cuda/TensorCoreKernels.h"
#include "codegen/cuda/WarpKernels.h"
#include "dialect/tile/TileOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace bifocal {

/// Kernels whose vectors of 32 lanes are not all that a GPU has.
static constexpr KernelGenerator onTensorCores[] = {generateLightConvProducts, generateDynamicConvProducts,
                                                    generateAttentionProducts, generateAttentionGradProducts};

static constexpr StringLiteral architecturesName = "bifocal.architectures";

FailureOr<gpu::GPUModuleOp> generateCudaKernels(ModuleOp module, ArrayRef<std::string> architectures) {
  module.getContext()->loadDialect<gpu::GPUDialect>();
  OwningOpRef<ModuleOp> functions = ModuleOp::create(module.getLoc());
  if (failed(writeKernels(module, *functions, VectorTarget::warp(), onTensorCores)))
    return failure();
  writeOperandKernels(module, *functions);
  OpBuilder builder(module.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  auto kernels = builder.create<gpu::GPUModuleOp>(module.getLoc(), "cuda");
  SmallVector<StringRef> names(architectures.begin(), architectures.end());
  kernels->setAttr(architecturesName, builder.getStrArrayAttr(names));
  for (auto function : functions->getOps<func::FuncOp>())
    if (failed(distributeToWarp(function, kernels)))
      return failure();
  return kernels;
}

SmallVector<StringRef> architecturesOf(gpu::GPUModuleOp kernels) {
  SmallVector<StringRef> names;
  if (auto list = kernels->getAttrOfType<ArrayAttr>(architecturesName))
    for (auto name : list.getAsRange<StringAttr>())
      names.push_back(name.getValue());
  return names;
}

namespace {

struct GenerateCudaKernels : PassWrapper<GenerateCudaKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GenerateCudaKernels)

  GenerateCudaKernels() = default;
  GenerateCudaKernels(const GenerateCudaKernels &other) : PassWrapper(other) { architectures = other.architectures; }

  StringRef getArgument() const override { return "bifocal-generate-cuda-kernels"; }
  StringRef getDescription() const override { return "write the GPU kernels of all stages"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect,
                    NVVM::NVVMDialect, scf::SCFDialect, tile::TileDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    for (const std::string &architecture : architectures)
      if (!CudaTarget::find(architecture)) {
        getOperation().emitError("expects the architecture sm_80 or sm_90, but got '") << architecture << "'";
        return signalPassFailure();
      }
    if (failed(
            generateCudaKernels(getOperation(), std::vector<std::string>(architectures.begin(), architectures.end()))))
      signalPassFailure();
  }

  ListOption<std::string> architectures{
      *this, "architectures", llvm::cl::desc("GPUs that get machine code, e.g. sm_80,sm_90; none: the emulator alone")};
};

} // namespace

std::unique_ptr<Pass> createGenerateCudaKernelsPass() { return std::make_unique<GenerateCudaKernels>(); }

void registerCudaKernelPasses() {
  registerPass([] { return createGenerateCudaKernelsPass(); });
}

} // namespace bifocal
