// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_MESSAGE_H
#define BIFOCAL_TOOLS_BIFOCAL_MESSAGE_H

#include <cstdio>
#include <fmt/format.h>
#include <string>

namespace bifocal::tools {

/// Writes to a stream all the same where it takes nothing: stdout keeps the error for the end of the program, and what
/// stderr does not take is lost. `fmt::print` would throw, and a log on a full disk would end a training.
inline void writeText(std::FILE *stream, const std::string &text) {
  [[maybe_unused]] const size_t written = std::fwrite(text.data(), 1, text.size(), stream);
}

/// Prints to stderr.
template <typename... Args> void say(fmt::format_string<Args...> format, Args &&...args) {
  writeText(stderr, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace bifocal::tools
#endif
