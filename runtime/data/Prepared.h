// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_PREPARED_H
#define BIFOCAL_RUNTIME_DATA_PREPARED_H

#include "runtime/core/Status.h"
#include "runtime/data/Corpus.h"
#include "runtime/data/Tokenizer.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bifocal {

/// What `prepare` is to make.
struct PrepareOptions {
  /// Both empty: text in one language, for language models.
  std::string sourceLanguage, targetLanguage;
  /// Split name ("train", "valid", "test") -> prefix; the text is in `<prefix>.<language>` (or with `.txt` after it).
  /// Text in one language is in the file itself.
  std::map<std::string, std::string> splits;
  TokenizerKind tokenizer = TokenizerKind::bpe;
  int32_t vocabularySize = 8000;
  bool joint = true; ///< one vocabulary for both languages
  /// Existing vocabularies (dict.txt or a SentencePiece model) instead of learned ones; the target's may be empty if
  /// joint.
  std::string sourceVocabulary, targetVocabulary;
  std::string folder;

  bool isMonolingual() const { return sourceLanguage.empty() && targetLanguage.empty(); }
};

/// What became of one side of one split.
struct PreparedSide {
  std::string split, language; ///< no language: the only text
  int64_t sentences = 0, tokens = 0, unknown = 0;
};

/// A folder of prepared data: `data.json`, a tokenizer per side, and two corpora per split; of text in one language one
/// each.
class PreparedData {
public:
  static Result<PreparedData> open(const std::string &folder);

  bool isMonolingual() const { return languages_.empty(); }
  /// Of text in one language.
  const Tokenizer &tokenizer() const { return *source_; }
  TokenizerKind tokenizerKind() const { return kind_; }
  const Tokenizer &sourceTokenizer() const { return *source_; }
  const Tokenizer &targetTokenizer() const { return *target_; }
  /// Empty of text in one language.
  std::string sourceLanguage() const { return isMonolingual() ? "" : languages_[0]; }
  std::string targetLanguage() const { return isMonolingual() ? "" : languages_[1]; }
  const std::vector<std::string> &splits() const { return splits_; }

  /// One side of a split; of text in one language, whose name is empty, all of it.
  Result<Corpus> corpus(const std::string &split, const std::string &language) const;

private:
  std::string folder_;
  std::vector<std::string> languages_, splits_;
  TokenizerKind kind_ = TokenizerKind::bpe;
  std::shared_ptr<const Tokenizer> source_, target_;
};

/// Learns or loads the tokenizers, encodes every split and writes the folder. Equal text gives equal bytes. Each line
/// is a sentence: in a text of bytes its `</s>` stands for the byte that ends it, so tokens are bytes.
Result<std::vector<PreparedSide>> prepare(const PrepareOptions &options);

} // namespace bifocal
#endif
