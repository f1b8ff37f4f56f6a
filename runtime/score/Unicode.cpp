// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/score/Unicode.h"

#include <algorithm>
#include <iterator>
#include <span>

namespace bifocal::unicode {
namespace {

struct Range {
  char32_t first, last;
};
struct LowerRun {
  char32_t first, last;
  int stride, distance;
};
#include "runtime/score/UnicodeTables.inc"

/// The last row that begins at or before `point`, or null.
template <typename Row> const Row *rowFor(std::span<const Row> rows, char32_t point) {
  const auto after = std::upper_bound(rows.begin(), rows.end(), point,
                                      [](char32_t value, const Row &row) { return value < row.first; });
  if (after == rows.begin() || std::prev(after)->last < point)
    return nullptr;
  return &*std::prev(after);
}

template <typename Row, size_t n> const Row *rowFor(const Row (&rows)[n], char32_t point) {
  return rowFor(std::span<const Row>(rows), point);
}

constexpr char32_t replacement = 0xFFFD;

/// Reads one code point at `at` and moves behind it.
char32_t next(std::string_view text, size_t &at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80)
    return lead;
  const int more = lead >= 0xF0 && lead < 0xF5   ? 3
                   : lead >= 0xE0 && lead < 0xF0 ? 2
                   : lead >= 0xC2 && lead < 0xE0 ? 1
                                                 : 0;
  if (more == 0 || text.size() - at < static_cast<size_t>(more))
    return replacement;
  char32_t point = lead & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    const auto byte = static_cast<unsigned char>(text[at + static_cast<size_t>(i)]);
    if ((byte & 0xC0) != 0x80)
      return replacement;
    point = (point << 6) | (byte & 0x3F);
  }
  at += static_cast<size_t>(more);
  return point;
}

} // namespace

std::vector<char32_t> decode(std::string_view text) {
  std::vector<char32_t> points;
  for (size_t at = 0; at < text.size();)
    points.push_back(next(text, at));
  return points;
}

void append(std::string &text, char32_t point) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | (point >> 6));
    tail(0);
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0 | (point >> 12));
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xF0 | (point >> 18));
    tail(12), tail(6), tail(0);
  }
}

bool isNumber(char32_t point) { return rowFor(numbers, point) != nullptr; }
bool isPunctuation(char32_t point) { return rowFor(punctuation, point) != nullptr; }
bool isSymbol(char32_t point) { return rowFor(symbols, point) != nullptr; }

bool isSpace(char32_t point) {
  return (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x20) || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 ||
         point == 0x202F || point == 0x205F || point == 0x3000;
}

std::string lower(std::string_view text) {
  std::string result;
  for (char32_t point : decode(text)) {
    const LowerRun *run = rowFor(lowerRuns, point);
    if (run && (point - run->first) % static_cast<char32_t>(run->stride) == 0)
      point = static_cast<char32_t>(static_cast<int>(point) + run->distance);
    append(result, point);
  }
  return result;
}

std::vector<std::string> splitWords(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (isSpace(next(text, at))) {
      inside = false;
      continue;
    }
    if (!inside)
      words.emplace_back();
    words.back().append(text.substr(begin, at - begin));
    inside = true;
  }
  return words;
}

} // namespace bifocal::unicode
