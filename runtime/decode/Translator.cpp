// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/Translator.h"

#include "runtime/data/Vocabulary.h"
#include "runtime/decode/SessionStepper.h"
#include "runtime/decode/ShortList.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace bifocal {
namespace {

Status checkTable(const LexicalTable &table, const SessionStepper &stepper,
                  std::span<const std::vector<int32_t>> sentences) {
  if (stepper.shortListSize() == 0)
    return {
        StatusCode::unsupported,
        fmt::format("expects a model with the entry 'decode_short_list', but this one, of {} target tokens, has none",
                    stepper.vocabularySize())};
  if (table.targetVocabulary() != stepper.vocabularySize())
    return {StatusCode::usage, fmt::format("expects a lexical table of {} target tokens, as the model has, but got {}",
                                           stepper.vocabularySize(), table.targetVocabulary())};
  for (const std::vector<int32_t> &sentence : sentences)
    for (const int32_t id : sentence)
      if (id < 0 || id >= table.sourceVocabulary())
        return {StatusCode::usage,
                fmt::format("expects source tokens from 0 to below {}, as the lexical table has, but got {}",
                            table.sourceVocabulary(), id)};
  return {};
}

/// Sentences of one batch; their numbers, the longest first.
Result<std::vector<Hypotheses>> translateBatch(SessionStepper &stepper, std::span<const std::vector<int32_t>> sentences,
                                               std::span<const size_t> members, const TranslateOptions &options) {
  const size_t steps = sentences[members[0]].size();
  if (static_cast<int64_t>(steps) > stepper.maxSteps())
    return Status(StatusCode::usage, fmt::format("sentence {} has {} tokens, but the model takes at most {}",
                                                 members[0] + 1, steps, stepper.maxSteps()));
  std::vector<int32_t> ids(members.size() * steps, token::pad);
  std::vector<int64_t> lengths;
  for (size_t row = 0; row < members.size(); ++row) {
    std::ranges::copy(sentences[members[row]], ids.begin() + static_cast<std::ptrdiff_t>(row * steps));
    lengths.push_back(static_cast<int64_t>(sentences[members[row]].size()));
  }
  if (options.table)
    stepper.setShortList(shortList(*options.table, ids, stepper.shortListSize()));
  stepper.setSource(std::move(ids), static_cast<int64_t>(members.size()), static_cast<int64_t>(steps));
  Result<std::vector<Hypotheses>> found = beamSearch(stepper, lengths, options.beam);
  if (!found.ok())
    return found;
  for (size_t row = 0; row < members.size(); ++row)
    if ((*found)[row].empty())
      return Status(StatusCode::numericMismatch,
                    fmt::format("sentence {} has no translation: the score of every token is NaN or minus infinity",
                                members[row] + 1));
  return found;
}

} // namespace

Result<std::vector<Hypotheses>> translate(Session &session, std::span<const std::vector<int32_t>> sentences,
                                          const TranslateOptions &options,
                                          const std::function<void(int64_t)> &progress) {
  if (options.batchSize < 1)
    return Status(StatusCode::usage,
                  fmt::format("expects a batch of at least 1 sentence, but got {}", options.batchSize));
  Result<SessionStepper> stepper = SessionStepper::create(session);
  if (!stepper.ok())
    return stepper.status();
  if (options.table)
    BIFOCAL_RETURN_IF_ERROR(checkTable(*options.table, *stepper, sentences));
  std::vector<size_t> order(sentences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Long ones first: memory grows once.
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sentences[a].size() > sentences[b].size(); });
  std::vector<Hypotheses> result(sentences.size());
  for (size_t first = 0; first < order.size(); first += static_cast<size_t>(options.batchSize)) {
    const std::span<const size_t> members =
        std::span(order).subspan(first, std::min(order.size() - first, static_cast<size_t>(options.batchSize)));
    Result<std::vector<Hypotheses>> found = translateBatch(*stepper, sentences, members, options);
    if (!found.ok())
      return found.status();
    for (size_t row = 0; row < members.size(); ++row)
      result[members[row]] = std::move((*found)[row]);
    if (progress)
      progress(static_cast<int64_t>(first + members.size()));
  }
  return result;
}

} // namespace bifocal
