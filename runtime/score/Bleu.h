// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_SCORE_BLEU_H
#define BIFOCAL_RUNTIME_SCORE_BLEU_H

#include "runtime/core/Status.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

enum class BleuTokenizer { mteval13a, none, characters, international };

std::string_view name(BleuTokenizer tokenizer); ///< "13a", "none", "char", "intl"
Result<BleuTokenizer> bleuTokenizerByName(std::string_view text);

struct BleuOptions {
  BleuTokenizer tokenizer = BleuTokenizer::mteval13a;
  bool lowercase = false;
};

/// Clipped n-gram matches over a text, for n = 1 to 4, and what follows from them.
struct BleuCounts {
  static constexpr size_t order = 4;
  std::array<int64_t, order> matches{}, totals{};
  int64_t hypothesisLength = 0, referenceLength = 0;

  void add(const BleuCounts &other);

  double brevityPenalty() const;
  /// Matches in percent; where there are none, smoothed: the k-th such order counts 2^-k matches.
  std::array<double, order> precisions() const;
  /// BLEU in percent, as sacrebleu's default (smoothing `exp`). `effectiveOrder` leaves out orders without n-grams, as
  /// is done for single sentences.
  double score(bool effectiveOrder = false) const;
  /// BLEU in percent without smoothing over the first `maxOrder` orders: 0 where an order has no match.
  double unsmoothedScore(size_t maxOrder = order) const;
};

/// The tokens that BLEU counts in a line.
std::vector<std::string> bleuTokens(std::string_view line, const BleuOptions &options);

BleuCounts countSentence(std::string_view hypothesis, std::string_view reference, const BleuOptions &options);

/// Counts over token ids, as fairseq scores: padding on the left, `</s>` and padding on the right are trimmed (one
/// token stays), `<unk>` in the reference matches nothing.
BleuCounts countTokens(std::span<const int32_t> hypothesis, std::span<const int32_t> reference);

/// What a score was made with, e.g. "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:bifocal-0.1.0".
std::string bleuSignature(const BleuOptions &options);

} // namespace bifocal
#endif
