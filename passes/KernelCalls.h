// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_PASSES_KERNELCALLS_H
#define BIFOCAL_PASSES_KERNELCALLS_H

#include "dialect/plan/PlanOps.h"

namespace bifocal {

/// Whether the launches and epilogues of `entry` give their kernels the buffers, sizes and tiles that the kernels' code
/// will count on, as the schedule of the op in the kernel's body has them. A plan that was edited by hand must not make
/// a kernel read behind its arguments.
llvm::LogicalResult verifyKernelCalls(plan::EntryOp entry);

} // namespace bifocal
#endif
