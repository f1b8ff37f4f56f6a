// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_BLOCKS_H
#define BIFOCAL_RUNTIME_DATA_BLOCKS_H

#include "runtime/data/Batching.h"

#include <string>
#include <string_view>

namespace bifocal {

/// Where the blocks of a text end.
enum class BreakMode {
  none,     ///< after so many tokens, wherever that is
  complete, ///< after as many whole sentences as fit
  eos,      ///< after each sentence
};

std::string_view name(BreakMode mode);
Result<BreakMode> breakModeByName(std::string_view text);

struct BlockOptions {
  int64_t tokensPerSample = 512; ///< of a row, with its context
  BreakMode mode = BreakMode::none;
  /// Tokens before a block that its row begins with: the model reads them, and they are not scored.
  int64_t contextWindow = 0;
};

/// The text of a language model, cut into blocks. A row of a batch predicts each token of its block from those before
/// it. The first one is predicted from the token before the block, or from `</s>` at the beginning of the text. All
/// sentences follow each other; each ends with `</s>`, which is a token like any other.
class BlockData final : public BatchSource {
public:
  /// Sentences that do not fit into a row are left out with the modes `complete` and `eos` (see `skipped`). `seed`
  /// decides which blocks of equal length share a batch. The text must outlive this object.
  ///
  /// Errors:
  ///   usage  no block is left, or none fits `limits`; a context as long as the row
  static Result<BlockData> create(const Corpus &text, const BlockOptions &options, const BatchLimits &limits,
                                  uint64_t seed);

  int64_t batches() const override { return static_cast<int64_t>(batches_.size()); }
  int64_t samples() const override { return samples_; }
  int64_t skipped() const override { return skipped_; }
  int64_t leftOver() const override { return leftOver_; }
  void fill(int64_t index, Batch &batch) const override;

private:
  explicit BlockData(const Corpus &text) : text_(&text) {}
  void cut(const BlockOptions &options, int64_t tokens);
  /// Steps of the row that a block makes.
  int64_t steps(int32_t block) const { return context(block) + blocks_[static_cast<size_t>(block)].length; }
  int64_t context(int32_t block) const { return std::min(contextWindow_, blocks_[static_cast<size_t>(block)].begin); }

  struct Block {
    int64_t begin, length;
  };
  const Corpus *text_;
  int64_t contextWindow_ = 0;
  std::vector<Block> blocks_;
  Batches batches_;
  int64_t samples_ = 0, skipped_ = 0, leftOver_ = 0;
};

} // namespace bifocal
#endif
