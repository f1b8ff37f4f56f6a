// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_SESSIONSTEPPER_H
#define BIFOCAL_RUNTIME_DECODE_SESSIONSTEPPER_H

#include "runtime/core/Session.h"
#include "runtime/decode/BeamSearch.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace bifocal {

/// Decodes with a model: the entries `encode` (of a translation model), `encode_distances` (of Transformer-XL),
/// `decode_step`, `decode_candidates` and `decode_short_list` of a session, whose states are the caches.
class SessionStepper final : public Stepper {
public:
  /// The session must outlive the stepper.
  static Result<SessionStepper> create(Session &session);

  /// Whether the model translates; a language model reads its own tokens alone.
  bool readsSource() const { return readsSource_; }
  /// The sentences of the next search: ids [sentences, steps] with padding.
  void setSource(std::vector<int32_t> ids, int64_t sentences, int64_t steps);
  /// The tokens of the short lists that the model takes; 0: it takes none.
  int64_t shortListSize() const { return shortListSize_; }
  /// What the next searches choose from, as `Stepper::shortList` says: `shortListSize` tokens, or none.
  void setShortList(std::vector<int32_t> tokens) { shortList_ = std::move(tokens); }

  int64_t vocabularySize() const override { return vocabularySize_; }
  int64_t maxSteps() const override { return maxSteps_; }
  /// Whether caches keep the last steps alone, those that the next one sees: the model has a memory of at least one
  /// step in evaluation, and its texts no end. Spans are those of the parameters when the stepper was created.
  bool forgets() const { return window_ > 0; }
  /// Steps that the caches of a text of so many tokens have; of a model that forgets all texts have the same.
  int64_t cacheSteps(int64_t tokens) const;
  /// Sizes the states and runs what comes before the steps, where there is something.
  Status begin(int64_t rows, int64_t steps) override;
  Status step(const Rows &rows, std::span<float> logProbabilities) override;
  /// Above 0 where the probabilities of all tokens would have to be copied from a device.
  int64_t candidateCount() const override { return candidateCount_; }
  std::span<const int32_t> shortList() const override { return shortList_; }
  Status candidates(const Rows &rows, std::span<float> logProbabilities, std::span<int32_t> tokens) override;

private:
  explicit SessionStepper(Session &session) : session_(&session) {}
  Status run(const char *entry, const Rows &rows, std::span<const TensorView> outputs);
  Status encodeDistances(int64_t steps);
  Status readMemory(const Manifest &manifest);

  Session *session_;
  bool readsSource_ = false;
  int64_t vocabularySize_ = 0, candidateCount_ = 0, shortListSize_ = 0, maxSteps_ = 0, encoderWidth_ = 0;
  int64_t window_ = 0;    ///< steps that a step sees, itself included, of a model that forgets
  int64_t firstStep_ = 0; ///< the number of a text's first step: behind zeros, as in evaluation
  bool beginsWithZeros_ = false;
  std::optional<int64_t> clampLength_; ///< of a model that reads distances
  std::vector<int32_t> source_, positions_, shortList_;
  int64_t sentences_ = 0, sourceSteps_ = 0;
  std::vector<float> encoderOutput_;
};

} // namespace bifocal
#endif
