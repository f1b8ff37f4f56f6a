// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_TARGETS_H
#define BIFOCAL_TOOLS_BIFOCAL_TARGETS_H

#include "passes/Pipelines.h"
#include "runtime/core/Status.h"

namespace bifocal::tools {

/// Reads what `--target` says, e.g. `cpu:native,cuda:sm_80,sm_90`: which machines get kernels.
Status readTargets(const std::string &targets, PhaseOptions &phases);

} // namespace bifocal::tools
#endif
