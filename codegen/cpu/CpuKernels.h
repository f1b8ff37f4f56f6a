// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_CPUKERNELS_H
#define BIFOCAL_CODEGEN_CPU_CPUKERNELS_H

#include "codegen/common/KernelBuilder.h"
#include "dialect/plan/PlanOps.h"
#include "mlir/Pass/Pass.h"
#include "passes/KernelSchedule.h"

namespace bifocal {

/// The most bytes of sums that a warp keeps near it, in shared memory: with more, few warps fit a multiprocessor.
constexpr int64_t mostNearBytes = 16 << 10;

/// One kernel to be written: `op` is the op in the body of `kernel`; its operands are the body's arguments.
struct KernelTask {
  plan::KernelOp kernel;
  mlir::Operation *op;
  KernelBuilder &builder;

  llvm::StringRef name() { return kernel.getSymName(); }
  // The launch's arrays, with the element types that the op's tensors say (i8 for i1).
  Array operand(int64_t index);
  /// One of the op's operands; a null array for a null value.
  Array operand(mlir::Value value);
  Array result(int64_t index);
  /// Elements from one row to the next: the channels of the tensor, or of what it is a view of.
  int64_t rowStride(mlir::Value argument);
  int64_t resultRowStride(int64_t index);
  Array state(int64_t index);
  /// Scratch buffer `index` of the schedule.
  Array scratch(int64_t index, mlir::Type element);
  Array scratch(int64_t index) { return scratch(index, builder.f32()); }
  /// Rows of one tile where the schedule says `scheduled`: a warp takes one. `tilesOf` goes with it.
  int64_t rowsOfTile(int64_t scheduled) const { return builder.target().isWarp ? 1 : scheduled; }
  /// The stage's tiles for so many rows; null: as many as the schedule says.
  mlir::AffineExpr tilesOf(mlir::AffineExpr rows) const { return builder.target().isWarp ? rows : mlir::AffineExpr(); }
  /// What follows the results: states or slabs, then scratch.
  Array behindResults(int64_t index, mlir::Type element);

private:
  int64_t rowStrideAt(int64_t position, mlir::Value tensor);
};

using KernelGenerator = mlir::FailureOr<bool> (*)(KernelTask &);

/// One per family: writes the stages that `scheduleKernel` promises. False: the op belongs to another family.
mlir::FailureOr<bool> generateAdaptive(KernelTask &task);
mlir::FailureOr<bool> generateConv(KernelTask &task);
mlir::FailureOr<bool> generateAttention(KernelTask &task);
mlir::FailureOr<bool> generateDiffAttention(KernelTask &task);
mlir::FailureOr<bool> generateDiffAttentionRows(KernelTask &task);
mlir::FailureOr<bool> generateRotary(KernelTask &task);
mlir::FailureOr<bool> generateRows(KernelTask &task);
mlir::FailureOr<bool> generateSoftmax(KernelTask &task);
mlir::FailureOr<bool> generateEmbedding(KernelTask &task);
mlir::FailureOr<bool> generateLoss(KernelTask &task);
mlir::FailureOr<bool> generateOptim(KernelTask &task);
mlir::FailureOr<bool> generateRecurrent(KernelTask &task);
mlir::FailureOr<bool> generateSearch(KernelTask &task);

/// The name of the kernel of a product: by what is stored transposed and by the elements of its matrices.
std::string productKernel(plan::GemmOp gemm);

/// Writes the stages of every `plan.kernel` of `module` into `functions`; `preferred` are asked before the families'
/// own generators.
mlir::LogicalResult writeKernels(mlir::ModuleOp module, mlir::ModuleOp functions, const VectorTarget &target,
                                 llvm::ArrayRef<KernelGenerator> preferred = {});

/// Writes the nested module of one level for all kernels of `module`.
mlir::LogicalResult generateCpuKernels(mlir::ModuleOp module, const VectorTarget &target);

/// The pass `bifocal-generate-cpu-kernels{levels=x86-64-v3,x86-64-v4}`; without levels it writes all that differ:
/// `x86-64-v4-dot` only where there are products of bf16 or of bytes.
std::unique_ptr<mlir::Pass> createGenerateCpuKernelsPass(llvm::ArrayRef<std::string> levels = {});
void registerCpuCodegenPasses();

} // namespace bifocal
#endif
