// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_BATCHING_H
#define BIFOCAL_RUNTIME_DATA_BATCHING_H

#include "runtime/core/Status.h"
#include "runtime/data/Corpus.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bifocal {

struct BatchLimits {
  int64_t maxTokens = 0;    ///< sentences x longest sentence of a batch; 0 = no limit
  int64_t maxSentences = 0; ///< 0 = no limit
  int64_t multiple = 1;     ///< a batch has fewer sentences than this, or a multiple of it
};

using Batches = std::vector<std::vector<int32_t>>;

/// Cuts `order` (indices of sentences) into batches, greedily from the front. `lengths` is by sentence. Sentences at
/// the end of a full batch that break the multiple begin the next one; a last batch that breaks it is left out.
Result<Batches> batchBySize(std::span<const int32_t> order, std::span<const int32_t> lengths,
                            const BatchLimits &limits);

/// A permutation of [0, count): a pure function of its arguments (Fisher-Yates over Philox).
std::vector<int32_t> shuffledIndices(int64_t count, uint64_t seed, uint32_t stream, uint32_t step);

/// One batch as a model takes it: rows are padded at the end to the longest.
struct Batch {
  int64_t rows = 0, sourceSteps = 0, targetSteps = 0;
  int64_t targetTokens = 0;      ///< without padding
  std::vector<int32_t> source;   ///< [rows, sourceSteps]; empty for a language model
  std::vector<int32_t> previous; ///< [rows, targetSteps]: target moved one step, `</s>` in front
  std::vector<int32_t> target;   ///< [rows, targetSteps]
};

/// Text that has been cut into batches.
class BatchSource {
public:
  virtual ~BatchSource() = default;

  virtual int64_t batches() const = 0;
  /// Pairs or blocks in all batches; those that are too long, and those that break the multiple of a batch, which are
  /// in none.
  virtual int64_t samples() const = 0;
  virtual int64_t skipped() const = 0;
  virtual int64_t leftOver() const = 0;

  /// Fills `batch` with batch `index`. Allocates only when a batch is larger than any before.
  virtual void fill(int64_t index, Batch &batch) const = 0;

  /// The order of the batches in an epoch (counted from 1); the batches are the same in every epoch.
  virtual std::vector<int32_t> epochOrder(uint64_t seed, int64_t epoch) const;
};

/// The pairs of a source and a target corpus, cut into batches of similar length.
class ParallelData final : public BatchSource {
public:
  /// Pairs with a side longer than `maxPositions` or than `limits.maxTokens` are left out (see `skipped`), and those of
  /// a last batch that breaks `limits.multiple` (see `leftOver`). `seed` decides among pairs of equal lengths. The
  /// corpora must outlive this object.
  static Result<ParallelData> create(const Corpus &source, const Corpus &target, const BatchLimits &limits,
                                     int64_t maxPositions, uint64_t seed);

  int64_t batches() const override { return static_cast<int64_t>(batches_.size()); }
  int64_t samples() const override { return sentences_; }
  int64_t skipped() const override { return skipped_; }
  int64_t leftOver() const override { return leftOver_; }
  void fill(int64_t index, Batch &batch) const override;

private:
  ParallelData(const Corpus &source, const Corpus &target) : source_(&source), target_(&target) {}

  const Corpus *source_;
  const Corpus *target_;
  Batches batches_;
  int64_t sentences_ = 0;
  int64_t skipped_ = 0, leftOver_ = 0;
};

} // namespace bifocal
#endif
