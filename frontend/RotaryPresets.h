// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_ROTARYPRESETS_H
#define BIFOCAL_FRONTEND_ROTARYPRESETS_H

#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// Language models with rotary positions, RMS norms and SwiGLU: Diff Transformers, and plain ones of the same size.
std::vector<std::string> rotaryPresetNames();

/// The TOML of one of them, or an empty string for another name.
std::string rotaryPresetText(std::string_view name);

} // namespace bifocal
#endif
