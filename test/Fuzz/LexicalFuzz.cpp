// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/ShortList.h"
#include "test/Fuzz/Fuzz.h"

#include <algorithm>
#include <functional>
#include <vector>

using namespace bifocal;
using namespace bifocal::fuzz;

/// A lexical table that is accepted gives short lists of any source.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Result<Safetensors> file = Safetensors::fromBytes(bytesOf(data, size));
  if (!file.ok()) {
    expectReason(file.status());
    return 0;
  }
  const Result<LexicalTable> table = LexicalTable::parse(*file);
  if (!table.ok()) {
    expectReason(table.status());
    return 0;
  }
  std::vector<int32_t> source;
  for (int32_t word = 0; word < table->sourceVocabulary(); ++word)
    source.push_back(word);
  for (const int64_t count : {leastShortList, table->targetVocabulary()}) {
    if (count < leastShortList || count > table->targetVocabulary())
      continue;
    const std::vector<int32_t> list = shortList(*table, source, count);
    expect(static_cast<int64_t>(list.size()) == count, "a list has as many tokens as were asked for");
    expect(std::ranges::adjacent_find(list, std::greater_equal<>()) == list.end(), "each once, ascending");
    expect(list.front() == 0 && list[3] == 3 && list.back() < table->targetVocabulary(), "of the vocabulary");
  }
  return 0;
}
