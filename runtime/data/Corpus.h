// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_CORPUS_H
#define BIFOCAL_RUNTIME_DATA_CORPUS_H

#include "runtime/core/File.h"
#include "runtime/core/Status.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bifocal {

/// One side of a text as token ids, mapped from a file that `writeCorpus` made. Every sentence ends with `</s>`.
///
/// The file, little-endian: a 48-byte header (magic "BIFOCORP", u32 version, u32 vocabulary size, u64 sentences,
/// u64 tokens, u64 reserved, u64 XXH3 of all that precedes and follows this field), u64 offsets[sentences + 1] in
/// tokens, i32 ids[tokens].
class Corpus {
public:
  /// Maps and checks a file: sizes, digest, offsets, and that every id is in the vocabulary.
  static Result<Corpus> open(const std::string &path);

  int64_t sentences() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  int64_t tokens() const { return static_cast<int64_t>(ids_.size()); }
  int32_t vocabularySize() const { return vocabularySize_; }
  uint64_t digest() const { return digest_; }
  /// All sentences, one after the other.
  std::span<const int32_t> ids() const { return ids_; }

  /// The ids of a sentence in [0, sentences).
  std::span<const int32_t> sentence(int64_t index) const {
    const auto i = static_cast<size_t>(index);
    return ids_.subspan(offsets_[i], offsets_[i + 1] - offsets_[i]);
  }
  int32_t length(int64_t index) const { return static_cast<int32_t>(sentence(index).size()); }

private:
  explicit Corpus(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}
  Status check(const std::string &path);

  std::shared_ptr<const MappedFile> file_;
  std::span<const uint64_t> offsets_;
  std::span<const int32_t> ids_;
  int32_t vocabularySize_ = 0;
  uint64_t digest_ = 0;
};

/// Writes sentences, sentence i being ids [offsets[i], offsets[i + 1]) with its `</s>`, as a corpus file.
Status writeCorpus(const std::string &path, std::span<const uint64_t> offsets, std::span<const int32_t> ids,
                   int32_t vocabularySize);
/// The same for sentences of their own.
Status writeCorpus(const std::string &path, std::span<const std::vector<int32_t>> sentences, int32_t vocabularySize);

} // namespace bifocal
#endif
