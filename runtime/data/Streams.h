// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_STREAMS_H
#define BIFOCAL_RUNTIME_DATA_STREAMS_H

#include "runtime/data/Batching.h"

namespace bifocal {

/// The text of a model with a memory: parallel streams, each a part of the text of the same length. Batch i has the
/// i-th segment of every stream, so batches are taken in order, and a row goes on where it ended in the batch before.
/// The last segments may be shorter; nothing is padded. Fewer tokens than there are streams are left over at the end.
class StreamData final : public BatchSource {
public:
  /// As many streams as segments of `tokensPerSample` fit `limits`. The text must outlive this object.
  ///
  /// Errors:
  ///   usage  the text has fewer tokens than there are streams, or no segment fits `limits`
  static Result<StreamData> create(const Corpus &text, int64_t tokensPerSample, const BatchLimits &limits);

  int64_t batches() const override { return (length_ + tokensPerSample_ - 1) / tokensPerSample_; }
  int64_t samples() const override { return batches() * streams_; }
  int64_t skipped() const override { return 0; }
  int64_t leftOver() const override { return 0; }
  void fill(int64_t index, Batch &batch) const override;
  std::vector<int32_t> epochOrder(uint64_t seed, int64_t epoch) const override;

  int64_t streams() const { return streams_; }

private:
  StreamData(const Corpus &text, int64_t streams, int64_t tokensPerSample)
      : text_(&text), streams_(streams), tokensPerSample_(tokensPerSample), length_(text.tokens() / streams) {}

  const Corpus *text_;
  int64_t streams_, tokensPerSample_;
  int64_t length_; ///< tokens of a stream
};

} // namespace bifocal
#endif
