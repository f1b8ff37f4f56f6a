// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_CODEGEN_COMMON_TRANSPOSE_H
#define BIFOCAL_CODEGEN_COMMON_TRANSPOSE_H

#include "codegen/common/KernelBuilder.h"

namespace bifocal {

/// Lane j of result i is lane i of vectors[j]. Expects as many vectors as a vector has lanes.
KernelBuilder::Values transposeLanes(KernelBuilder &kernel, KernelBuilder::Values vectors);

/// Lane j of result i is lane j of vectors[i + j]. A vector of L lanes needs L - 1 vectors more than there are results.
KernelBuilder::Values diagonals(KernelBuilder &kernel, KernelBuilder::Values vectors);

} // namespace bifocal
#endif
