// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_BEAMSEARCH_H
#define BIFOCAL_RUNTIME_DECODE_BEAMSEARCH_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bifocal {

/// One position of an autoregressive model for several hypotheses at once. Rows of a step are named by their number; a
/// hypothesis' past is a list of rows, one per earlier step, so that nothing is copied when hypotheses change places.
class Stepper {
public:
  virtual ~Stepper() = default;
  virtual int64_t vocabularySize() const = 0;
  /// The most positions that the model can take.
  virtual int64_t maxSteps() const = 0;
  /// Makes room for `rows` hypotheses of up to `steps` positions. The sentences are encoded already, or here.
  virtual Status begin(int64_t rows, int64_t steps) = 0;

  struct Rows {
    int64_t step = 0;                   ///< the position, from 0
    std::span<const int32_t> tokens;    ///< [n] the token before this position
    std::span<const int32_t> sentences; ///< [n] the sentence of a row
    std::span<const int32_t> ancestors; ///< [n, stride] the row of step p at [., p], for p < step; 0 from there
    int64_t stride = 0;                 ///< the `steps` of `begin`
  };
  /// Writes the log-probabilities of the next token, [n, columns].
  virtual Status step(const Rows &rows, std::span<float> logProbabilities) = 0;
  /// How many tokens `candidates` writes for each row; 0: `step` is as good.
  virtual int64_t candidateCount() const { return 0; }
  /// The same step, but only the likeliest tokens and their log-probabilities, [n, candidateCount], best first; among
  /// equals the smaller token.
  virtual Status candidates(const Rows &rows, std::span<float> logProbabilities, std::span<int32_t> tokens);
  /// The tokens that share all of the probability, ascending, the `token::firstFree` first ones among them; empty: all
  /// of the vocabulary. Where there is a list, there are no candidates.
  virtual std::span<const int32_t> shortList() const { return {}; }
  /// How many log-probabilities `step` writes for each row.
  int64_t columns() const { return shortList().empty() ? vocabularySize() : static_cast<int64_t>(shortList().size()); }
};

struct BeamOptions {
  /// Rows and scores of a batch stay countable. A search also expects twice its beam below the size of the vocabulary.
  static constexpr int64_t mostBeam = 1 << 16;

  int64_t beam = 5;
  double lengthPenalty = 1;  ///< a hypothesis of n tokens scores (sum of log-probabilities) / n^lengthPenalty
  double maxLengthRatio = 0; ///< at most ratio * (source length) + offset tokens before `</s>`
  int64_t maxLengthOffset = 200;
  int64_t minLength = 1;     ///< tokens before `</s>`
  double unknownPenalty = 0; ///< taken from the log-probability of `<unk>`
  double temperature = 1;
  int64_t noRepeatNgram = 0; ///< no n-gram of this size twice; 0 = off
  bool normalize = true;     ///< divide by the length as above
};

struct Hypothesis {
  std::vector<int32_t> tokens; ///< with `</s>` at the end
  double score = 0;
  std::vector<float> tokenScores; ///< log-probability of each token
};

/// Searches a batch of sentences; `sourceLengths[i]` (with `</s>`) bounds the length of sentence i. Gives up to `beam`
/// hypotheses per sentence, best first. Candidates of equal score are taken in the order of (hypothesis, token).
///
/// At each step the best 2 * beam continuations of a sentence are looked at. An `</s>` among the first `beam` finishes
/// a hypothesis, the first `beam` others continue. A sentence is done with `beam` finished hypotheses or at its length
/// limit, and leaves the batch.
Result<std::vector<std::vector<Hypothesis>>> beamSearch(Stepper &stepper, std::span<const int64_t> sourceLengths,
                                                        const BeamOptions &options);

} // namespace bifocal
#endif
