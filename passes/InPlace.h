// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_INPLACE_H
#define BIFOCAL_PASSES_INPLACE_H

#include "dialect/plan/PlanOps.h"

namespace bifocal {

/// Two buffers of a launch, by position.
struct InPlacePair {
  unsigned input, result;
};

/// The results of `kernel` that may take the place of an input: the kernel reads every element of the input before it
/// writes to its place. Whether the input dies there is for the caller to know.
llvm::SmallVector<InPlacePair> inPlacePairs(plan::KernelOp kernel);

} // namespace bifocal
#endif
