// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/EventFile.h"

#include "runtime/data/Text.h"
#include "test/Runtime/GoldenJson.h"

#include <algorithm>
#include <filesystem>
#include <gtest/gtest.h>

using namespace bifocal;

namespace {

/// What TFRecord files, iSCSI and the processor's own instruction give.
TEST(EventFileTest, crc32c_of_published_vectors) {
  EXPECT_EQ(crc32c({}), 0u);
  EXPECT_EQ(crc32c(std::as_bytes(std::span("123456789", 9))), 0xe3069283u);
  const std::vector<std::byte> zeros(32), ones(32, std::byte{255});
  EXPECT_EQ(crc32c(zeros), 0x8a9136aau);
  EXPECT_EQ(crc32c(ones), 0x62a8ab43u);
}

// A process may die at any byte of a record: the next one keeps the whole records before it.
TEST(EventFileTest, is_cut_at_whole_records_and_at_the_step_to_go_on_from) {
  const std::string folder = test::emptyFolder("event-file");
  std::string path;
  std::vector<size_t> ends;
  {
    Result<std::unique_ptr<EventFile>> file = EventFile::create(folder, 0);
    ASSERT_TRUE(file.ok()) << file.status().message();
    path = (*file)->path();
    ends.push_back(std::filesystem::file_size(path));
    // A step of two bytes, and a message of a length of two bytes.
    for (int64_t step : {1, 127, 128, 300}) {
      const Scalar scalars[] = {{"a", 1.5f}, {std::string(static_cast<size_t>(step), 'b'), -2}};
      ASSERT_TRUE((*file)->write(step, scalars).ok());
      ends.push_back(std::filesystem::file_size(path));
    }
  }
  const std::string whole = *readText(path);
  const auto lengthAfter = [&](size_t bytes, int64_t step) {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    EXPECT_TRUE(writeTextAtomically(path, whole.substr(0, bytes)).ok());
    const Result<std::unique_ptr<EventFile>> next = EventFile::create(folder, step);
    EXPECT_TRUE(next.ok());
    EXPECT_GT((*next)->path(), path) << "files are read in the order of their names";
    return std::filesystem::file_size(path);
  };
  for (size_t bytes = ends[0]; bytes <= whole.size(); ++bytes)
    ASSERT_EQ(lengthAfter(bytes, 1000), *std::prev(std::ranges::upper_bound(ends, bytes))) << bytes;
  EXPECT_EQ(lengthAfter(whole.size(), 299), ends[3]);
  EXPECT_EQ(lengthAfter(whole.size(), 128), ends[3]);
  EXPECT_EQ(lengthAfter(whole.size(), 127), ends[2]);
  EXPECT_EQ(lengthAfter(whole.size(), 1), ends[1]);
  EXPECT_LT(lengthAfter(whole.size(), 0), ends[0]) << "the start of the session is at step 1";
}

TEST(EventFileTest, says_why_it_cannot_be_made) {
  const std::string folder = test::emptyFolder("event-file-errors");
  ASSERT_TRUE(writeTextAtomically(folder + "/file", "").ok());
  const Status status = EventFile::create(folder + "/file", 0).status();
  EXPECT_EQ(status.code(), StatusCode::cannotRead);
  EXPECT_EQ(status.message(), "cannot create '" + folder + "/file': Not a directory");
  EXPECT_FALSE(EventFile::anyIn(folder));
  EXPECT_FALSE(EventFile::anyIn(folder + "/none"));
  ASSERT_TRUE(EventFile::create(folder, 0).ok());
  EXPECT_TRUE(EventFile::anyIn(folder));
}

} // namespace
