// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_INSPECTSPEC_H
#define BIFOCAL_TOOLS_BIFOCAL_INSPECTSPEC_H

#include "runtime/core/Artifact.h"
#include "runtime/core/Status.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace bifocal::tools {

/// What the model of a spec counts, as text or as JSON. `fileName` is for diagnostics. `tokens` is what --tokens says:
/// the lengths of a source and a target, or one for both; none: the one that papers take.
///
/// Errors:
///   diagnostics  the spec is wrong
///   usage        `tokens` is no such length, or there are too many multiply-adds to count
Result<std::string> describeSpec(std::string_view text, std::string_view fileName,
                                 const std::optional<std::string> &tokens, bool asJson);

/// The artifact of a spec up to its plan: without kernels, so nothing can run it, and made in a moment.
Result<std::shared_ptr<const Artifact>> planSpec(std::string_view text, std::string_view fileName);

} // namespace bifocal::tools
#endif
