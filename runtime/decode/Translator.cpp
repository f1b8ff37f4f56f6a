// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/Translator.h"

#include "runtime/data/Vocabulary.h"
#include "runtime/decode/SessionStepper.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace bifocal {

Result<std::vector<Hypotheses>> translate(Session &session, std::span<const std::vector<int32_t>> sentences,
                                          int64_t batchSize, const BeamOptions &options,
                                          const std::function<void(int64_t)> &progress) {
  if (batchSize < 1)
    return Status(StatusCode::usage, fmt::format("expects a batch of at least 1 sentence, but got {}", batchSize));
  Result<SessionStepper> stepper = SessionStepper::create(session);
  if (!stepper.ok())
    return stepper.status();
  std::vector<size_t> order(sentences.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Long ones first: memory grows once.
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sentences[a].size() > sentences[b].size(); });
  std::vector<Hypotheses> result(sentences.size());
  for (size_t first = 0; first < order.size(); first += static_cast<size_t>(batchSize)) {
    const std::span<const size_t> members =
        std::span(order).subspan(first, std::min(order.size() - first, static_cast<size_t>(batchSize)));
    const size_t steps = sentences[members[0]].size();
    if (static_cast<int64_t>(steps) > stepper->maxSteps())
      return Status(StatusCode::usage, fmt::format("sentence {} has {} tokens, but the model takes at most {}",
                                                   members[0] + 1, steps, stepper->maxSteps()));
    std::vector<int32_t> ids(members.size() * steps, token::pad);
    std::vector<int64_t> lengths;
    for (size_t row = 0; row < members.size(); ++row) {
      std::ranges::copy(sentences[members[row]], ids.begin() + static_cast<std::ptrdiff_t>(row * steps));
      lengths.push_back(static_cast<int64_t>(sentences[members[row]].size()));
    }
    stepper->setSource(std::move(ids), static_cast<int64_t>(members.size()), static_cast<int64_t>(steps));
    Result<std::vector<Hypotheses>> found = beamSearch(*stepper, lengths, options);
    if (!found.ok())
      return found.status();
    for (size_t row = 0; row < members.size(); ++row)
      result[members[row]] = std::move((*found)[row]);
    for (size_t sentence : members)
      if (result[sentence].empty())
        return Status(StatusCode::numericMismatch,
                      fmt::format("sentence {} has no translation: the score of every token is NaN or minus infinity",
                                  sentence + 1));
    if (progress)
      progress(static_cast<int64_t>(first + members.size()));
  }
  return result;
}

} // namespace bifocal
