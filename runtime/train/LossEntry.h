// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_TRAIN_LOSSENTRY_H
#define BIFOCAL_RUNTIME_TRAIN_LOSSENTRY_H

#include "runtime/core/Session.h"
#include "runtime/data/Batching.h"
#include "runtime/train/RecurrentMemory.h"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace bifocal {

/// Sums over the target tokens of some batches; natural logarithms.
struct LossSums {
  double loss = 0; ///< what is minimised
  double nll = 0;  ///< negative log-likelihood
  double tokens = 0;
  std::optional<SpanStatistics> spans; ///< of the last batch

  void add(const LossSums &other) {
    loss += other.loss;
    nll += other.nll;
    tokens += other.tokens;
    spans = other.spans;
  }
  double lossPerToken() const { return loss / tokens; }
  double nllPerToken() const { return nll / tokens; }
  double perplexity() const;
  /// Of a text whose tokens are bytes.
  double bitsPerCharacter() const;
};

/// Runs entries that give the losses of a batch, and carries the memory from batch to batch where the model has one.
class LossEntry {
public:
  /// `manifest` is that of the session, which must outlive this object. `memorySteps`: see RecurrentMemory::create.
  static Result<LossEntry> create(Session &session, const Manifest &manifest, RecurrentMemory::Use use,
                                  std::optional<int64_t> memorySteps = {});

  /// Begins a text: the next batch has nothing before it.
  void begin(int64_t rows);
  /// Runs `entry` on a batch, whose losses are added to `sums`. Training entries read `more` behind the texts, and one
  /// of them gives a gradient norm.
  Status run(std::string_view entry, Batch &batch, std::span<const TensorView> more, LossSums &sums,
             float *gradientNorm = nullptr);

  /// Null without a memory.
  RecurrentMemory *memory() { return memory_ ? &*memory_ : nullptr; }

private:
  explicit LossEntry(Session &session) : session_(&session) {}

  Session *session_;
  std::optional<RecurrentMemory> memory_;
  std::vector<TensorView> inputs_, outputs_;
};

/// Sums of the `evaluate` entry over all batches, in order.
Result<LossSums> evaluateData(Session &session, const Manifest &manifest, const BatchSource &data,
                              std::optional<int64_t> memorySteps = {});

} // namespace bifocal
#endif
