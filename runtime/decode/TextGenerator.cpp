// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/TextGenerator.h"

#include "runtime/data/Vocabulary.h"

#include <algorithm>

namespace bifocal {

Result<TextGenerator> TextGenerator::create(Session &session) {
  Result<SessionStepper> stepper = SessionStepper::create(session);
  if (!stepper.ok())
    return stepper.status();
  if (stepper->readsSource())
    return Status(StatusCode::unsupported, "expects a language model, but this one translates");
  return TextGenerator(stepper.take());
}

Status TextGenerator::start(std::span<const int32_t> prompt, int64_t more) {
  const auto length = static_cast<int64_t>(prompt.size()) + 1;
  // No sum of both: `more` may be any number.
  const int64_t most = stepper_.maxSteps();
  const int64_t steps = stepper_.cacheSteps(more > most - length ? most : length + std::max<int64_t>(more, 0));
  ancestors_.assign(static_cast<size_t>(steps), 0);
  logProbabilities_.resize(static_cast<size_t>(stepper_.vocabularySize()));
  read_.clear();
  position_ = 0;
  BIFOCAL_RETURN_IF_ERROR(stepper_.begin(/*rows=*/1, steps));
  BIFOCAL_RETURN_IF_ERROR(append(token::eos));
  for (const int32_t token : prompt)
    BIFOCAL_RETURN_IF_ERROR(append(token));
  return {};
}

Status TextGenerator::append(int32_t token) {
  if (!stepper_.forgets() && read_.size() == ancestors_.size()) {
    const std::vector<int32_t> kept(read_.end() - static_cast<std::ptrdiff_t>(read_.size() / 2), read_.end());
    read_.clear();
    position_ = 0;
    for (const int32_t earlier : kept)
      BIFOCAL_RETURN_IF_ERROR(step(earlier));
  }
  return step(token);
}

Status TextGenerator::step(int32_t token) {
  constexpr int32_t sentence[] = {0};
  const int32_t tokens[] = {token};
  const auto steps = static_cast<int64_t>(ancestors_.size());
  BIFOCAL_RETURN_IF_ERROR(stepper_.step({position_++, tokens, sentence, ancestors_, steps}, logProbabilities_));
  if (!stepper_.forgets())
    read_.push_back(token);
  return {};
}

} // namespace bifocal
