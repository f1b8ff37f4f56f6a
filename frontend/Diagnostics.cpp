// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Diagnostics.h"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

using namespace bifocal;

void Diagnostics::error(Position where, std::string message, StatusCode code) {
  problems.push_back({where, std::move(message), code});
}

std::string_view Diagnostics::sourceLine(uint32_t line) const {
  std::string_view rest = text;
  for (uint32_t current = 1; current < line; ++current) {
    size_t end = rest.find('\n');
    if (end == std::string_view::npos)
      return {};
    rest.remove_prefix(end + 1);
  }
  std::string_view found = rest.substr(0, rest.find('\n'));
  if (!found.empty() && found.back() == '\r')
    found.remove_suffix(1);
  return found;
}

/// Spaces up to `column`, with the tabs of the line kept so that the caret stands under its character.
static std::string indentTo(std::string_view line, uint32_t column) {
  std::string indent;
  for (size_t i = 0; i + 1 < column; ++i)
    indent += i < line.size() && line[i] == '\t' ? '\t' : ' ';
  return indent;
}

Status Diagnostics::status() const {
  if (problems.empty())
    return {};
  std::vector<Problem> sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem &a, const Problem &b) {
    return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
  });
  std::string rendering;
  bool onlyUnsupported = true;
  for (const Problem &problem : sorted) {
    onlyUnsupported &= problem.code == StatusCode::unsupported;
    if (problem.where.line == 0) {
      rendering += fmt::format("{}: error: {}\n", fileName, problem.message);
      continue;
    }
    std::string_view line = sourceLine(problem.where.line);
    rendering += fmt::format("{}:{}:{}: error: {}\n  {}\n  {}^\n", fileName, problem.where.line, problem.where.column,
                             problem.message, line, indentTo(line, problem.where.column));
  }
  return {onlyUnsupported ? StatusCode::unsupported : StatusCode::diagnostics, std::move(rendering)};
}
