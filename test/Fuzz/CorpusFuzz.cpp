// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Corpus.h"
#include "runtime/data/Vocabulary.h"
#include "test/Fuzz/Fuzz.h"

#include <cstring>
#include <vector>
#include <xxhash.h>

using namespace bifocal;
using namespace bifocal::fuzz;

static void read(std::span<const std::byte> bytes) {
  const Result<Corpus> corpus = Corpus::open(fileInMemory(bytes));
  if (!corpus.ok())
    return expectReason(corpus.status());
  int64_t tokens = 0;
  for (int64_t i = 0; i < corpus->sentences(); ++i) {
    expect(corpus->sentence(i).back() == token::eos, "sentences have an end");
    for (const int32_t id : corpus->sentence(i))
      expect(id >= 0 && id < corpus->vocabularySize(), "ids are in the vocabulary");
    tokens += corpus->length(i);
  }
  expect(tokens == corpus->tokens(), "every token is in one sentence");
}

/// As it is, and with the digest that chance would never find.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::span<const std::byte> bytes = bytesOf(data, size);
  read(bytes);
  constexpr size_t digestAt = 40, headerBytes = 48;
  if (size < headerBytes)
    return 0;
  std::vector<std::byte> repaired(bytes.begin(), bytes.end());
  std::vector<std::byte> covered(bytes.begin(), bytes.begin() + digestAt);
  covered.insert(covered.end(), bytes.begin() + headerBytes, bytes.end());
  const uint64_t digest = XXH3_64bits(covered.data(), covered.size());
  std::memcpy(repaired.data() + digestAt, &digest, sizeof digest);
  read(repaired);
  return 0;
}
