// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_DIFFATTENTION_H
#define BIFOCAL_CODEGEN_CPU_DIFFATTENTION_H

// What the forward and the backward kernel of diff_attention share: a panel of weights on the stack.

#include "codegen/cpu/AttentionBlocks.h"
#include "codegen/cpu/AttentionStrip.h"

namespace bifocal {

/// The most bytes that the weights of a strip take: what a thread has of the last level of today's smallest caches.
constexpr int64_t mostPanelBytes = 512 << 10;

/// Keys, a whole number of blocks, that a panel with `arrays` numbers for each key and query of a strip has room for.
int64_t panelKeys(const KernelBuilder &kernel, const AttentionShape &shape, int64_t arrays);

/// Where diff_attention_grad keeps the sums `d` of both maps of all queries, [B, 2 heads, T].
Array deltasOf(KernelTask &task);
/// The gradient of lambda from the sums of the second map, added up in one order.
void writeLambdaGrad(KernelTask &task, const AttentionShape &shape, mlir::AffineExpr sentences);
void writeDiffAttentionGrad(KernelTask &task, DiffAttentionGradOp op);
void writeDiffAttentionStep(KernelTask &task, DiffAttentionStepOp op);

} // namespace bifocal
#endif
