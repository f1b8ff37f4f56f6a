// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_CHECKS_H
#define BIFOCAL_TOOLS_BIFOCAL_CHECKS_H

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace bifocal::tools {

/// Numbers from `low`. (CLI11's own checks spell out the largest double in their messages.)
inline CLI::Validator atLeast(double low) {
  return CLI::Validator(
      [low](std::string &text) {
        double value = 0;
        // What is no number at all is reported by the conversion.
        if (!CLI::detail::lexical_cast(text, value) || value >= low)
          return std::string();
        return fmt::format("expects at least {}, but got {}", low, text);
      },
      "");
}

/// Numbers up to `high`.
inline CLI::Validator atMost(double high) {
  return CLI::Validator(
      [high](std::string &text) {
        double value = 0;
        if (!CLI::detail::lexical_cast(text, value) || value <= high)
          return std::string();
        return fmt::format("expects at most {}, but got {}", high, text);
      },
      "");
}

} // namespace bifocal::tools
#endif
