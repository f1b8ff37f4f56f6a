// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_RUNTIME_GOLDENJSON_H
#define BIFOCAL_TEST_RUNTIME_GOLDENJSON_H

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace bifocal::test {

/// A table of published results in test/Golden.
inline nlohmann::json goldenJson(const std::string &name) {
  std::ifstream file(std::string(BIFOCAL_SOURCE_DIR) + "/test/Golden/" + name);
  return nlohmann::json::parse(file, nullptr, false);
}

/// Replaces a file without waiting for the disk, for tests that do so thousands of times.
inline void overwrite(const std::string &path, const std::string &text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// An empty folder for one test.
inline std::string emptyFolder(const std::string &name) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("bifocal-" + name);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path.string();
}

} // namespace bifocal::test
#endif
