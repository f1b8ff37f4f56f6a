// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_TEXTGENERATOR_H
#define BIFOCAL_RUNTIME_DECODE_TEXTGENERATOR_H

#include "runtime/decode/SessionStepper.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bifocal {

/// Continues a text with a language model, token by token: each costs one step over the caches of those before. A text
/// that outgrows the positions of the model goes on from its last half, which is read again; models with a memory go on
/// with the last steps that it keeps.
class TextGenerator {
public:
  /// The session must outlive the generator.
  static Result<TextGenerator> create(Session &session);

  /// Begins a text: reads `</s>`, behind which all texts begin, and the prompt. `more` tokens are expected to follow.
  Status start(std::span<const int32_t> prompt, int64_t more);
  /// Reads one token more.
  Status append(int32_t token);
  /// Of the token after those that were read.
  std::span<const float> logProbabilities() const { return logProbabilities_; }

private:
  explicit TextGenerator(SessionStepper stepper) : stepper_(std::move(stepper)) {}
  Status step(int32_t token);

  SessionStepper stepper_;
  int64_t position_ = 0;      ///< of the next token in the text, or in what was read again
  std::vector<int32_t> read_; ///< tokens in the caches, of a model that would have to read them again
  std::vector<int32_t> ancestors_;
  std::vector<float> logProbabilities_;
};

} // namespace bifocal
#endif
