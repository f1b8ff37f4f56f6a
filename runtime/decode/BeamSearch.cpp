// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/BeamSearch.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <ranges>

namespace bifocal {
namespace {

constexpr float minusInfinity = -std::numeric_limits<float>::infinity();

/// A continuation of one of a sentence's rows.
struct Candidate {
  float score;
  int32_t row; ///< within the sentence
  int32_t token;
};

/// Better first; equal scores in the order of (row, token).
bool isBetter(const Candidate &a, const Candidate &b) {
  if (a.score != b.score)
    return a.score > b.score;
  return a.row != b.row ? a.row < b.row : a.token < b.token;
}

/// The largest score; those that are NaN count as minus infinity.
float peakOf(std::span<const float> scores) {
  float peak = minusInfinity;
#pragma omp simd reduction(max : peak)
  for (size_t i = 0; i < scores.size(); ++i)
    peak = scores[i] > peak ? scores[i] : peak;
  return peak;
}

/// An unfinished hypothesis.
struct Active {
  std::vector<int32_t> tokens;
  std::vector<float> cumulative; ///< sum of log-probabilities up to each token
  std::vector<int32_t> past;     ///< the row that each earlier step ran in

  float score() const { return cumulative.empty() ? 0 : cumulative.back(); }
};

struct Sentence {
  int32_t index = 0;
  int64_t maxLength = 0;
  std::vector<Active> active;
};

class Search {
public:
  Search(Stepper &stepper, const BeamOptions &options) : stepper_(stepper), options_(options) {}

  Status run(std::span<const int64_t> sourceLengths);
  std::vector<std::vector<Hypothesis>> takeResult() { return std::move(finished_); }

private:
  size_t beam() const { return static_cast<size_t>(options_.beam); }
  /// Tokens that a row has scores of.
  size_t columns() const { return static_cast<size_t>(stepper_.columns()); }
  int32_t tokenOf(size_t column) const { return list_.empty() ? static_cast<int32_t>(column) : list_[column]; }
  std::optional<size_t> columnOf(int32_t token) const;
  int64_t maxLength(int64_t sourceLength) const;
  Status callStepper(int64_t step, int64_t rows);
  bool candidatesSuffice(int64_t step) const;
  void constrain(std::span<float> scores, const Active &active, int64_t step, int64_t maxLength) const;
  void findRepeats(const std::vector<int32_t> &tokens);
  void collect(const Sentence &sentence, int64_t firstRow, int64_t step);
  void offerAll(std::span<const float> scores, float before, size_t row, size_t wanted);
  void offerCandidates(const Active &active, size_t modelRow, size_t row, int64_t step, size_t wanted);
  void offer(const Candidate &candidate, size_t wanted);
  void advance(Sentence &sentence, int64_t firstRow, int64_t step);
  void finish(int32_t sentence, const Active &active, const Candidate &candidate);

  Stepper &stepper_;
  const BeamOptions &options_;
  int64_t steps_ = 0;
  std::vector<Sentence> sentences_;
  std::vector<std::vector<Hypothesis>> finished_;
  std::vector<int32_t> tokens_, sentenceOfRow_, ancestors_;
  std::span<const int32_t> list_; ///< see Stepper::shortList
  /// [rows, columns]; or, if `fewTokens_`, those of the tokens in `best_`, [rows, candidateCount].
  std::vector<float> scores_;
  std::vector<int32_t> best_;
  bool fewTokens_ = false;
  /// Tokens that would end an n-gram which the hypothesis at hand already has.
  std::vector<int32_t> repeats_;
  std::vector<Candidate> candidates_;
};

int64_t Search::maxLength(int64_t sourceLength) const {
  const double wanted =
      options_.maxLengthRatio * static_cast<double>(sourceLength) + static_cast<double>(options_.maxLengthOffset);
  // Clamped before the conversion: the ratio may be anything, also infinite.
  return static_cast<int64_t>(std::clamp(wanted, 0.0, static_cast<double>(stepper_.maxSteps() - 1)));
}

std::optional<size_t> Search::columnOf(int32_t token) const {
  if (list_.empty())
    return static_cast<size_t>(token);
  const auto found = std::ranges::lower_bound(list_, token);
  return found != list_.end() && *found == token ? std::optional(static_cast<size_t>(found - list_.begin()))
                                                 : std::nullopt;
}

/// Runs the model for all rows of all sentences, in order.
Status Search::callStepper(int64_t step, int64_t rows) {
  tokens_.clear();
  sentenceOfRow_.clear();
  ancestors_.assign(static_cast<size_t>(rows * steps_), 0);
  size_t row = 0;
  for (const Sentence &sentence : sentences_)
    for (const Active &active : sentence.active) {
      tokens_.push_back(active.tokens.empty() ? token::eos : active.tokens.back());
      sentenceOfRow_.push_back(sentence.index);
      std::copy(active.past.begin(), active.past.end(),
                ancestors_.begin() + static_cast<std::ptrdiff_t>(row * static_cast<size_t>(steps_)));
      ++row;
    }
  const Stepper::Rows all{step, tokens_, sentenceOfRow_, ancestors_, steps_};
  fewTokens_ = candidatesSuffice(step);
  if (!fewTokens_) {
    scores_.resize(static_cast<size_t>(rows) * columns());
    return stepper_.step(all, scores_);
  }
  best_.resize(static_cast<size_t>(rows * stepper_.candidateCount()));
  scores_.resize(best_.size());
  return stepper_.candidates(all, scores_, best_);
}

/// Whether the best continuations are among the likeliest tokens of every row, whatever `constrain` would take out.
bool Search::candidatesSuffice(int64_t step) const {
  if (options_.temperature != 1 || options_.unknownPenalty < 0 || !list_.empty())
    return false;
  int64_t forbidden = 3; // padding, the end, an unknown word that falls behind others
  for (const Sentence &sentence : sentences_) {
    if (step >= sentence.maxLength) // then the end counts, however unlikely it is
      return false;
    if (options_.noRepeatNgram > 0)
      for (const Active &active : sentence.active)
        forbidden = std::max(forbidden, 3 + static_cast<int64_t>(active.tokens.size()));
  }
  return stepper_.candidateCount() >= std::min(2 * options_.beam + forbidden, stepper_.vocabularySize());
}

/// Applies everything that forbids or prices tokens. Padding, the end and unknown words are columns of every list.
void Search::constrain(std::span<float> scores, const Active &active, int64_t step, int64_t maxLength) const {
  if (options_.temperature != 1) {
    double sum = 0, largest = *std::max_element(scores.begin(), scores.end()) / options_.temperature;
    for (float &score : scores) {
      score = static_cast<float>(score / options_.temperature);
      sum += std::exp(score - largest);
    }
    for (float &score : scores)
      score = static_cast<float>(score - largest - std::log(sum));
  }
  scores[token::pad] = minusInfinity;
  scores[token::unk] -= static_cast<float>(options_.unknownPenalty);
  const float end = scores[token::eos];
  if (step >= maxLength)
    std::fill(scores.begin(), scores.end(), minusInfinity);
  for (const int32_t token : repeats_)
    if (const std::optional<size_t> column = columnOf(token))
      scores[*column] = minusInfinity;
  scores[token::eos] = step < maxLength && step < options_.minLength ? minusInfinity : end;
}

void Search::findRepeats(const std::vector<int32_t> &tokens) {
  repeats_.clear();
  const auto prefix = static_cast<size_t>(options_.noRepeatNgram - 1);
  if (options_.noRepeatNgram <= 0 || tokens.size() < prefix)
    return;
  const auto end = tokens.end() - static_cast<std::ptrdiff_t>(prefix);
  for (auto at = tokens.begin(); at < end; ++at)
    if (std::equal(end, tokens.end(), at))
      repeats_.push_back(at[static_cast<std::ptrdiff_t>(prefix)]);
}

/// Keeps the best `wanted` in a heap whose front is the worst of them.
void Search::offer(const Candidate &candidate, size_t wanted) {
  if (std::isnan(candidate.score) || candidate.score == minusInfinity)
    return;
  if (candidates_.size() == wanted) {
    if (!isBetter(candidate, candidates_.front()))
      return;
    std::pop_heap(candidates_.begin(), candidates_.end(), isBetter);
    candidates_.pop_back();
  }
  candidates_.push_back(candidate);
  std::push_heap(candidates_.begin(), candidates_.end(), isBetter);
}

/// Offers every token that a row has a score of. Most blocks have no candidate, which their largest score tells: adding
/// the same to all keeps their order, and among equals the earlier ones stay.
void Search::offerAll(std::span<const float> scores, float before, size_t row, size_t wanted) {
  constexpr size_t block = 64;
  for (size_t first = 0; first < scores.size(); first += block) {
    const std::span<const float> part = scores.subspan(first, std::min(block, scores.size() - first));
    if (candidates_.size() == wanted && before + peakOf(part) <= candidates_.front().score)
      continue;
    for (size_t i = 0; i < part.size(); ++i)
      offer({before + part[i], static_cast<int32_t>(row), tokenOf(first + i)}, wanted);
  }
}

/// Offers the likeliest tokens of row `modelRow` of the model, under the rules of `constrain`.
void Search::offerCandidates(const Active &active, size_t modelRow, size_t row, int64_t step, size_t wanted) {
  const auto count = static_cast<size_t>(stepper_.candidateCount());
  for (size_t i = modelRow * count; i < (modelRow + 1) * count; ++i) {
    const int32_t token = best_[i];
    const bool isRepeat = token != token::eos && std::ranges::find(repeats_, token) != repeats_.end();
    if (token == token::pad || isRepeat || (token == token::eos && step < options_.minLength))
      continue;
    const float score = token == token::unk ? scores_[i] - static_cast<float>(options_.unknownPenalty) : scores_[i];
    offer({active.score() + score, static_cast<int32_t>(row), token}, wanted);
  }
}

/// Puts the best 2 * beam continuations of a sentence into `candidates_`, best first.
void Search::collect(const Sentence &sentence, int64_t firstRow, int64_t step) {
  const size_t rows = sentence.active.size(), wanted = std::min(2 * beam(), rows * columns() - 1);
  candidates_.clear();
  for (size_t row = 0; row < rows; ++row) {
    const Active &active = sentence.active[row];
    const size_t modelRow = static_cast<size_t>(firstRow) + row;
    findRepeats(active.tokens);
    if (fewTokens_) {
      offerCandidates(active, modelRow, row, step, wanted);
      continue;
    }
    const std::span<float> scores(scores_.data() + modelRow * columns(), columns());
    constrain(scores, active, step, sentence.maxLength);
    offerAll(scores, active.score(), row, wanted);
  }
  std::sort(candidates_.begin(), candidates_.end(), isBetter);
}

void Search::finish(int32_t sentence, const Active &active, const Candidate &candidate) {
  Hypothesis hypothesis;
  hypothesis.tokens = active.tokens;
  hypothesis.tokens.push_back(token::eos);
  std::vector<float> cumulative = active.cumulative;
  cumulative.push_back(candidate.score);
  for (size_t i = 0; i < cumulative.size(); ++i)
    hypothesis.tokenScores.push_back(i == 0 ? cumulative[0] : cumulative[i] - cumulative[i - 1]);
  const auto length = static_cast<double>(cumulative.size());
  hypothesis.score = options_.normalize ? candidate.score / std::pow(length, options_.lengthPenalty) : candidate.score;
  finished_[static_cast<size_t>(sentence)].push_back(std::move(hypothesis));
}

/// Finishes and continues the hypotheses of one sentence; one that is done has no active hypotheses afterwards.
void Search::advance(Sentence &sentence, int64_t firstRow, int64_t step) {
  std::vector<Hypothesis> &finished = finished_[static_cast<size_t>(sentence.index)];
  std::vector<Active> next;
  for (size_t rank = 0; rank < candidates_.size(); ++rank) {
    const Candidate &candidate = candidates_[rank];
    const Active &origin = sentence.active[static_cast<size_t>(candidate.row)];
    if (candidate.token == token::eos) {
      if (rank < beam() && finished.size() < beam())
        finish(sentence.index, origin, candidate);
      continue;
    }
    if (next.size() == beam())
      continue;
    Active &active = next.emplace_back(origin);
    active.tokens.push_back(candidate.token);
    active.cumulative.push_back(candidate.score);
    active.past.push_back(static_cast<int32_t>(firstRow + candidate.row));
  }
  if (finished.size() == beam() || step >= sentence.maxLength)
    next.clear();
  sentence.active = std::move(next);
}

Status Search::run(std::span<const int64_t> sourceLengths) {
  finished_.resize(sourceLengths.size());
  for (size_t i = 0; i < sourceLengths.size(); ++i) {
    sentences_.push_back({static_cast<int32_t>(i), maxLength(sourceLengths[i]), {Active()}});
    steps_ = std::max(steps_, sentences_.back().maxLength + 1);
  }
  BIFOCAL_RETURN_IF_ERROR(stepper_.begin(static_cast<int64_t>(sourceLengths.size()) * options_.beam, steps_));
  list_ = stepper_.shortList();
  for (int64_t step = 0; !sentences_.empty(); ++step) {
    int64_t rows = 0;
    for (const Sentence &sentence : sentences_)
      rows += static_cast<int64_t>(sentence.active.size());
    BIFOCAL_RETURN_IF_ERROR(callStepper(step, rows));
    int64_t firstRow = 0;
    for (Sentence &sentence : sentences_) {
      const auto count = static_cast<int64_t>(sentence.active.size());
      collect(sentence, firstRow, step);
      advance(sentence, firstRow, step);
      firstRow += count;
    }
    std::erase_if(sentences_, [](const Sentence &sentence) { return sentence.active.empty(); });
  }
  for (std::vector<Hypothesis> &hypotheses : finished_)
    std::stable_sort(hypotheses.begin(), hypotheses.end(),
                     [](const Hypothesis &a, const Hypothesis &b) { return a.score > b.score; });
  return Status();
}

} // namespace

Status Stepper::candidates(const Rows &, std::span<float>, std::span<int32_t>) {
  return {StatusCode::internal, "the model has no step that gives candidates"};
}

Result<std::vector<std::vector<Hypothesis>>> beamSearch(Stepper &stepper, std::span<const int64_t> sourceLengths,
                                                        const BeamOptions &options) {
  const int64_t mostBeam = std::min(BeamOptions::mostBeam, (stepper.columns() - 1) / 2);
  if (options.beam < 1 || options.beam > mostBeam)
    return Status(StatusCode::usage, fmt::format("expects a beam from 1 to {}, but got {}", mostBeam, options.beam));
  if (!(options.temperature > 0))
    return Status(StatusCode::usage, fmt::format("expects a temperature above 0, but got {}", options.temperature));
  for (const auto &[name, value] : {std::pair("temperature", options.temperature),
                                    {"length penalty", options.lengthPenalty},
                                    {"penalty of unknown tokens", options.unknownPenalty}})
    if (!std::isfinite(value))
      return Status(StatusCode::usage, fmt::format("expects a finite {}, but got {}", name, value));
  if (std::isnan(options.maxLengthRatio))
    return Status(StatusCode::usage, "expects a number as the ratio of lengths, but got nan");
  if (stepper.maxSteps() < 1)
    return Status(StatusCode::usage,
                  fmt::format("expects a model with at least one position, but got {}", stepper.maxSteps()));
  Search search(stepper, options);
  BIFOCAL_RETURN_IF_ERROR(search.run(sourceLengths));
  return search.takeResult();
}

} // namespace bifocal
