// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_CHECKS_H
#define BIFOCAL_TOOLS_BIFOCAL_CHECKS_H

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <limits>

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

/// Integers from `low` to `high`. (CLI11 takes what is beyond 64 bits for the largest number.)
inline CLI::Validator integerFrom(int64_t low, int64_t high = std::numeric_limits<int64_t>::max()) {
  return CLI::Validator(
      [low, high](std::string &text) {
        int64_t value = 0;
        const char *end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        const bool isInteger = error == std::errc() && rest == end;
        if (isInteger && value >= low && value <= high)
          return std::string();
        if (isInteger)
          return fmt::format("expects at {} {}, but got {}", value < low ? "least" : "most", value < low ? low : high,
                             text);
        return fmt::format("expects an integer from {} to {}, but got {}", low, high, text);
      },
      "");
}

/// Numbers that are neither infinite nor nan.
inline CLI::Validator finite() {
  return CLI::Validator(
      [](std::string &text) {
        double value = 0;
        if (!CLI::detail::lexical_cast(text, value) || std::isfinite(value))
          return std::string();
        return fmt::format("expects a finite number, but got {}", text);
      },
      "");
}

/// Turns a time such as 90s, 45m or 1h30m into seconds.
inline CLI::Validator seconds() {
  return CLI::Validator(
      [](std::string &text) {
        double total = 0;
        const char *at = text.data(), *end = at + text.size();
        while (at != end) {
          double value = 0;
          const auto [unit, error] = std::from_chars(at, end, value);
          const double scale = unit == end ? 0 : *unit == 's' ? 1 : *unit == 'm' ? 60 : *unit == 'h' ? 3600 : 0;
          if (error != std::errc() || !(value >= 0 && value < 1e9) || scale == 0)
            return fmt::format("expects a time such as 90s, 45m, 2h or 1h30m, but got {}", text);
          total += value * scale;
          at = unit + 1;
        }
        text = fmt::format("{}", total);
        return std::string();
      },
      "");
}

} // namespace bifocal::tools
#endif
