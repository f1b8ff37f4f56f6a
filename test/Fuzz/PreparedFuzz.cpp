// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Prepared.h"
#include "runtime/data/Text.h"
#include "test/Fuzz/Fuzz.h"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

using namespace bifocal;
using namespace bifocal::fuzz;

/// A folder with the other files of prepared data, gone at the end of the process.
struct Folder {
  std::string path = "/dev/shm/bifocal-fuzz-XXXXXX";
  Folder() {
    expect(::mkdtemp(path.data()) != nullptr, "there is room in memory for a folder");
    for (const char *file : {"dict.txt", "dict.de.txt", "dict.en.txt"})
      expect(writeTextAtomically(path + "/" + file, "eins 3\nzwei 2\n").ok(), "the folder can be written");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

/// `data.json` of a folder of prepared data. It names files: none outside of the folder may be opened.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Folder folder;
  const int file = ::open((folder.path + "/data.json").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  expect(::write(file, data, size) == static_cast<ssize_t>(size), "the folder can be written");
  ::close(file);
  const Result<PreparedData> prepared = PreparedData::open(folder.path);
  if (!prepared.ok()) {
    // A file that the description names may not be there.
    if (prepared.status().code() != StatusCode::cannotRead)
      expectReason(prepared.status());
    return 0;
  }
  expect(prepared->sourceTokenizer().size() > 4 && prepared->targetTokenizer().size() > 4, "there are tokens");
  for (const std::string &split : prepared->splits())
    for (const std::string &language : {prepared->sourceLanguage(), prepared->targetLanguage()})
      expect(!prepared->corpus(split, language).ok(), "there is no corpus in the folder");
  return 0;
}
