// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Prepared.h"
#include "test/Fuzz/Fuzz.h"

using namespace bifocal;
using namespace bifocal::fuzz;

/// A folder with the other files of prepared data.
struct DataFolder : Folder {
  DataFolder() {
    for (const char *file : {"dict.txt", "dict.de.txt", "dict.en.txt"})
      write(file, std::as_bytes(std::span(std::string_view("eins 3\nzwei 2\n"))));
  }
};

/// `data.json` of a folder of prepared data. It names files: none outside of the folder may be opened.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const DataFolder folder;
  folder.write("data.json", bytesOf(data, size));
  const Result<PreparedData> prepared = PreparedData::open(folder.path);
  if (!prepared.ok()) {
    // A file that the description names may not be there.
    if (prepared.status().code() != StatusCode::cannotRead)
      expectReason(prepared.status());
    return 0;
  }
  std::vector<std::string> languages{""};
  expect(prepared->sourceTokenizer().size() > 4, "there are tokens");
  if (!prepared->isMonolingual()) {
    expect(prepared->targetTokenizer().size() > 4, "there are tokens");
    languages = {prepared->sourceLanguage(), prepared->targetLanguage()};
  }
  for (const std::string &split : prepared->splits())
    for (const std::string &language : languages)
      expect(!prepared->corpus(split, language).ok(), "there is no corpus in the folder");
  return 0;
}
