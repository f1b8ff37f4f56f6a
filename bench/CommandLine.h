// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_COMMANDLINE_H
#define BIFOCAL_BENCH_COMMANDLINE_H

#include "runtime/core/Status.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <optional>

namespace bifocal {

/// Prints what went wrong, if something did; the exit code.
inline int report(const Status &status) {
  if (!status.ok())
    fmt::print(stderr, "error: {}\n", status.message());
  return static_cast<int>(status.code());
}

/// Reads the arguments; the exit code when that is all: for `--help`, or a wrong one.
inline std::optional<int> parse(CLI::App &app, int argc, char **argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError &error) {
    return error.get_exit_code() == 0 ? app.exit(error) : report({StatusCode::usage, error.what()});
  }
}

} // namespace bifocal
#endif
