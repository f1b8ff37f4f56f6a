// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_PLAN_H
#define BIFOCAL_RUNTIME_CORE_PLAN_H

#include "runtime/core/Expression.h"
#include "runtime/core/Manifest.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bifocal {

enum class Region : uint8_t { arena, parameter, gradient, moment1, moment2, state, input, output, panels };

/// Where the bytes of a buffer are.
struct PlanBuffer {
  Region region = Region::arena;
  ElementType type = ElementType::f32;
  size_t index = 0;   ///< arena: the size class; state, input, output: the position in its list
  int64_t offset = 0; ///< arena: bytes per class unit; slabs and panels: bytes
  int64_t size = 0;   ///< like offset; not used for states, inputs and outputs
  /// Of a view, `width` columns of the rows of another buffer: bytes before the first one, and the elements of a row;
  /// else 0.
  int64_t column = 0, width = 0, row = 0;
};

/// A buffer as a step uses it: inside `slabs` it is advanced by rowBytes for every row before the window.
struct BufferRef {
  size_t id = 0;
  int64_t rowBytes = 0;
};

/// A kernel over tiles, stage by stage.
struct LaunchStep {
  std::string kernel;
  std::vector<BufferRef> buffers;
  std::vector<Expression> sizes;
  std::vector<Expression> stages; ///< tiles of each stage
  Expression multiplyAdds;        ///< of its sums over steps; 0 where it has none
};

/// C[m,n] = op(A) op(B) + beta C, with an optional kernel over row tiles of C.
struct GemmStep {
  std::string kernel;
  Expression m, n, k;
  BufferRef a, b, c;
  std::optional<BufferRef> mask;      ///< which rows of A, as it is stored, count
  std::optional<BufferRef> workspace; ///< for packed panels of B: of the arena, or kept in the panels
  bool accumulate = false;            ///< beta is 1
  bool transA = false;                ///< whether A is stored [k,m], as `kernel` says
  bool transB = false;                ///< whether B is stored [n,k]
  bool quantized = false;             ///< whether panels of B are of 8 bits, as `kernel` says
  struct Epilogue {
    std::string kernel;
    std::vector<BufferRef> buffers;
    std::vector<Expression> sizes;
    int64_t rowsPerTile = 1;
  };
  std::optional<Epilogue> epilogue;
};

struct FillStep {
  BufferRef buffer;
  uint32_t value = 0; ///< the bits of every 32-bit word
};

struct CopyStep {
  BufferRef from, to;
};

struct PlanStep;

/// Runs the body for windows of at most `by` rows.
struct SlabsStep {
  Expression rows;
  int64_t by = 1;
  std::vector<PlanStep> body;
};

struct PlanStep {
  std::string family; ///< for reports; never empty
  std::string location;
  std::variant<LaunchStep, GemmStep, FillStep, CopyStep, SlabsStep> action;
};

/// An input or output of an entry point.
struct PlanArgument {
  std::string name;
  ElementType type = ElementType::f32;
  std::vector<Expression> dims;
};

struct EntryPlan {
  std::string name;
  std::vector<std::string> symbols; ///< the last one is the window symbol, which is 0 outside `slabs`
  std::vector<PlanArgument> inputs, outputs;
  std::vector<Expression> classes;
  std::vector<int64_t> peak; ///< bytes per unit of each class
  std::vector<PlanBuffer> buffers;
  std::vector<PlanStep> steps;
  bool needsTraining = false; ///< uses gradients or moments
  int64_t panelBytes = 0;     ///< of the panels that stay from call to call

  /// Bytes of the arena for these values of `symbols`. Unless they are empty, writes where each class begins into
  /// `bases` and its value, rounded up, into `units`. Allocates nothing but messages.
  Result<int64_t> arenaBytes(std::span<const int64_t> values, std::span<int64_t> bases = {},
                             std::span<int64_t> units = {}) const;
  /// The largest value of `symbols[symbol]` for which the arena takes at most `limit` bytes, the other symbols as in
  /// `values`; 0 if none does, INT64_MAX if all do.
  ///
  /// Errors:
  ///   unsupported  a size class does not grow with the symbol in a way that its form shows (Expression::growsWith)
  Result<int64_t> largestFit(size_t symbol, std::vector<int64_t> values, int64_t limit) const;
  /// The arena formula as text, e.g. "4096 * roundup16(1) + 512 * roundup16((B * S))".
  std::string peakFormula() const;
  /// Multiply-adds of all matrix products, convolutions and attentions, as a sum of constants times sizes.
  std::string multiplyAdds() const;
};

/// `plan.json`, checked: every index, class, region, expression and extent that does not depend on symbols is in range.
struct Plan {
  static Result<Plan> parse(std::string_view text, const Manifest &manifest);

  const EntryPlan *find(std::string_view name) const;

  std::vector<EntryPlan> entries;
};

} // namespace bifocal
#endif
