// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/CudaKernels.h"

#include "codegen/cpu/CpuKernels.h"
#include "codegen/cuda/WarpKernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace bifocal {

FailureOr<gpu::GPUModuleOp> generateCudaKernels(ModuleOp module) {
  module.getContext()->loadDialect<gpu::GPUDialect>();
  OwningOpRef<ModuleOp> functions = ModuleOp::create(module.getLoc());
  if (failed(writeKernels(module, *functions, CpuTarget::warp())))
    return failure();
  OpBuilder builder(module.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  auto kernels = builder.create<gpu::GPUModuleOp>(module.getLoc(), "cuda");
  for (auto function : functions->getOps<func::FuncOp>())
    if (failed(distributeToWarp(function, kernels)))
      return failure();
  return kernels;
}

namespace {

struct GenerateCudaKernels : PassWrapper<GenerateCudaKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GenerateCudaKernels)

  StringRef getArgument() const override { return "bifocal-generate-cuda-kernels"; }
  StringRef getDescription() const override { return "write the GPU kernels of all stages"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, gpu::GPUDialect, LLVM::LLVMDialect, math::MathDialect,
                    NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    if (failed(generateCudaKernels(getOperation())))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createGenerateCudaKernelsPass() { return std::make_unique<GenerateCudaKernels>(); }

void registerCudaKernelPasses() {
  registerPass([] { return createGenerateCudaKernelsPass(); });
}

} // namespace bifocal
