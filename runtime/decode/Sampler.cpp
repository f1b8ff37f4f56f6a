// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/Sampler.h"

#include "runtime/core/Philox.h"
#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

namespace bifocal {
namespace {

/// A Philox stream beside those of the data's order.
constexpr uint32_t sampleStream = 0x5A3B0001;

/// Neither ever follows a token of a text.
bool isChoice(int32_t token) { return token != token::bos && token != token::pad; }

} // namespace

Status SampleOptions::check() const {
  if (!(temperature >= 0) || !std::isfinite(temperature))
    return {StatusCode::usage, fmt::format("expects a finite temperature of at least 0, but got {}", temperature)};
  if (topK < 0)
    return {StatusCode::usage, fmt::format("expects top-k of at least 0, but got {}", topK)};
  if (!(topP > 0 && topP <= 1))
    return {StatusCode::usage, fmt::format("expects top-p above 0 and at most 1, but got {}", topP)};
  return {};
}

Result<int32_t> Sampler::pick(std::span<const float> logProbabilities) {
  int32_t best = -1;
  for (int32_t token = 0; token < static_cast<int32_t>(logProbabilities.size()); ++token) {
    const float value = logProbabilities[static_cast<size_t>(token)];
    if (std::isnan(value))
      return Status(StatusCode::numericMismatch, fmt::format("the probability of token {} is NaN", token));
    if (isChoice(token) && (best < 0 || value > logProbabilities[static_cast<size_t>(best)]))
      best = token;
  }
  if (best < 0 || !std::isfinite(logProbabilities[static_cast<size_t>(best)]))
    return Status(StatusCode::numericMismatch, "no token has a probability above 0");
  return options_.temperature > 0 ? draw(logProbabilities) : best;
}

int32_t Sampler::draw(std::span<const float> logProbabilities) {
  order_.clear();
  for (int32_t token = 0; token < static_cast<int32_t>(logProbabilities.size()); ++token)
    if (isChoice(token))
      order_.push_back(token);
  const auto at = [&](int32_t token) { return static_cast<double>(logProbabilities[static_cast<size_t>(token)]); };
  // The order of tokens alone decides about ties, so the sums below have one order too.
  std::ranges::stable_sort(order_, [&](int32_t a, int32_t b) { return at(a) > at(b); });
  if (options_.topK > 0 && options_.topK < static_cast<int64_t>(order_.size()))
    order_.resize(static_cast<size_t>(options_.topK));
  weights_.clear();
  for (const int32_t token : order_)
    weights_.push_back(std::exp((at(token) - at(order_.front())) / options_.temperature));
  double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (options_.topP < 1) {
    double kept = 0;
    size_t count = 0;
    while (count < weights_.size() && kept < options_.topP * sum)
      kept += weights_[count++];
    weights_.resize(count);
    sum = kept;
  }
  const uint64_t bits = (uint64_t{philoxDraw(options_.seed, 2 * draws_, sampleStream, 0)} << 32) |
                        philoxDraw(options_.seed, 2 * draws_ + 1, sampleStream, 0);
  ++draws_;
  const double goal = static_cast<double>(bits >> 11) * 0x1p-53 * sum;
  double reached = 0;
  for (size_t i = 0; i < weights_.size(); ++i)
    if (reached += weights_[i]; reached > goal)
      return order_[i];
  // Roundings may leave the sum below the goal by its last bit.
  return order_[weights_.size() - 1];
}

} // namespace bifocal
