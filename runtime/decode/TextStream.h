// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_TEXTSTREAM_H
#define BIFOCAL_RUNTIME_DECODE_TEXTSTREAM_H

#include "runtime/data/Tokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// Turns bytes that come piece by piece into UTF-8: a sequence comes out when it is complete, and U+FFFD in place of
/// each byte that belongs to none.
class Utf8Stream {
public:
  std::string push(std::string_view bytes);
  /// What is left of an unfinished sequence counts as wrong.
  std::string finish();

private:
  std::string take(bool atEnd);
  std::string pending_;
};

/// The text of tokens that come one by one; `</s>` ends a line.
class TextStream {
public:
  /// The tokenizer must outlive the stream.
  explicit TextStream(const Tokenizer &tokenizer) : tokenizer_(tokenizer) {}

  /// What the token adds to the text.
  std::string push(int32_t token);
  std::string finish() { return utf8_.finish(); }

private:
  const Tokenizer &tokenizer_;
  std::vector<int32_t> line_;
  size_t written_ = 0; ///< bytes of the line's text
  Utf8Stream utf8_;
};

} // namespace bifocal
#endif
