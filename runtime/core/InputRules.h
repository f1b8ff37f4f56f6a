// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_INPUTRULES_H
#define BIFOCAL_RUNTIME_CORE_INPUTRULES_H

#include "runtime/core/Manifest.h"
#include "runtime/core/Plan.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bifocal {

/// What kernels take for granted about the values and sizes of an entry's inputs: they follow rows into states without
/// a look, and would take the nearest row of a table for an id that is outside. The rules go by the names of
/// docs/Artifact.md, "Entry points of a translation model"; an artifact of another kind has none.
class InputRules {
public:
  static Result<InputRules> create(const Manifest &manifest, const EntryPlan &plan);

  /// `symbols` are the values of the plan's symbols; `states` those that the states were sized with, if it uses them.
  /// Allocates nothing but messages.
  Status check(const EntryPlan &plan, std::span<const TensorView> inputs, std::span<const int64_t> symbols,
               std::span<const int64_t> states) const;

private:
  /// All values of an input are below a number, or below what a symbol of the plan or of the states stands for. Of the
  /// rows of a history only the steps before the one that the input `step` names count.
  struct Values {
    size_t input = 0;
    int64_t limit = 0;
    std::optional<size_t> symbol, state, step;
  };
  /// The last axis of an input has at most so many steps.
  struct Steps {
    size_t input;
    int64_t limit;
  };
  /// A symbol of the plan is at most one of the states.
  struct Rows {
    size_t symbol, state;
  };

  std::vector<Values> values_;
  std::vector<Steps> steps_;
  std::optional<Rows> rows_;
  std::optional<size_t> ring_; ///< the symbol of the steps that caches keep of any number
};

} // namespace bifocal
#endif
