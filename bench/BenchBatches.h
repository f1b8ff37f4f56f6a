// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_BENCHBATCHES_H
#define BIFOCAL_BENCH_BENCHBATCHES_H

#include <array>
#include <cstdint>
#include <vector>

namespace bifocal {

/// A ragged batch of made-up sentence pairs, padded on the right; or blocks of made-up text, without a source.
struct BenchBatch {
  int64_t sentences = 0, sourceSteps = 0, targetSteps = 0;
  int64_t targetTokens = 0; ///< without padding, with the end token
  std::vector<int32_t> source, previous, target;
};

struct BenchVocabulary {
  int32_t pad = 1, bos = 0, eos = 2;
  int64_t source = 0, target = 0; ///< `source` is 0 for a language model
};

/// `count` batches of at most `maxTokens` tokens on the longer side, with lengths like those of IWSLT German-English:
/// source lengths log-normal with median 20 words in 5 to 60, targets 0.8 to 1.2 times as long. Sorted by length, cut,
/// shuffled.
std::vector<BenchBatch> makeBenchBatches(int64_t count, int64_t maxTokens, const BenchVocabulary &vocabulary,
                                         uint64_t seed);

/// `count` batches of one shape, [maxTokens / steps, steps] on both sides, of pairs with such lengths that have
/// `lengths[0]` to `lengths[1]` words, which with the end token have to fit: what a compiler for static shapes wants.
std::vector<BenchBatch> makeBenchBucket(int64_t count, int64_t maxTokens, std::array<int64_t, 2> lengths, int64_t steps,
                                        const BenchVocabulary &vocabulary, uint64_t seed);

/// `count` batches of [maxTokens / steps, steps] tokens, each row a text that goes on behind what it reads.
std::vector<BenchBatch> makeBenchBlocks(int64_t count, int64_t maxTokens, int64_t steps,
                                        const BenchVocabulary &vocabulary, uint64_t seed);

/// `count` batches of `sentences` pairs each with such lengths: sorted by length, cut, shuffled.
std::vector<BenchBatch> makeBenchSentences(int64_t count, int64_t sentences, const BenchVocabulary &vocabulary,
                                           uint64_t seed);

} // namespace bifocal
#endif
