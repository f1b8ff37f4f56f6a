// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_SPLIT_H
#define BIFOCAL_TOOLS_BIFOCAL_SPLIT_H

#include "runtime/core/Artifact.h"
#include "runtime/data/Blocks.h"
#include "runtime/data/Prepared.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal::tools {

/// How a part of prepared data becomes batches for a model.
struct SplitOptions {
  BatchLimits limits;
  std::optional<BlockOptions> blocks; ///< of a language model
  uint64_t seed = 1;
};

/// A part of prepared data, cut into batches: pairs for a translation model, blocks for a language model. Corpora stay
/// mapped as long as it is used.
struct Split {
  std::vector<std::unique_ptr<Corpus>> corpora;
  std::unique_ptr<BatchSource> batches; ///< null: there is no such part

  /// Errors:
  ///   usage  there is no such part, or nothing of it fits
  static Result<Split> open(const PreparedData &data, const std::string &name, const SplitOptions &options,
                            const Artifact &artifact);

  uint64_t digest() const;
  /// What is counted: "pairs" or "blocks".
  std::string_view unit() const { return corpora.size() > 1 ? "pairs" : "blocks"; }
};

} // namespace bifocal::tools
#endif
