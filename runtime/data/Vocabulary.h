// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_VOCABULARY_H
#define BIFOCAL_RUNTIME_DATA_VOCABULARY_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bifocal {

/// Ids that every vocabulary of Bifocal begins with.
namespace token {
inline constexpr int32_t bos = 0;
inline constexpr int32_t pad = 1;
inline constexpr int32_t eos = 2;
inline constexpr int32_t unk = 3;
inline constexpr int32_t firstFree = 4;
} // namespace token

/// Tokens and their ids, dense from 0: `<s>`, `<pad>`, `</s>`, `<unk>`, then the tokens of a text file in its order.
/// The file is fairseq's dict.txt: one `token count` per line, without the four above.
class Vocabulary {
public:
  Vocabulary();

  static Result<Vocabulary> read(const std::string &path);
  /// As `read`, from text; `name` appears in messages.
  static Result<Vocabulary> parse(std::string_view text, const std::string &name);
  std::string str() const;

  /// Adds a token, or adds to its count; returns its id.
  int32_t add(std::string_view token, int64_t count = 1);

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  /// The id of a token, or `token::unk`.
  int32_t id(std::string_view token) const;
  /// The token of an id in [0, size).
  const std::string &token(int32_t id) const { return tokens_[static_cast<size_t>(id)]; }

private:
  std::vector<std::string> tokens_;
  std::vector<int64_t> counts_;
  std::unordered_map<std::string, int32_t> ids_;
};

} // namespace bifocal
#endif
