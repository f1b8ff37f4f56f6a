// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_MEMORYSETTINGS_H
#define BIFOCAL_RUNTIME_CORE_MEMORYSETTINGS_H

#include "runtime/core/Manifest.h"
#include "runtime/core/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bifocal {

/// What a manifest says of the memory that the layers of its model have of earlier segments (Transformer-XL, adaptive
/// span); docs/Artifact.md has the keys.
struct MemorySettings {
  /// The spans of one layer in the parameter slab, as parts of the longest.
  struct Spans {
    int64_t offset = 0, heads = 0;
  };

  int64_t dim = 0, layers = 0;
  int64_t steps = 0, evaluationSteps = 0;
  int64_t clampLength = 0;  ///< of evaluation; 0: no distance is clamped
  bool sameLength = false;  ///< of evaluation: a step sees `evaluationSteps` steps, itself included
  int64_t mostDistance = 0; ///< of Transformer-XL: distances of a memory and a segment together are below it
  int64_t longestSpan = 0;  ///< 0 of models without adaptive spans
  int64_t ramp = 0;         ///< steps over which the edge of a span falls to 0
  std::vector<Spans> spans; ///< of each layer

  /// Whether the model has a memory.
  static bool isUsed(const Manifest &manifest);
  /// Errors: malformed, the manifest does not say what the memory needs.
  static Result<MemorySettings> read(const Manifest &manifest);

  bool hasSpans() const { return longestSpan > 0; }
  /// What a span in the parameters means in steps: it is a part of the longest one, and no number is no span.
  static float spanOf(float part, int64_t longest);
  /// The span of a head in steps; `parameters` is the slab.
  float spanOf(size_t layer, int64_t head, std::span<const float> parameters) const;
  /// Steps before a token that count where the longest span is `span`: as far as its ramp goes.
  int64_t reachOf(double span) const;
};

} // namespace bifocal
#endif
