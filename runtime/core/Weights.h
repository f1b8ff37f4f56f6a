// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_WEIGHTS_H
#define BIFOCAL_RUNTIME_CORE_WEIGHTS_H

#include "runtime/core/Safetensors.h"
#include "runtime/core/Session.h"
#include "runtime/core/Status.h"

#include <string>
#include <string_view>

namespace bifocal {

/// What names of tensors begin with that belong to a training and not to the model.
inline constexpr std::string_view optimizerPrefix = "optimizer.", memoryPrefix = "memory.";
inline bool isTrainingState(std::string_view name) {
  return name.starts_with(optimizerPrefix) || name.starts_with(memoryPrefix);
}
/// The metadata that says which model the parameters are of.
inline constexpr std::string_view specHashKey = "bifocal.spec_hash";

/// Fills every stored parameter of the session from `weights`, under its name or an alias; parameters that are not
/// stored come from their initialisers. Every stored parameter must be there with the right shape;
/// tensors whose names start with "optimizer." are left alone, any other unknown tensor is an error.
Status readParameters(Session &session, const Safetensors &weights);

/// The same into a parameter slab laid out as the manifest says.
Status readParameters(const Manifest &manifest, std::span<float> slab, const Safetensors &weights);

/// The same from a file.
Status readParameters(Session &session, const std::string &path);

} // namespace bifocal
#endif
