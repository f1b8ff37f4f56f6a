// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/BenchBatches.h"

#include "runtime/core/Philox.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace bifocal {
namespace {

/// A stream of draws that is the same everywhere, unlike the distributions of the standard library.
class Draws {
public:
  explicit Draws(uint64_t seed) : seed_(seed) {}
  double uniform() { return (static_cast<double>(philoxDraw(seed_, next_++, 0, 0)) + 0.5) * 0x1p-32; }
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  int64_t below(int64_t limit) { return static_cast<int64_t>(uniform() * static_cast<double>(limit)); }

private:
  uint64_t seed_, next_ = 0;
};

struct Pair {
  int64_t source, target; ///< with the end token
};

/// The fewest and the most words of a sentence.
using Lengths = std::array<int64_t, 2>;
constexpr Lengths allLengths = {5, 60};

std::vector<int32_t> words(Draws &draws, int64_t count, int64_t vocabulary) {
  constexpr int64_t firstWord = 4;
  std::vector<int32_t> result;
  for (int64_t i = 0; i < count; ++i)
    result.push_back(static_cast<int32_t>(firstWord + draws.below(vocabulary - firstWord)));
  return result;
}

/// Padded to the longest of each side, or to `steps` if that is more.
BenchBatch fill(const std::vector<Pair> &pairs, const BenchVocabulary &vocabulary, Draws &draws, int64_t steps = 0) {
  BenchBatch batch;
  batch.sentences = static_cast<int64_t>(pairs.size());
  batch.sourceSteps = batch.targetSteps = steps;
  for (const Pair &pair : pairs) {
    batch.sourceSteps = std::max(batch.sourceSteps, pair.source);
    batch.targetSteps = std::max(batch.targetSteps, pair.target);
    batch.targetTokens += pair.target;
  }
  batch.source.assign(static_cast<size_t>(batch.sentences * batch.sourceSteps), vocabulary.pad);
  batch.target.assign(static_cast<size_t>(batch.sentences * batch.targetSteps), vocabulary.pad);
  batch.previous = batch.target;
  for (size_t i = 0; i < pairs.size(); ++i) {
    std::vector<int32_t> source = words(draws, pairs[i].source - 1, vocabulary.source);
    std::vector<int32_t> target = words(draws, pairs[i].target - 1, vocabulary.target);
    source.push_back(vocabulary.eos), target.push_back(vocabulary.eos);
    const auto row = static_cast<ptrdiff_t>(i);
    std::copy(source.begin(), source.end(), batch.source.begin() + row * batch.sourceSteps);
    std::copy(target.begin(), target.end(), batch.target.begin() + row * batch.targetSteps);
    // The decoder reads the target shifted by one, behind the end token.
    batch.previous[i * static_cast<size_t>(batch.targetSteps)] = vocabulary.eos;
    std::copy(target.begin(), target.end() - 1, batch.previous.begin() + row * batch.targetSteps + 1);
  }
  return batch;
}

/// Sorted by length.
std::vector<Pair> drawPairs(int64_t count, Draws &draws, Lengths lengths = allLengths) {
  const auto clip = [&](double length) { return std::clamp<int64_t>(std::llround(length), lengths[0], lengths[1]); };
  std::vector<Pair> pairs;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t source = clip(std::exp(3.0 + 0.55 * draws.normal()));
    pairs.push_back({source + 1, clip(static_cast<double>(source) * (0.8 + 0.4 * draws.uniform())) + 1});
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair &a, const Pair &b) {
    return std::pair(a.source, a.target) < std::pair(b.source, b.target);
  });
  return pairs;
}

/// Batches of `count` of the groups, chosen at random.
std::vector<BenchBatch> fillSome(std::vector<std::vector<Pair>> groups, int64_t count,
                                 const BenchVocabulary &vocabulary, Draws &draws) {
  for (size_t i = groups.size(); i > 1; --i)
    std::swap(groups[i - 1], groups[static_cast<size_t>(draws.below(static_cast<int64_t>(i)))]);
  groups.resize(std::min(groups.size(), static_cast<size_t>(count)));
  std::vector<BenchBatch> batches;
  for (const std::vector<Pair> &group : groups)
    batches.push_back(fill(group, vocabulary, draws));
  return batches;
}

} // namespace

std::vector<BenchBatch> makeBenchBatches(int64_t count, int64_t maxTokens, const BenchVocabulary &vocabulary,
                                         uint64_t seed) {
  Draws draws(seed);
  std::vector<std::vector<Pair>> groups(1);
  int64_t longest = 0;
  // Twice what the median length needs, so that the batches are a sample of all lengths.
  for (const Pair &pair : drawPairs(std::max<int64_t>(2000, 2 * count * maxTokens / 20), draws)) {
    longest = std::max({longest, pair.source, pair.target});
    if (!groups.back().empty() && static_cast<int64_t>(groups.back().size() + 1) * longest > maxTokens) {
      groups.emplace_back();
      longest = std::max(pair.source, pair.target);
    }
    groups.back().push_back(pair);
  }
  return fillSome(std::move(groups), count, vocabulary, draws);
}

std::vector<BenchBatch> makeBenchBucket(int64_t count, int64_t maxTokens, std::array<int64_t, 2> lengths, int64_t steps,
                                        const BenchVocabulary &vocabulary, uint64_t seed) {
  Draws draws(seed);
  const int64_t sentences = std::max<int64_t>(1, maxTokens / steps);
  std::vector<BenchBatch> batches;
  for (int64_t i = 0; i < count; ++i)
    batches.push_back(fill(drawPairs(sentences, draws, lengths), vocabulary, draws, steps));
  return batches;
}

std::vector<BenchBatch> makeBenchBlocks(int64_t count, int64_t maxTokens, int64_t steps,
                                        const BenchVocabulary &vocabulary, uint64_t seed) {
  Draws draws(seed);
  const int64_t rows = std::max<int64_t>(1, maxTokens / steps);
  std::vector<BenchBatch> batches;
  for (int64_t i = 0; i < count; ++i) {
    BenchBatch &batch = batches.emplace_back(BenchBatch{.sentences = rows,
                                                        .targetSteps = steps,
                                                        .targetTokens = rows * steps,
                                                        .source = {},
                                                        .previous = {},
                                                        .target = {}});
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<int32_t> text = words(draws, steps + 1, vocabulary.target);
      batch.previous.insert(batch.previous.end(), text.begin(), text.end() - 1);
      batch.target.insert(batch.target.end(), text.begin() + 1, text.end());
    }
  }
  return batches;
}

std::vector<BenchBatch> makeBenchSentences(int64_t count, int64_t sentences, const BenchVocabulary &vocabulary,
                                           uint64_t seed) {
  Draws draws(seed);
  std::vector<std::vector<Pair>> groups;
  for (const Pair &pair : drawPairs(count * sentences, draws)) {
    if (groups.empty() || static_cast<int64_t>(groups.back().size()) == sentences)
      groups.emplace_back();
    groups.back().push_back(pair);
  }
  return fillSome(std::move(groups), count, vocabulary, draws);
}

} // namespace bifocal
