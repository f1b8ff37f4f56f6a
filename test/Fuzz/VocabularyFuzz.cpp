// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Vocabulary.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// A vocabulary that is accepted is written and read back to the same ids.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Result<Vocabulary> vocabulary = Vocabulary::parse(textOf(data, size), "dict.txt");
  if (!vocabulary.ok()) {
    expectReason(vocabulary.status());
    return 0;
  }
  const std::string written = vocabulary->str();
  const Result<Vocabulary> again = Vocabulary::parse(written, "written.txt");
  expect(again.ok() && again->size() == vocabulary->size() && again->str() == written,
         "a written vocabulary is the same");
  for (int32_t id = 0; id < again->size(); ++id)
    expect(again->token(id) == vocabulary->token(id) && again->id(again->token(id)) == id, "ids are those of the file");
  return 0;
}
