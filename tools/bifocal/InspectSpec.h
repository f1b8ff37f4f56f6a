// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_INSPECTSPEC_H
#define BIFOCAL_TOOLS_BIFOCAL_INSPECTSPEC_H

#include "runtime/core/Status.h"

#include <string>
#include <string_view>

namespace bifocal::tools {

/// What the model of a spec counts, as text or as JSON. `fileName` is for diagnostics.
Result<std::string> describeSpec(std::string_view text, std::string_view fileName, bool asJson);

} // namespace bifocal::tools
#endif
