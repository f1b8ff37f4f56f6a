// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_SCORE_UNICODE_H
#define BIFOCAL_RUNTIME_SCORE_UNICODE_H

#include <string>
#include <string_view>
#include <vector>

namespace bifocal::unicode {

/// Code points of UTF-8 text; a byte that is not part of a character becomes U+FFFD.
std::vector<char32_t> decode(std::string_view text);
void append(std::string &text, char32_t point);

/// General categories N*, P*, S*, and what separates words.
bool isNumber(char32_t point);
bool isPunctuation(char32_t point);
bool isSymbol(char32_t point);
bool isSpace(char32_t point);

/// Lower case by the simple mapping of each code point.
std::string lower(std::string_view text);

/// The parts of a text between runs of spaces.
std::vector<std::string> splitWords(std::string_view text);

} // namespace bifocal::unicode
#endif
