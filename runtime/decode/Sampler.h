// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_SAMPLER_H
#define BIFOCAL_RUNTIME_DECODE_SAMPLER_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bifocal {

struct SampleOptions {
  double temperature = 0; ///< divides log-probabilities; 0: always the likeliest token
  int64_t topK = 0;       ///< only the k likeliest tokens; 0: all
  double topP = 1;        ///< only the likeliest tokens that together have this probability
  uint64_t seed = 1;

  /// Errors:
  ///   usage  a setting outside of its range
  Status check() const;
};

/// Chooses tokens by their probabilities. Draw n of a seed is a pure function of both, so the same probabilities give
/// the same tokens on every machine.
class Sampler {
public:
  explicit Sampler(const SampleOptions &options) : options_(options) {}

  /// The next token out of all but `<s>` and padding; among equally likely ones the smaller comes first.
  ///
  /// Errors:
  ///   numericMismatch  no token has a probability
  Result<int32_t> pick(std::span<const float> logProbabilities);

private:
  int32_t draw(std::span<const float> logProbabilities);

  SampleOptions options_;
  uint64_t draws_ = 0;
  std::vector<int32_t> order_;
  std::vector<double> weights_;
};

} // namespace bifocal
#endif
