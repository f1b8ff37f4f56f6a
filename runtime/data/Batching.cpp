// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Batching.h"

#include "runtime/core/Philox.h"
#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace bifocal {
namespace {

/// Philox streams of the data order; dropout sites count up from 0 and never reach them.
constexpr uint32_t tieStream = 0xDA7A0001;
constexpr uint32_t epochStream = 0xDA7A0002;

} // namespace

Result<Batches> batchBySize(std::span<const int32_t> order, std::span<const int32_t> lengths,
                            const BatchLimits &limits) {
  const size_t multiple = static_cast<size_t>(std::max<int64_t>(limits.multiple, 1));
  const auto tooLarge = [&](size_t sentences, int64_t longest) {
    return (limits.maxSentences > 0 && static_cast<int64_t>(sentences) > limits.maxSentences) ||
           (limits.maxTokens > 0 && static_cast<int64_t>(sentences) * longest > limits.maxTokens);
  };
  Batches batches;
  // [start, end) is a batch that obeys the limits and the multiple; [end, i] is a tail that has yet to.
  size_t start = 0, end = 0;
  int64_t longest = 0, tailLongest = 0;
  const auto close = [&](size_t begin, size_t stop) {
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(stop));
  };
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t length = lengths[static_cast<size_t>(order[i])];
    if (limits.maxTokens > 0 && length > limits.maxTokens)
      return Status(StatusCode::usage, fmt::format("expects sentences of at most {} tokens, but sentence {} has {}",
                                                   limits.maxTokens, order[i], length));
    tailLongest = std::max(tailLongest, length);
    const bool overflow = tooLarge(i + 1 - start, std::max(longest, tailLongest));
    if (overflow) {
      // The batch is full, and the tail becomes the next one; unless it is too long itself: then it ends before i.
      if (end > start)
        close(start, end);
      start = end;
      if (limits.maxTokens > 0 && static_cast<int64_t>(i + 1 - start) * tailLongest > limits.maxTokens) {
        close(start, i);
        start = i;
        tailLongest = length;
      }
      longest = 0;
    }
    const size_t count = i + 1 - start;
    if (overflow || count < multiple || count % multiple == 0) {
      end = i + 1;
      longest = std::max(longest, tailLongest);
      tailLongest = 0;
    }
  }
  if (end > start)
    close(start, end);
  if (end < order.size())
    close(end, order.size());
  if (multiple > 1 && !batches.empty() && batches.back().size() % multiple != 0)
    batches.pop_back();
  return batches;
}

std::vector<int32_t> shuffledIndices(int64_t count, uint64_t seed, uint32_t stream, uint32_t step) {
  std::vector<int32_t> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  for (size_t i = indices.size(); i > 1; --i) {
    // 64 draws bits against a bound below 2^31: the bias is below 2^-33.
    const uint64_t draw =
        (uint64_t{philoxDraw(seed, 2 * i, stream, step)} << 32) | philoxDraw(seed, 2 * i + 1, stream, step);
    std::swap(indices[i - 1], indices[draw % i]);
  }
  return indices;
}

Result<ParallelData> ParallelData::create(const Corpus &source, const Corpus &target, const BatchLimits &limits,
                                          int64_t maxPositions, uint64_t seed) {
  if (source.sentences() != target.sentences())
    return Status(StatusCode::malformed,
                  fmt::format("expects as many source sentences as target ones, but got {} and {}", source.sentences(),
                              target.sentences()));
  if (source.sentences() == 0)
    return Status(StatusCode::usage, "expects at least one pair of sentences, but the text is empty");
  ParallelData data(source, target);
  int64_t longestAllowed = maxPositions > 0 ? maxPositions : INT32_MAX;
  if (limits.maxTokens > 0)
    longestAllowed = std::min(longestAllowed, limits.maxTokens);
  std::vector<int32_t> lengths(static_cast<size_t>(source.sentences())), order;
  for (int32_t i : shuffledIndices(source.sentences(), seed, tieStream, 0)) {
    lengths[static_cast<size_t>(i)] = std::max(source.length(i), target.length(i));
    if (lengths[static_cast<size_t>(i)] <= longestAllowed)
      order.push_back(i);
    else
      ++data.skipped_;
  }
  const auto byLength = [&order](const Corpus &side) {
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return side.length(a) < side.length(b); });
  };
  byLength(target);
  byLength(source);
  Result<Batches> batches = batchBySize(order, lengths, limits);
  if (!batches.ok())
    return batches.status();
  data.batches_ = batches.take();
  for (const std::vector<int32_t> &batch : data.batches_)
    data.sentences_ += static_cast<int64_t>(batch.size());
  data.leftOver_ = static_cast<int64_t>(order.size()) - data.sentences_;
  if (data.batches_.empty() && !order.empty())
    return Status(StatusCode::usage,
                  fmt::format("expects at least {} pairs of sentences, a batch's multiple, but got {}", limits.multiple,
                              order.size()));
  if (data.batches_.empty())
    return Status(StatusCode::usage,
                  fmt::format("expects sentences of at most {} tokens, but none of the {} pairs is as short",
                              longestAllowed, source.sentences()));
  return data;
}

std::vector<int32_t> BatchSource::epochOrder(uint64_t seed, int64_t epoch) const {
  return shuffledIndices(batches(), seed, epochStream, static_cast<uint32_t>(epoch));
}

void ParallelData::fill(int64_t index, Batch &batch) const {
  const std::vector<int32_t> &members = batches_[static_cast<size_t>(index)];
  batch.rows = static_cast<int64_t>(members.size());
  batch.sourceSteps = batch.targetSteps = batch.targetTokens = 0;
  for (int32_t i : members) {
    batch.sourceSteps = std::max<int64_t>(batch.sourceSteps, source_->length(i));
    batch.targetSteps = std::max<int64_t>(batch.targetSteps, target_->length(i));
    batch.targetTokens += target_->length(i);
  }
  batch.source.assign(static_cast<size_t>(batch.rows * batch.sourceSteps), token::pad);
  batch.previous.assign(static_cast<size_t>(batch.rows * batch.targetSteps), token::pad);
  batch.target.assign(static_cast<size_t>(batch.rows * batch.targetSteps), token::pad);
  for (size_t row = 0; row < members.size(); ++row) {
    const std::span<const int32_t> source = source_->sentence(members[row]);
    const std::span<const int32_t> target = target_->sentence(members[row]);
    std::copy(source.begin(), source.end(),
              batch.source.begin() + static_cast<std::ptrdiff_t>(row * batch.sourceSteps));
    const auto at = static_cast<std::ptrdiff_t>(row * batch.targetSteps);
    std::copy(target.begin(), target.end(), batch.target.begin() + at);
    batch.previous[static_cast<size_t>(at)] = token::eos;
    std::copy(target.begin(), target.end() - 1, batch.previous.begin() + at + 1);
  }
}

} // namespace bifocal
