// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_GEMMKERNELS_H
#define BIFOCAL_CODEGEN_CPU_GEMMKERNELS_H

// The matrix products of plan.gemm. A product is one of four kernels, gemm_nn to gemm_tt by what is stored transposed,
// for all sizes and one combination of element types. Stage 0 packs B into panels, stage 1 computes tiles of C from
// them; stage 2 computes products of few rows, for which each tile packs its own part of B. See runtime/cpu/Gemm.h for
// who calls them with what.
//
// Every element of C is one chain of fused multiply-adds over the inner axis in ascending order. So its bits depend on
// nothing but its row of A and its column of B: not on the other rows, the tiles, the number of threads or the level of
// the CPU.
//
// A mask says which rows of A, as it is stored, are real. Others are not even packed: they give rows of zeros or, where
// A is transposed, steps that the sums leave out.

#include "codegen/common/KernelBuilder.h"

namespace bifocal {

/// What is stored transposed, and the element types in memory. The panels of B are f32, and so are all sums: a narrow C
/// is rounded once, after the last block of the inner axis.
struct GemmForm {
  bool transA, transB;
  mlir::Type a, b, c;
};

/// Writes the stages of the kernel `name`. Fails, with an error at `location`, when a tile needs too much of the stack.
mlir::LogicalResult writeGemm(mlir::ModuleOp module, mlir::Location location, const CpuTarget &target,
                              llvm::StringRef name, const GemmForm &form);

} // namespace bifocal
#endif
