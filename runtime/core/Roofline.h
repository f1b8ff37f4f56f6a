// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_ROOFLINE_H
#define BIFOCAL_RUNTIME_CORE_ROOFLINE_H

// The roofline model of a plan: how long its steps take at least, on a machine that reaches its peaks. Williams,
// Waterman, Patterson, "Roofline: an insightful visual performance model", 2009.

#include "runtime/core/Manifest.h"
#include "runtime/core/Plan.h"
#include "runtime/core/Status.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// A GPU by its data sheet, without sparsity: peaks of device memory, of f32 outside tensor cores, and of tensor cores
/// with factors of 16 bits.
struct Card {
  std::string_view name;
  double bytesPerSecond, flops32, flops16;
};

/// a100 (SXM, 80 GB), h100 (SXM), h200.
std::span<const Card> cards();
const Card *findCard(std::string_view name);

/// What a step asks of a machine. Every buffer is counted once: a table of which a few rows are read, as a whole; and
/// of states nothing, whose size a plan does not have.
struct StepCost {
  const PlanStep *step = nullptr;
  int64_t launches = 0; ///< with those of all windows
  double flops = 0, bytes = 0;
  bool narrow = false; ///< products with factors of 16 bits

  /// The longer one of memory and arithmetic, and a microsecond for each launch, which is what one costs in a graph.
  double seconds(const Card &card) const;
};

/// The costs of all steps of an entry, windows summed up, for these values of its symbols.
///
/// Errors:
///   usage  a size is negative or overflows
Result<std::vector<StepCost>> stepCosts(const EntryPlan &entry, std::span<const int64_t> symbols);

} // namespace bifocal
#endif
