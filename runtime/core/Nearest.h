// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_NEAREST_H
#define BIFOCAL_RUNTIME_CORE_NEAREST_H

#include <algorithm>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace bifocal {

/// Insertions, deletions and replacements that make one word the other.
inline size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// The candidate that `word` most likely misspells, for "did you mean"; empty when none is near. It points to where
/// `candidates` does.
inline std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  // A third of the letters may differ; more would suggest unrelated words.
  const size_t limit = std::max<size_t>(2, word.size() / 3);
  size_t bestDistance = limit + 1;
  for (const std::string_view candidate : candidates) {
    // The lengths alone may say that it is far: a word can be a megabyte of garbage.
    if (std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size()) >= bestDistance)
      continue;
    if (const size_t distance = editDistance(word, candidate); distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

} // namespace bifocal
#endif
