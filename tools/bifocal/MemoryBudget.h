// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_MEMORYBUDGET_H
#define BIFOCAL_TOOLS_BIFOCAL_MEMORYBUDGET_H

#include "tools/bifocal/CompileReport.h"

namespace bifocal::tools {

/// Bytes of "8GiB", "512MiB", "1000000"; anything else is a usage error.
Result<int64_t> parseBudget(const std::string &text);

/// What a training step of a model needs, at a shape, and what a budget has room for. A model without `train_step`
/// needs nothing. The artifact must outlive it.
class MemoryBudget {
public:
  MemoryBudget(const Artifact &artifact, const Shape &shape, int64_t bytes);

  /// Ok when the arena, with parameters, gradients and moments, fits. The error has the parts and what would fit.
  Status check() const;
  /// The parts, and the largest batch, of a budget that suffices.
  std::string describe() const;
  /// What is alive at the peak of a step that does not fit; empty where its arena has no size.
  std::string describePeak(const Places &places) const;

  /// The largest B that fits, the other symbols as in `shape`, which has all: 0 if none does, INT64_MAX if all do. The
  /// entry must have the symbol B.
  Result<int64_t> largestBatch(const Shape &shape) const;
  /// The largest sentences x longest sentence for which every batch fits, whatever the lengths of its sentences up to
  /// the model's max_positions; nothing where the plan does not say.
  std::optional<int64_t> mostTokens() const;

private:
  /// Bytes that do not depend on the shape.
  int64_t kept() const;
  std::string describeLargest() const;
  std::string describeKept() const;

  const Artifact *artifact_;
  const EntryPlan *entry_;
  Shape shape_;
  int64_t bytes_ = 0, slabs_ = 0;
  std::optional<int64_t> arena_; ///< nothing where it overflows
};

} // namespace bifocal::tools
#endif
