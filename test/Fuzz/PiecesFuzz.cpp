// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Tokenizer.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// A SentencePiece model, and a line through it if it is accepted.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const auto tokenizer = Tokenizer::load(TokenizerKind::bpe, std::string(textOf(data, size)), "pieces.model");
  if (!tokenizer.ok()) {
    expectReason(tokenizer.status());
    return 0;
  }
  for (const std::string_view line : {"", "der kleine Hund", "\xff\xc3 \xe2\x96\x81 <s> \t\n"}) {
    const std::vector<int32_t> ids = (*tokenizer)->encode(line);
    for (const int32_t id : ids)
      expect(id >= 0 && id < (*tokenizer)->size(), "ids are in the vocabulary");
    (*tokenizer)->decode(ids);
  }
  return 0;
}
