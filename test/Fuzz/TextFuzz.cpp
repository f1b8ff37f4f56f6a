// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/File.h"
#include "runtime/data/Text.h"
#include "runtime/data/Tokenizer.h"
#include "runtime/score/Bleu.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

static const std::unique_ptr<Tokenizer> &pieces() {
  static const auto tokenizer =
      Tokenizer::load(TokenizerKind::bpe, *readText(BIFOCAL_SOURCE_DIR "/test/Fuzz/corpus/Pieces/bpe"), "bpe");
  expect(tokenizer.ok(), "the seed of PiecesFuzz is a model");
  return *tokenizer;
}

static void tokenize(const Tokenizer &tokenizer, std::string_view line) {
  const std::vector<int32_t> ids = tokenizer.encode(line);
  for (const int32_t id : ids)
    expect(id >= 0 && id < tokenizer.size(), "ids are in the vocabulary");
  tokenizer.decode(ids);
}

/// Text of any bytes: lines, tokens of each kind, BLEU with each of its tokenizers.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::vector<std::string> lines = splitLines(textOf(data, size));
  const auto words = Tokenizer::learn(TokenizerKind::whitespace, lines, 0);
  const auto bytes = Tokenizer::learn(TokenizerKind::bytes, lines, 0);
  expect(words.ok() && bytes.ok(), "words and bytes can be learned from every text");
  const auto reloaded = Tokenizer::load(TokenizerKind::whitespace, (*words)->serialized(), "dict.txt");
  expect(reloaded.ok(), "a learned vocabulary can be read back");
  for (const std::string &line : lines) {
    tokenize(*pieces(), line);
    expect((*reloaded)->encode(line) == (*words)->encode(line), "a vocabulary that was read back is the same");
    expect((*bytes)->decode((*bytes)->encode(line)) == line, "bytes lose nothing");
    for (const char *name : {"13a", "none", "char", "intl"})
      for (const bool lowercase : {false, true}) {
        const double score = countSentence(line, lines.front(), {*bleuTokenizerByName(name), lowercase}).score(true);
        expect(score >= 0 && score <= 100.0001, "a score is a percentage");
      }
  }
  return 0;
}
