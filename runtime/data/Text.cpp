// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Text.h"

#include "runtime/core/File.h"

namespace bifocal {

Result<std::string> readText(const std::string &path, size_t limit) {
  Result<std::vector<std::byte>> bytes = readFile(path, limit);
  if (!bytes.ok())
    return bytes.status();
  return std::string(reinterpret_cast<const char *>(bytes->data()), bytes->size());
}

std::vector<std::string> splitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r')
      line.remove_suffix(1);
    lines.emplace_back(line);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

Result<std::vector<std::string>> readLines(const std::string &path) {
  Result<std::string> text = readText(path);
  if (!text.ok())
    return text.status();
  return splitLines(*text);
}

Status writeTextAtomically(const std::string &path, std::string_view text) {
  return writeFileAtomically(path, std::as_bytes(std::span(text)));
}

} // namespace bifocal
