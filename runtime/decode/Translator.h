// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_TRANSLATOR_H
#define BIFOCAL_RUNTIME_DECODE_TRANSLATOR_H

#include "runtime/core/Session.h"
#include "runtime/data/LexicalTable.h"
#include "runtime/decode/BeamSearch.h"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace bifocal {

/// Hypotheses of one sentence, best first.
using Hypotheses = std::vector<Hypothesis>;

struct TranslateOptions {
  BeamOptions beam;
  int64_t batchSize = 50;
  /// Chooses a short list of target tokens for each batch; null: all of the vocabulary is searched.
  const LexicalTable *table = nullptr;
};

/// Translates sentences of ids (each with its `</s>`) in batches of similar length. What a sentence becomes does not
/// depend on the batch it is in, but for its short list. Results are in the order of the sentences. `progress` is told
/// how many are done; may be null.
/// Errors:
///   usage            an option or a sentence is out of range, or the table has other sizes than the model
///   unsupported      the model takes no short lists
///   numericMismatch  a sentence has no translation
Result<std::vector<Hypotheses>> translate(Session &session, std::span<const std::vector<int32_t>> sentences,
                                          const TranslateOptions &options,
                                          const std::function<void(int64_t)> &progress = nullptr);

} // namespace bifocal
#endif
