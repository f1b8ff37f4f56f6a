// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_INITIALIZER_H
#define BIFOCAL_RUNTIME_CORE_INITIALIZER_H

#include "runtime/core/Manifest.h"

#include <cstdint>
#include <span>

namespace bifocal {

/// Fills `values` (parameter.elements() floats) by the parameter's initialiser: a pure function of `seed` and of the
/// position `index` in the manifest.
void initializeParameter(const Parameter &parameter, size_t index, uint64_t seed, std::span<float> values);

} // namespace bifocal
#endif
