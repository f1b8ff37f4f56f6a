// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DATA_LEXICALTABLE_H
#define BIFOCAL_RUNTIME_DATA_LEXICALTABLE_H

#include "runtime/core/Safetensors.h"
#include "runtime/core/Status.h"
#include "runtime/data/Corpus.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace bifocal {

/// How likely a target token translates a source token, p(target | source), for the likeliest targets of each source
/// token. Short lists of the vocabulary are made of it (runtime/decode/ShortList.h).
///
/// The file is safetensors with four vectors: `offsets` i64[S + 1], `targets` i32[n], `probabilities` f32[n], where the
/// translations of source token s are those from offsets[s] to below offsets[s + 1], likeliest first; and `frequent`
/// i32[V], all target tokens, the most frequent first. Its metadata name the vocabularies.
class LexicalTable {
public:
  struct Translation {
    int32_t target;
    float probability;
  };

  /// Expects the translations of every source token, likeliest first, and all target tokens, most frequent first.
  /// `vocabularies` is what tells both vocabularies from others of their sizes; may be empty.
  LexicalTable(const std::vector<std::vector<Translation>> &translations, std::vector<int32_t> frequent,
               std::string vocabularies = "");

  /// Reads a file and checks all of it. Errors: `cannotRead`, `malformed`.
  static Result<LexicalTable> read(const std::string &path);
  /// The same of a file that is open.
  static Result<LexicalTable> parse(const Safetensors &file);
  Status write(const std::string &path) const;

  int64_t sourceVocabulary() const { return static_cast<int64_t>(offsets_.size()) - 1; }
  int64_t targetVocabulary() const { return static_cast<int64_t>(frequent_.size()); }
  /// The targets of a source token in [0, sourceVocabulary), likeliest first, and their probabilities.
  std::span<const int32_t> targets(int32_t source) const { return partOf(targets_, source); }
  std::span<const float> probabilities(int32_t source) const { return partOf(probabilities_, source); }
  /// All target tokens, the most frequent first.
  std::span<const int32_t> frequent() const { return frequent_; }
  const std::string &vocabularies() const { return vocabularies_; }

private:
  LexicalTable() = default;
  Status check() const;

  template <typename T> std::span<const T> partOf(const std::vector<T> &all, int32_t source) const {
    const auto first = static_cast<size_t>(offsets_[static_cast<size_t>(source)]);
    return std::span(all).subspan(first, static_cast<size_t>(offsets_[static_cast<size_t>(source) + 1]) - first);
  }

  std::vector<int64_t> offsets_;
  std::vector<int32_t> targets_;
  std::vector<float> probabilities_;
  std::vector<int32_t> frequent_;
  std::string vocabularies_;
};

struct LexicalOptions {
  int64_t iterations = 5;
  int64_t best = 50;             ///< translations kept of a source token
  std::string vocabularies = ""; ///< of the table
};

/// Learns a table from pairs of sentences by expectation maximisation on IBM Model 1 (Brown et al. 1993, "The
/// Mathematics of Statistical Machine Translation: Parameter Estimation", section 4.1), whose empty word is the
/// source's `</s>`. The same pairs give the same bits. Memory is some 30 bytes for each two tokens that share a pair.
/// `progress` is told after each iteration its number and the bits per target token that the table before it gave; may
/// be null. Both corpora have as many sentences.
LexicalTable learnLexicalTable(const Corpus &source, const Corpus &target, const LexicalOptions &options,
                               const std::function<void(int64_t, double)> &progress = nullptr);

} // namespace bifocal
#endif
