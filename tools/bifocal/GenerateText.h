// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_GENERATETEXT_H
#define BIFOCAL_TOOLS_BIFOCAL_GENERATETEXT_H

#include "runtime/core/Session.h"
#include "runtime/data/Tokenizer.h"
#include "runtime/decode/Sampler.h"

#include <optional>
#include <string>

namespace bifocal::tools {

/// How a language model continues text.
struct TextOptions {
  SampleOptions sample;
  std::optional<std::string> prompt; ///< else lines of `input`
  std::string input = "-";
  int64_t maxTokens = 200;
  bool oneLine = false; ///< ends at the end of a line; lines of `input` always do
};

/// Writes prompts and what the model makes of them to stdout, token by token.
Status generateText(Session &session, const Tokenizer &tokenizer, const TextOptions &options);

} // namespace bifocal::tools
#endif
