// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/TextStream.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>

namespace bifocal {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// How the first byte of a sequence bounds it: its length, and the range of the second byte, which keeps out overlong
/// forms, surrogates and what is beyond U+10FFFF. Length 0: no sequence begins so.
struct Lead {
  size_t length;
  unsigned char low, high;
};

Lead leadOf(unsigned char byte) {
  if (byte < 0x80)
    return {1, 0, 0};
  if (byte >= 0xC2 && byte <= 0xDF)
    return {2, 0x80, 0xBF};
  if (byte >= 0xE0 && byte <= 0xEF)
    return {3, static_cast<unsigned char>(byte == 0xE0 ? 0xA0 : 0x80),
            static_cast<unsigned char>(byte == 0xED ? 0x9F : 0xBF)};
  if (byte >= 0xF0 && byte <= 0xF4)
    return {4, static_cast<unsigned char>(byte == 0xF0 ? 0x90 : 0x80),
            static_cast<unsigned char>(byte == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

/// The bytes at the beginning of `text` that belong to the sequence which begins there.
size_t matched(std::string_view text, const Lead &lead) {
  size_t count = 1;
  while (count < lead.length && count < text.size()) {
    const auto byte = static_cast<unsigned char>(text[count]);
    if (byte < (count == 1 ? lead.low : 0x80) || byte > (count == 1 ? lead.high : 0xBF))
      break;
    ++count;
  }
  return count;
}

} // namespace

std::string Utf8Stream::take(bool atEnd) {
  std::string text;
  size_t at = 0;
  while (at < pending_.size()) {
    const std::string_view rest = std::string_view(pending_).substr(at);
    const Lead lead = leadOf(static_cast<unsigned char>(rest.front()));
    const size_t count = matched(rest, lead);
    if (count == lead.length) {
      text += rest.substr(0, count);
      at += count;
      continue;
    }
    if (!atEnd && lead.length > 0 && count == rest.size())
      break;
    text += replacement;
    ++at;
  }
  pending_.erase(0, at);
  return text;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending_ += bytes;
  return take(/*atEnd=*/false);
}

std::string Utf8Stream::finish() { return take(/*atEnd=*/true); }

std::string TextStream::push(int32_t token) {
  if (token == token::eos) {
    line_.clear();
    written_ = 0;
    return utf8_.push("\n");
  }
  line_.push_back(token);
  const std::string text = tokenizer_.decode(line_);
  const std::string added = text.substr(std::min(written_, text.size()));
  written_ = std::max(written_, text.size());
  return utf8_.push(added);
}

} // namespace bifocal
