// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_TRANSLATOR_H
#define BIFOCAL_RUNTIME_DECODE_TRANSLATOR_H

#include "runtime/core/Session.h"
#include "runtime/decode/BeamSearch.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace bifocal {

/// Hypotheses of one sentence, best first.
using Hypotheses = std::vector<Hypothesis>;

/// Translates sentences of ids (each with its `</s>`) in batches of similar length. What a sentence becomes does not
/// depend on the batch it is in. Results are in the order of the sentences. `progress` is told how many are done; may
/// be null.
Result<std::vector<Hypotheses>> translate(Session &session, std::span<const std::vector<int32_t>> sentences,
                                          int64_t batchSize, const BeamOptions &options,
                                          const std::function<void(int64_t)> &progress = nullptr);

} // namespace bifocal
#endif
