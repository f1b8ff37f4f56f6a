// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_TOKENIZER_H
#define BIFOCAL_RUNTIME_DATA_TOKENIZER_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifocal {

/// How text becomes tokens.
enum class TokenizerKind {
  bpe,        ///< SentencePiece, merges
  unigram,    ///< SentencePiece, language model of pieces
  whitespace, ///< tokens are words; the text was split before (Moses, subword-nmt)
  bytes,      ///< 256 tokens, no training, nothing unknown
};

std::string_view name(TokenizerKind kind);
Result<TokenizerKind> tokenizerKindByName(std::string_view text);

/// Turns one line of text into ids and back. The four ids of `token::` are reserved; ids neither hold `</s>` nor `<s>`.
class Tokenizer {
public:
  virtual ~Tokenizer() = default;
  virtual int32_t size() const = 0;
  virtual std::vector<int32_t> encode(std::string_view line) const = 0;
  /// Text of ids; reserved ids other than `<unk>` are left out.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;
  /// What `load` needs to make the same tokenizer again.
  virtual std::string serialized() const = 0;

  /// The tokenizer of a kind from what `serialized` gave.
  static Result<std::unique_ptr<Tokenizer>> load(TokenizerKind kind, const std::string &serialized,
                                                 const std::string &name);

  /// Learns a tokenizer from text; a pure function of its arguments. `whitespace` keeps the `vocabularySize - 4` most
  /// frequent words (all when 0), `bytes` learns nothing.
  static Result<std::unique_ptr<Tokenizer>> learn(TokenizerKind kind, std::span<const std::string> lines,
                                                  int32_t vocabularySize);
};

} // namespace bifocal
#endif
