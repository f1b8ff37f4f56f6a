// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALCONFORMANCE_BATCH_H
#define BIFOCAL_TOOLS_BIFOCALCONFORMANCE_BATCH_H

#include "runtime/core/Manifest.h"
#include "runtime/core/Status.h"
#include "runtime/core/Tensor.h"

#include <string>
#include <vector>

namespace bifocal::conformance {

/// Sentences, source steps, target steps.
struct Shape {
  int64_t sentences = 0, source = 0, target = 0;

  /// Reads "2x5x7".
  static Result<Shape> parse(const std::string &text);
  std::string str() const;
};

/// Made-up sentences of all lengths, padded on the right; a function of the vocabularies, the shape and the seed. A
/// language model has no source.
struct Batch {
  Shape shape;
  bool translates = true;
  std::vector<int32_t> source, previous, target; ///< [sentences, steps]

  static Result<Batch> create(const Manifest &manifest, const Shape &shape, uint64_t seed);

  /// The texts that entries read, in their order.
  std::vector<TensorView> inputs(bool withTarget);
};

} // namespace bifocal::conformance
#endif
