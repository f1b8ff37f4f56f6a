// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_KERNEL_RESOURCES_H
#define BIFOCAL_TOOLS_BIFOCAL_KERNEL_RESOURCES_H

#include "codegen/cuda/PtxAssembler.h"

#include <string>
#include <vector>

namespace bifocal::tools {

/// A table, one kernel a line, and below it the loads and stores of each.
std::string describeResources(const std::vector<KernelResources> &kernels);
/// The same as JSON: `{"chip": ..., "kernels": [{"name": ..., "registers": ..., ...}]}`.
std::string resourcesToJson(const std::vector<KernelResources> &kernels, const CudaTarget &target);

} // namespace bifocal::tools
#endif
