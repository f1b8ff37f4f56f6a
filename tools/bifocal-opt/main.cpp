// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs any of our passes, and the few upstream ones that tests need, over IR.
#include "codegen/cpu/CpuKernels.h"
#include "codegen/cuda/CudaKernels.h"
#include "codegen/cuda/CudaLowering.h"
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/plan/PlanOps.h"
#include "dialect/tile/TileOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "passes/Pipelines.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<bifocal::BifocalDialect, bifocal::plan::PlanDialect, bifocal::tile::TileDialect,
                  mlir::arith::ArithDialect, mlir::DLTIDialect, mlir::func::FuncDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::scf::SCFDialect, mlir::vector::VectorDialect>();
  bifocal::registerCudaKernelDialects(registry);
  bifocal::registerPipelines();
  bifocal::registerCpuCodegenPasses();
  bifocal::registerCudaCodegenPasses();
  bifocal::registerCudaKernelPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Bifocal modular optimizer driver\n", registry));
}
