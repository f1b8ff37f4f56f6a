// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_CPU_DIFFATTENTION_H
#define BIFOCAL_CODEGEN_CPU_DIFFATTENTION_H

// What the forward and the backward kernel of diff_attention share: a panel of weights on the stack.

#include "codegen/cpu/AttentionBlocks.h"

namespace bifocal {

/// The most bytes that the weights of a tile take: half of the second level of today's smallest caches.
constexpr int64_t mostPanelBytes = 256 << 10;

/// Keys, a whole number of blocks, that a panel with `arrays` numbers for each key and query has room for.
int64_t panelKeys(const KernelBuilder &kernel, int64_t arrays);

void writeDiffAttentionGrad(KernelTask &task, DiffAttentionGradOp op);
void writeDiffAttentionStep(KernelTask &task, DiffAttentionStepOp op);

} // namespace bifocal
#endif
