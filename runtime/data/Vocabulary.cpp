// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Vocabulary.h"

#include "runtime/data/Text.h"

#include <charconv>
#include <fmt/format.h>
#include <limits>

namespace bifocal {

Vocabulary::Vocabulary() {
  for (const char *name : {"<s>", "<pad>", "</s>", "<unk>"})
    add(name, 0);
}

Result<Vocabulary> Vocabulary::read(const std::string &path) {
  Result<std::string> text = readText(path);
  if (!text.ok())
    return text.status();
  return parse(*text, path);
}

Result<Vocabulary> Vocabulary::parse(std::string_view text, const std::string &name) {
  Vocabulary vocabulary;
  int64_t number = 0;
  for (const std::string &line : splitLines(text)) {
    ++number;
    if (line.empty())
      continue;
    const auto malformed = [&](std::string_view rule) {
      return Status(StatusCode::malformed, fmt::format("{}:{}: {}, but got '{}'", name, number, rule,
                                                       line.size() > 80 ? line.substr(0, 80) + "..." : line));
    };
    // fairseq may end a line with this flag; it allows a token of the four above to be named again.
    constexpr std::string_view overwrite = " #fairseq:overwrite";
    std::string_view rest = line;
    const bool flagged = rest.ends_with(overwrite);
    if (flagged)
      rest.remove_suffix(overwrite.size());
    const size_t space = rest.rfind(' ');
    if (space == std::string_view::npos || space == 0)
      return malformed("expects a token, a space and a count");
    const std::string_view digits = rest.substr(space + 1);
    int64_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc() || end != digits.data() + digits.size() || count < 0)
      return malformed("expects a count of at least 0 after the last space");
    const std::string_view spelling = rest.substr(0, space);
    const auto known = vocabulary.ids_.find(std::string(spelling));
    if (known != vocabulary.ids_.end() && !flagged)
      return malformed(known->second < token::firstFree
                           ? "expects none of <s>, <pad>, </s> and <unk>, with which every vocabulary begins"
                           : "expects every token once");
    if (known != vocabulary.ids_.end() &&
        vocabulary.counts_[static_cast<size_t>(known->second)] > std::numeric_limits<int64_t>::max() - count)
      return malformed("expects counts of a token that add up to at most 9223372036854775807");
    vocabulary.add(spelling, count);
  }
  return vocabulary;
}

std::string Vocabulary::str() const {
  std::string text;
  for (size_t i = token::firstFree; i < tokens_.size(); ++i)
    text += fmt::format("{} {}\n", tokens_[i], counts_[i]);
  return text;
}

int32_t Vocabulary::add(std::string_view token, int64_t count) {
  const auto [entry, isNew] = ids_.try_emplace(std::string(token), size());
  if (isNew) {
    tokens_.emplace_back(token);
    counts_.push_back(count);
  } else {
    counts_[static_cast<size_t>(entry->second)] += count;
  }
  return entry->second;
}

int32_t Vocabulary::id(std::string_view token) const {
  const auto entry = ids_.find(std::string(token));
  return entry == ids_.end() ? token::unk : entry->second;
}

} // namespace bifocal
