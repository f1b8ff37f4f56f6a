// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Streams.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace bifocal {

Result<StreamData> StreamData::create(const Corpus &text, int64_t tokensPerSample, const BatchLimits &limits) {
  const auto usage = [](std::string message) { return Status(StatusCode::usage, std::move(message)); };
  if (text.sentences() == 0)
    return usage("expects at least one line of text, but the text is empty");
  if (limits.maxTokens > 0 && tokensPerSample > limits.maxTokens)
    return usage(fmt::format("expects batches of at least {} tokens, the length of a segment, but max_tokens is {}",
                             tokensPerSample, limits.maxTokens));
  int64_t streams = limits.maxTokens > 0 ? limits.maxTokens / tokensPerSample : limits.maxSentences;
  if (limits.maxSentences > 0)
    streams = std::min(streams, limits.maxSentences);
  streams = std::max<int64_t>(streams, 1);
  if (text.tokens() < streams)
    return usage(
        fmt::format("expects a text of at least {} tokens, one for each stream, but got {}", streams, text.tokens()));
  const StreamData data(text, streams, tokensPerSample);
  if (data.batches() > INT32_MAX)
    return usage(
        fmt::format("expects at most {} segments of a stream, but the text makes {}", INT32_MAX, data.batches()));
  return data;
}

void StreamData::fill(int64_t index, Batch &batch) const {
  const int64_t first = index * tokensPerSample_;
  batch.rows = streams_;
  batch.sourceSteps = 0;
  batch.targetSteps = std::min(tokensPerSample_, length_ - first);
  batch.targetTokens = batch.rows * batch.targetSteps;
  batch.source.clear();
  batch.previous.resize(static_cast<size_t>(batch.targetTokens));
  batch.target.resize(batch.previous.size());
  const std::span<const int32_t> ids = text_->ids();
  for (int64_t row = 0; row < streams_; ++row) {
    const int64_t begin = row * length_ + first, at = row * batch.targetSteps;
    const auto tokens = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(batch.targetSteps));
    std::ranges::copy(tokens, batch.target.begin() + at);
    // What a step reads is the token before it.
    batch.previous[static_cast<size_t>(at)] = begin == 0 ? token::eos : ids[static_cast<size_t>(begin - 1)];
    std::ranges::copy(tokens.first(tokens.size() - 1), batch.previous.begin() + at + 1);
  }
}

std::vector<int32_t> StreamData::epochOrder(uint64_t, int64_t) const {
  std::vector<int32_t> order(static_cast<size_t>(batches()));
  std::iota(order.begin(), order.end(), 0);
  return order;
}

} // namespace bifocal
