// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_AVERAGE_H
#define BIFOCAL_RUNTIME_TRAIN_AVERAGE_H

#include "runtime/core/Status.h"

#include <span>
#include <string>

namespace bifocal {

/// Writes the mean of the parameters of checkpoints or weights as f32 weights; moments are left out. Each element is
/// added up in f64, in the order of `paths`, divided, and rounded once. `output` may be one of `paths`.
/// Errors: `usage` without a path; `malformed` with everything that differs between the files (models, names, shapes,
/// types); `numericMismatch` where an element is not finite; what reading and writing a file gives.
Status averageWeights(std::span<const std::string> paths, const std::string &output);

} // namespace bifocal
#endif
