// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Diagnostics.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
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

/// The letters of a line: UTF-8 sequences, and U+FFFD for what is no letter or would drive a terminal.
static std::vector<std::string_view> lettersOf(std::string_view line) {
  std::vector<std::string_view> letters;
  while (!line.empty()) {
    const auto first = static_cast<unsigned char>(line[0]);
    size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    bool isLetter = first < 0x80 ? (first >= ' ' && first != 0x7f) || first == '\t'
                                 : first >= 0xc2 && first < 0xf5 && length <= line.size();
    for (size_t i = 1; isLetter && i < length; ++i)
      isLetter = (static_cast<unsigned char>(line[i]) & 0xc0) == 0x80;
    if (isLetter && first == 0xc2)
      isLetter = static_cast<unsigned char>(line[1]) >= 0xa0; // Below are controls, too.
    if (!isLetter)
      length = 1;
    letters.push_back(isLetter ? line.substr(0, length) : std::string_view("\xef\xbf\xbd"));
    line.remove_prefix(length);
  }
  return letters;
}

/// The part of a line around `column`, and a caret below its letter.
static std::string excerpt(std::string_view line, uint32_t column) {
  constexpr size_t before = 80, width = 120;
  const std::vector<std::string_view> letters = lettersOf(line);
  const size_t caret = column > 0 ? column - 1 : 0;
  const size_t begin = letters.size() <= width || caret <= before ? 0 : std::min(caret, letters.size()) - before;
  const size_t end = std::min(letters.size(), begin + width);
  std::string text = begin > 0 ? "..." : "", indent(text.size(), ' ');
  for (size_t i = begin; i < std::max(end, caret); ++i) {
    if (i < end)
      text += letters[i];
    // The tabs of the line are kept, so that the caret stands under its letter.
    if (i < caret)
      indent += i < end && letters[i] == "\t" ? '\t' : ' ';
  }
  return fmt::format("  {}{}\n  {}^\n", text, end < letters.size() ? "..." : "", indent);
}

Status Diagnostics::status() const {
  if (problems.empty())
    return {};
  std::vector<Problem> sorted = problems;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem &a, const Problem &b) {
    return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
  });
  const bool onlyUnsupported = std::all_of(
      sorted.begin(), sorted.end(), [](const Problem &problem) { return problem.code == StatusCode::unsupported; });
  // Whoever has more than this gave something that is no spec.
  constexpr size_t most = 100;
  std::string rendering;
  for (size_t i = 0; i < std::min(sorted.size(), most); ++i) {
    const auto &[where, message, code] = sorted[i];
    rendering += where.line == 0 ? fmt::format("{}: error: {}\n", fileName, message)
                                 : fmt::format("{}:{}:{}: error: {}\n{}", fileName, where.line, where.column, message,
                                               excerpt(sourceLine(where.line), where.column));
  }
  if (sorted.size() > most)
    rendering += fmt::format("{}: error: and {} more\n", fileName, sorted.size() - most);
  return {onlyUnsupported ? StatusCode::unsupported : StatusCode::diagnostics, std::move(rendering)};
}
