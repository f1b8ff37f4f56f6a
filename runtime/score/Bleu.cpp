// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/score/Bleu.h"

#include "runtime/score/Unicode.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>

namespace bifocal {
namespace {

void replaceAll(std::string &text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// ASCII that mteval splits off wherever it stands; period, comma and hyphen depend on digits beside them.
bool standsAlone(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

/// Scans for non-overlapping pairs from the left; a pair is replaced by before + first + between + second + after.
template <typename Matches>
std::string spacePairs(const std::string &text, Matches matches, std::string_view before, std::string_view after) {
  std::string result;
  size_t at = 0;
  for (; at + 1 < text.size();) {
    if (!matches(text[at], text[at + 1])) {
      result += text[at++];
      continue;
    }
    result += before;
    result += text[at];
    result += ' ';
    result += text[at + 1];
    result += after;
    at += 2;
  }
  return result.append(text, at);
}

/// The tokenizer of NIST's mteval-v13a. Bytes suffice: every character it looks for is ASCII.
std::string spaced13a(std::string_view line) {
  std::string text(line);
  replaceAll(text, "<skipped>", "");
  replaceAll(text, "-\n", "");
  replaceAll(text, "\n", " ");
  if (text.find('&') != std::string::npos) {
    replaceAll(text, "&quot;", "\"");
    replaceAll(text, "&amp;", "&");
    replaceAll(text, "&lt;", "<");
    replaceAll(text, "&gt;", ">");
  }
  std::string apart = " ";
  for (char c : text) {
    if (standsAlone(c))
      apart.append({' ', c, ' '});
    else
      apart += c;
  }
  apart += ' ';
  const auto isPoint = [](char c) { return c == '.' || c == ','; };
  apart = spacePairs(apart, [&](char a, char b) { return !isDigit(a) && isPoint(b); }, "", " ");
  apart = spacePairs(apart, [&](char a, char b) { return isPoint(a) && !isDigit(b); }, " ", "");
  return spacePairs(apart, [&](char a, char b) { return isDigit(a) && b == '-'; }, "", " ");
}

/// Splits punctuation off unless digits are on both sides of it, and every symbol.
std::string spacedInternational(std::string_view line) {
  using Points = std::vector<char32_t>;
  const auto pairs = [](const Points &points, auto matches, bool spaceBefore) {
    Points result;
    size_t at = 0;
    while (at < points.size()) {
      if (at + 1 == points.size() || !matches(points[at], points[at + 1])) {
        result.push_back(points[at++]);
        continue;
      }
      if (spaceBefore)
        result.push_back(U' ');
      result.insert(result.end(), {points[at], U' ', points[at + 1]});
      if (!spaceBefore)
        result.push_back(U' ');
      at += 2;
    }
    return result;
  };
  Points points = unicode::decode(line);
  points =
      pairs(points, [](char32_t a, char32_t b) { return !unicode::isNumber(a) && unicode::isPunctuation(b); }, false);
  points =
      pairs(points, [](char32_t a, char32_t b) { return unicode::isPunctuation(a) && !unicode::isNumber(b); }, true);
  std::string text;
  for (char32_t point : points) {
    const bool symbol = unicode::isSymbol(point);
    if (symbol)
      text += ' ';
    unicode::append(text, point);
    if (symbol)
      text += ' ';
  }
  return text;
}

/// Adds the clipped matches of all n-grams of up to four items.
template <typename Item> BleuCounts countItems(std::span<const Item> hypothesis, std::span<const Item> reference) {
  BleuCounts counts;
  counts.hypothesisLength = static_cast<int64_t>(hypothesis.size());
  counts.referenceLength = static_cast<int64_t>(reference.size());
  for (size_t n = 1; n <= BleuCounts::order; ++n) {
    std::map<std::vector<Item>, int64_t> available;
    for (size_t i = 0; i + n <= reference.size(); ++i)
      ++available[{reference.begin() + static_cast<std::ptrdiff_t>(i),
                   reference.begin() + static_cast<std::ptrdiff_t>(i + n)}];
    for (size_t i = 0; i + n <= hypothesis.size(); ++i) {
      ++counts.totals[n - 1];
      const auto entry = available.find({hypothesis.begin() + static_cast<std::ptrdiff_t>(i),
                                         hypothesis.begin() + static_cast<std::ptrdiff_t>(i + n)});
      if (entry != available.end() && entry->second > 0) {
        --entry->second;
        ++counts.matches[n - 1];
      }
    }
  }
  return counts;
}

} // namespace

std::string_view name(BleuTokenizer tokenizer) {
  switch (tokenizer) {
  case BleuTokenizer::mteval13a:
    return "13a";
  case BleuTokenizer::none:
    return "none";
  case BleuTokenizer::characters:
    return "char";
  case BleuTokenizer::international:
    return "intl";
  }
  return "";
}

Result<BleuTokenizer> bleuTokenizerByName(std::string_view text) {
  for (BleuTokenizer tokenizer :
       {BleuTokenizer::mteval13a, BleuTokenizer::none, BleuTokenizer::characters, BleuTokenizer::international})
    if (name(tokenizer) == text)
      return tokenizer;
  return Status(StatusCode::usage,
                fmt::format("expects a tokenizer out of 13a, none, char and intl, but got '{}'", text));
}

std::vector<std::string> bleuTokens(std::string_view line, const BleuOptions &options) {
  const std::string text = options.lowercase ? unicode::lower(line) : std::string(line);
  switch (options.tokenizer) {
  case BleuTokenizer::mteval13a: {
    // Spaces at the end go first: a hyphen before them would count as the end of a line.
    std::string_view trimmed = text;
    while (!trimmed.empty() && unicode::isSpace(static_cast<unsigned char>(trimmed.back())) &&
           static_cast<unsigned char>(trimmed.back()) < 0x80)
      trimmed.remove_suffix(1);
    return unicode::splitWords(spaced13a(trimmed));
  }
  case BleuTokenizer::none:
    return unicode::splitWords(text);
  case BleuTokenizer::characters: {
    std::vector<std::string> characters;
    for (char32_t point : unicode::decode(text))
      if (!unicode::isSpace(point))
        unicode::append(characters.emplace_back(), point);
    return characters;
  }
  case BleuTokenizer::international:
    return unicode::splitWords(spacedInternational(text));
  }
  return {};
}

void BleuCounts::add(const BleuCounts &other) {
  for (size_t i = 0; i < order; ++i) {
    matches[i] += other.matches[i];
    totals[i] += other.totals[i];
  }
  hypothesisLength += other.hypothesisLength;
  referenceLength += other.referenceLength;
}

double BleuCounts::brevityPenalty() const {
  if (hypothesisLength >= referenceLength)
    return 1;
  if (hypothesisLength == 0)
    return 0;
  return std::exp(1 - static_cast<double>(referenceLength) / static_cast<double>(hypothesisLength));
}

std::array<double, BleuCounts::order> BleuCounts::precisions() const {
  std::array<double, order> result{};
  double smoothing = 1;
  for (size_t i = 0; i < order && totals[i] > 0; ++i) {
    if (matches[i] == 0)
      smoothing *= 2;
    result[i] =
        100.0 * (matches[i] == 0 ? 1 / smoothing : static_cast<double>(matches[i])) / static_cast<double>(totals[i]);
  }
  return result;
}

double BleuCounts::score(bool effectiveOrder) const {
  if (matches[0] == 0)
    return 0;
  const std::array<double, order> precision = precisions();
  size_t used = order;
  if (effectiveOrder)
    used = static_cast<size_t>(std::find(totals.begin(), totals.end(), 0) - totals.begin());
  double sum = 0;
  for (size_t i = 0; i < used; ++i) {
    if (precision[i] == 0)
      return 0;
    sum += std::log(precision[i]);
  }
  return brevityPenalty() * std::exp(sum / static_cast<double>(used));
}

double BleuCounts::unsmoothedScore(size_t maxOrder) const {
  double sum = 0;
  for (size_t i = 0; i < maxOrder; ++i) {
    if (matches[i] == 0)
      return 0;
    sum += std::log(static_cast<double>(matches[i]) / static_cast<double>(totals[i]));
  }
  return 100 * brevityPenalty() * std::exp(sum / static_cast<double>(maxOrder));
}

BleuCounts countSentence(std::string_view hypothesis, std::string_view reference, const BleuOptions &options) {
  const std::vector<std::string> first = bleuTokens(hypothesis, options), second = bleuTokens(reference, options);
  return countItems<std::string>(first, second);
}

BleuCounts countTokens(std::span<const int32_t> hypothesis, std::span<const int32_t> reference) {
  constexpr int32_t pad = 1, eos = 2, unk = 3, matchesNothing = -1;
  const auto trimmed = [](std::span<const int32_t> ids) {
    while (ids.size() > 1 && ids.front() == pad)
      ids = ids.subspan(1);
    while (ids.size() > 1 && (ids.back() == pad || ids.back() == eos))
      ids = ids.first(ids.size() - 1);
    return std::vector<int32_t>(ids.begin(), ids.end());
  };
  const std::vector<int32_t> first = trimmed(hypothesis);
  std::vector<int32_t> second = trimmed(reference);
  std::replace(second.begin(), second.end(), unk, matchesNothing);
  return countItems<int32_t>(first, second);
}

std::string bleuSignature(const BleuOptions &options) {
  return fmt::format("nrefs:1|case:{}|eff:no|tok:{}|smooth:exp|version:bifocal-" BIFOCAL_VERSION,
                     options.lowercase ? "lc" : "mixed", name(options.tokenizer));
}

} // namespace bifocal
