// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_TEXT_H
#define BIFOCAL_RUNTIME_DATA_TEXT_H

#include "runtime/core/Status.h"

#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// The whole content of a file; "-" is stdin. Files above `limit` bytes are refused.
Result<std::string> readText(const std::string &path, size_t limit = size_t{1} << 32);

/// The lines of a text without their ends (\n or \r\n). A last line needs no end.
std::vector<std::string> splitLines(std::string_view text);

/// The lines of a file; "-" is stdin.
Result<std::vector<std::string>> readLines(const std::string &path);

/// Creates or replaces a file; what stands there before or after is whole.
Status writeTextAtomically(const std::string &path, std::string_view text);

} // namespace bifocal
#endif
