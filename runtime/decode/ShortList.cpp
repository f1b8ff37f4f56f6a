// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/ShortList.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>

namespace bifocal {

std::vector<int32_t> shortList(const LexicalTable &table, std::span<const int32_t> source, int64_t count) {
  constexpr int64_t frequentShare = 8;
  // No probability is above 1.
  constexpr float always = 2;
  std::vector<int32_t> words(source.begin(), source.end());
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::vector<float> scores(static_cast<size_t>(table.targetVocabulary()), 0);
  for (const int32_t word : words) {
    // Padding stands for nothing, and the end of a sentence for what no word explains.
    if (word == token::pad || word == token::eos)
      continue;
    const std::span<const int32_t> targets = table.targets(word);
    const std::span<const float> probabilities = table.probabilities(word);
    for (size_t i = 0; i < targets.size(); ++i)
      if (float &score = scores[static_cast<size_t>(targets[i])]; probabilities[i] > score)
        score = probabilities[i];
  }
  std::vector<int32_t> order(table.frequent().begin(), table.frequent().end());
  for (int64_t i = 0; i < count / frequentShare; ++i)
    scores[static_cast<size_t>(order[static_cast<size_t>(i)])] = always;
  for (int32_t id = 0; id < token::firstFree; ++id)
    scores[static_cast<size_t>(id)] = always;
  std::ranges::stable_sort(
      order, [&](int32_t a, int32_t b) { return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)]; });
  order.resize(static_cast<size_t>(count));
  std::ranges::sort(order);
  return order;
}

} // namespace bifocal
