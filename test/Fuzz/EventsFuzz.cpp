// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/EventFile.h"
#include "test/Fuzz/Fuzz.h"

#include <filesystem>

using namespace bifocal;
using namespace bifocal::fuzz;

/// An event file of a run before: it is cut to whole records of the steps that count, and never grows.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const Folder folder;
  const std::string name = "events.out.tfevents.1700000000.host.1", path = folder.path + "/" + name;
  folder.write(name, bytesOf(data, size));
  {
    const Result<std::unique_ptr<EventFile>> file = EventFile::create(folder.path, 100);
    expect(file.ok(), "a curve goes on, whatever was there");
    const Scalar scalar{"loss", 1.0f};
    expect((*file)->write(101, std::span(&scalar, 1)).ok(), "a curve can be written");
    std::filesystem::remove((*file)->path());
  }
  const uintmax_t kept = std::filesystem::file_size(path);
  expect(kept <= size, "a file is cut and never grows");
  // What was kept is kept again.
  const Result<std::unique_ptr<EventFile>> again = EventFile::create(folder.path, 100);
  expect(again.ok() && std::filesystem::file_size(path) == kept, "the second cut takes nothing");
  std::filesystem::remove((*again)->path());
  return 0;
}
