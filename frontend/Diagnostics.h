// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_DIAGNOSTICS_H
#define BIFOCAL_FRONTEND_DIAGNOSTICS_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// A place in a spec, counted from 1; line 0 stands for the whole file.
struct Position {
  uint32_t line = 0;
  uint32_t column = 0;
};

/// Collects every problem of one spec, so that a user sees all of them at once.
class Diagnostics {
public:
  Diagnostics(std::string_view fileName, std::string_view text) : fileName(fileName), text(text) {}

  /// Notes a problem at `where`. `code` is `diagnostics`, or `unsupported` for what a later version may accept.
  void error(Position where, std::string message, StatusCode code = StatusCode::diagnostics);

  bool empty() const { return problems.empty(); }

  /// Ok, or all problems in the order of the file, each as `file:line:col: error: message` with its source line and a
  /// caret. The code is `unsupported` when nothing else is wrong.
  Status status() const;

private:
  struct Problem {
    Position where;
    std::string message;
    StatusCode code;
  };
  std::string_view sourceLine(uint32_t line) const;

  std::string fileName;
  std::string_view text;
  std::vector<Problem> problems;
};

} // namespace bifocal
#endif
