// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_GEMMKERNELS_H
#define BIFOCAL_CODEGEN_CPU_GEMMKERNELS_H

// The matrix products of plan.gemm. A product is one of four kernels, gemm_nn to gemm_tt by what is stored transposed,
// for all sizes, once per combination of element types. Stage 0 packs B into panels, stage 1 computes tiles of C from
// them; stage 2 computes products of few rows, for which each tile packs its own part of B. See runtime/cpu/Gemm.h for
// who calls them with what.
//
// Every element of C is one chain of fused multiply-adds over the inner axis in ascending order; with factors of bf16
// in pairs, of which the second step comes first, as the instructions for such pairs have it. So its bits depend on
// nothing but its row of A and its column of B: not on the other rows, the tiles, the number of threads or the level of
// the CPU. (But these instructions count what is below 2^-126 as 0.)
//
// Products with factors of 8 bits (`_i8`, `_i8_weights` behind the name) are rounded in groups of the inner axis: their
// bits depend on as little.
//
// A mask says which rows of A, as it is stored, are real. Others are not even packed: they give rows of zeros or, where
// A is transposed, steps that the sums leave out.

#include "codegen/common/KernelBuilder.h"
#include "dialect/plan/PlanOps.h"

namespace bifocal {

/// What is stored transposed, and the element types in memory, of which at most one is narrow (bf16 or f16). Panels are
/// f32 unless quantised; on a level with dot products they hold pairs of bf16 where the factors are bf16. All sums that
/// leave a block of the inner axis are f32: a narrow C is rounded once, after the last one.
struct GemmForm {
  bool transA, transB;
  mlir::Type a, b, c;
  /// Needs a transposed B alone, and all three matrices in f32.
  plan::Quantization quantization = plan::Quantization::none;

  /// The type of what is multiplied, the narrowest of the three: an f32 matrix of a narrow product is rounded when its
  /// panels are packed, so a narrow product multiplies the same factors whatever its matrices are stored as.
  mlir::Type factor() const;
};

/// Writes the stages of the kernel `name`. Fails, with an error at `location`, when a tile needs too much of the stack.
mlir::LogicalResult writeGemm(mlir::ModuleOp module, mlir::Location location, const VectorTarget &target,
                              llvm::StringRef name, const GemmForm &form);

} // namespace bifocal
#endif
