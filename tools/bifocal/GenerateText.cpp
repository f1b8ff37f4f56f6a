// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/GenerateText.h"

#include "runtime/data/Text.h"
#include "runtime/data/Vocabulary.h"
#include "runtime/decode/TextGenerator.h"
#include "runtime/decode/TextStream.h"
#include "tools/bifocal/Message.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace bifocal::tools {
namespace {

/// Each token is to be seen when it is there. What stdout does not take is an error at the end of the program.
void show(const std::string &text) {
  writeText(stdout, text);
  std::fflush(stdout);
}

/// The tokens of a text whose last line has not ended.
std::vector<int32_t> encodeLines(const Tokenizer &tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  while (true) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::vector<int32_t> line = tokenizer.encode(text.substr(0, end));
    ids.insert(ids.end(), line.begin(), line.end());
    if (end == text.size())
      return ids;
    ids.push_back(token::eos);
    text.remove_prefix(end + 1);
  }
}

/// Continues one text; gives the number of tokens.
Result<int64_t> continueText(TextGenerator &generator, Sampler &sampler, const Tokenizer &tokenizer,
                             std::string_view prompt, const TextOptions &options, bool oneLine) {
  const std::vector<int32_t> ids = encodeLines(tokenizer, prompt);
  TextStream stream(tokenizer);
  std::string text;
  for (const int32_t id : ids)
    text += stream.push(id);
  show(text);
  BIFOCAL_RETURN_IF_ERROR(generator.start(ids, options.maxTokens));
  bool ended = false;
  int64_t count = 0;
  while (count < options.maxTokens && !ended) {
    const Result<int32_t> next = sampler.pick(generator.logProbabilities());
    if (!next.ok())
      return next.status();
    ++count;
    ended = oneLine && *next == token::eos;
    if (text = stream.push(*next); !text.empty())
      show(text);
    // The last token need not be read: nothing follows.
    if (!ended && count < options.maxTokens)
      BIFOCAL_RETURN_IF_ERROR(generator.append(*next));
  }
  const std::string rest = stream.finish();
  show(ended ? rest : rest + "\n");
  return count;
}

} // namespace

Status generateText(Session &session, const Tokenizer &tokenizer, const TextOptions &options) {
  BIFOCAL_RETURN_IF_ERROR(options.sample.check());
  Result<TextGenerator> generator = TextGenerator::create(session);
  if (!generator.ok())
    return generator.status();
  std::vector<std::string> prompts;
  if (options.prompt) {
    prompts.push_back(*options.prompt);
  } else {
    Result<std::vector<std::string>> lines = readLines(options.input);
    if (!lines.ok())
      return lines.status();
    prompts = lines.take();
  }
  Sampler sampler(options.sample);
  const auto begin = std::chrono::steady_clock::now();
  int64_t tokens = 0;
  for (const std::string &prompt : prompts) {
    const Result<int64_t> count =
        continueText(*generator, sampler, tokenizer, prompt, options, options.oneLine || !options.prompt);
    if (!count.ok())
      return count.status();
    tokens += *count;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  say("{} tokens in {:.1f} s, {:.0f} tokens/s\n", tokens, seconds,
      static_cast<double>(tokens) / std::max(seconds, 1e-9));
  return {};
}

} // namespace bifocal::tools
