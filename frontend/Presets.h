// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_PRESETS_H
#define BIFOCAL_FRONTEND_PRESETS_H

#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// The named starting points, in the order in which they are listed to the user.
std::vector<std::string> presetNames();

/// The TOML of a preset, or an empty string for an unknown name. A user's spec overlays it key by key.
std::string presetText(std::string_view name);

} // namespace bifocal
#endif
