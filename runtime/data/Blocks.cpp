// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Blocks.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal {

/// A Philox stream of its own, beside those of Batching.cpp.
constexpr static uint32_t blockStream = 0xDA7A0003;

std::string_view name(BreakMode mode) {
  switch (mode) {
  case BreakMode::none:
    return "none";
  case BreakMode::complete:
    return "complete";
  case BreakMode::eos:
    return "eos";
  }
  return "";
}

Result<BreakMode> breakModeByName(std::string_view text) {
  for (BreakMode mode : {BreakMode::none, BreakMode::complete, BreakMode::eos})
    if (name(mode) == text)
      return mode;
  return Status(StatusCode::malformed,
                fmt::format("expects a break mode out of none, complete and eos, but got '{}'", text));
}

/// Cuts the text into blocks of at most `tokens`.
void BlockData::cut(const BlockOptions &options, int64_t tokens) {
  if (options.mode == BreakMode::none) {
    for (int64_t begin = 0; begin < text_->tokens(); begin += tokens)
      blocks_.push_back({begin, std::min(tokens, text_->tokens() - begin)});
    return;
  }
  Block block{0, 0};
  const auto close = [&] {
    if (block.length > 0)
      blocks_.push_back(block);
    block = {block.begin + block.length, 0};
  };
  for (int64_t i = 0; i < text_->sentences(); ++i) {
    const int64_t length = text_->length(i);
    if (options.mode == BreakMode::eos || block.length + length > tokens)
      close();
    if (length > tokens) {
      ++skipped_;
      block.begin += length;
      continue;
    }
    block.length += length;
  }
  close();
}

Result<BlockData> BlockData::create(const Corpus &text, const BlockOptions &options, const BatchLimits &limits,
                                    uint64_t seed) {
  const auto usage = [](std::string message) { return Status(StatusCode::usage, std::move(message)); };
  if (options.contextWindow >= options.tokensPerSample || options.contextWindow < 0)
    return usage(fmt::format("expects a context window from 0 to below the {} tokens of a row, but got {}",
                             options.tokensPerSample, options.contextWindow));
  if (text.sentences() == 0)
    return usage("expects at least one line of text, but the text is empty");
  BlockData data(text);
  data.contextWindow_ = options.contextWindow;
  data.cut(options, options.tokensPerSample - options.contextWindow);
  if (data.blocks_.empty())
    return usage(fmt::format("expects sentences of at most {} tokens, but none of the {} is as short",
                             options.tokensPerSample - options.contextWindow, text.sentences()));
  if (data.blocks_.size() > static_cast<size_t>(INT32_MAX))
    return usage(fmt::format("expects at most {} blocks, but the text makes {}", INT32_MAX, data.blocks_.size()));
  std::vector<int32_t> lengths;
  for (size_t i = 0; i < data.blocks_.size(); ++i)
    lengths.push_back(static_cast<int32_t>(data.steps(static_cast<int32_t>(i))));
  if (const int32_t longest = *std::ranges::max_element(lengths); limits.maxTokens > 0 && longest > limits.maxTokens)
    return usage(fmt::format("expects batches of at least {} tokens, the longest row, but max_tokens is {}", longest,
                             limits.maxTokens));
  std::vector<int32_t> order = shuffledIndices(static_cast<int64_t>(lengths.size()), seed, blockStream, 0);
  std::ranges::stable_sort(order, {}, [&](int32_t block) { return lengths[static_cast<size_t>(block)]; });
  Result<Batches> batches = batchBySize(order, lengths, limits);
  if (!batches.ok())
    return batches.status();
  data.batches_ = batches.take();
  for (const std::vector<int32_t> &batch : data.batches_)
    data.samples_ += static_cast<int64_t>(batch.size());
  data.leftOver_ = static_cast<int64_t>(order.size()) - data.samples_;
  if (data.batches_.empty())
    return usage(
        fmt::format("expects at least {} blocks, a batch's multiple, but got {}", limits.multiple, order.size()));
  return data;
}

void BlockData::fill(int64_t index, Batch &batch) const {
  const std::vector<int32_t> &members = batches_[static_cast<size_t>(index)];
  batch.rows = static_cast<int64_t>(members.size());
  batch.sourceSteps = batch.targetSteps = batch.targetTokens = 0;
  for (int32_t block : members) {
    batch.targetSteps = std::max(batch.targetSteps, steps(block));
    batch.targetTokens += blocks_[static_cast<size_t>(block)].length;
  }
  batch.source.clear();
  batch.previous.assign(static_cast<size_t>(batch.rows * batch.targetSteps), token::pad);
  batch.target.assign(batch.previous.size(), token::pad);
  const std::span<const int32_t> ids = text_->ids();
  for (size_t row = 0; row < members.size(); ++row) {
    const Block &block = blocks_[static_cast<size_t>(members[row])];
    const int64_t before = context(members[row]), first = block.begin - before;
    const auto at = static_cast<std::ptrdiff_t>(row) * batch.targetSteps;
    const auto begin = ids.begin() + block.begin;
    std::copy(begin, begin + block.length, batch.target.begin() + at + before);
    // What a step reads is the token before it.
    batch.previous[static_cast<size_t>(at)] = first == 0 ? token::eos : ids[static_cast<size_t>(first - 1)];
    std::copy(ids.begin() + first, begin + block.length - 1, batch.previous.begin() + at + 1);
  }
}

} // namespace bifocal
