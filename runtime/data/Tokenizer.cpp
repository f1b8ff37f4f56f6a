// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Tokenizer.h"

#include "runtime/data/PieceModel.h"
#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

namespace bifocal {
namespace {

/// What SentencePiece says after the place in its sources: `Internal: ./src/x.cc(66) [condition] text`, or without it.
std::string reasonOf(const sentencepiece::util::Status &status) {
  const std::string text = status.ToString();
  const size_t place = text.rfind("] "), code = text.find(": ");
  const size_t begin = place != std::string::npos ? place + 2 : code != std::string::npos ? code + 2 : 0;
  const std::string reason = text.substr(begin);
  return reason.empty() ? "no reason given" : reason;
}

class PieceTokenizer final : public Tokenizer {
public:
  static Result<std::unique_ptr<Tokenizer>> load(const std::string &model, const std::string &name) {
    auto tokenizer = std::make_unique<PieceTokenizer>();
    const auto refuse = [&](std::string_view reason) {
      return Status(StatusCode::malformed, fmt::format("'{}' is not a SentencePiece model: {}", name, reason));
    };
    // The library believes what it reads: it throws for some models, and reads beyond its tables for others.
    if (Status status = checkPieceModel(model); !status.ok())
      return refuse(status.message());
    try {
      const auto status = tokenizer->pieces_.LoadFromSerializedProto(model);
      if (!status.ok())
        return refuse(reasonOf(status));
    } catch (const std::exception &error) {
      return refuse(error.what());
    }
    const sentencepiece::SentencePieceProcessor &pieces = tokenizer->pieces_;
    if (pieces.bos_id() != token::bos || pieces.pad_id() != token::pad || pieces.eos_id() != token::eos ||
        pieces.unk_id() != token::unk)
      return Status(StatusCode::malformed,
                    fmt::format("expects the ids bos 0, pad 1, eos 2, unk 3, but '{}' has {}, {}, {}, {}", name,
                                pieces.bos_id(), pieces.pad_id(), pieces.eos_id(), pieces.unk_id()));
    tokenizer->model_ = model;
    return Result<std::unique_ptr<Tokenizer>>(std::move(tokenizer));
  }

  int32_t size() const override { return pieces_.GetPieceSize(); }
  std::vector<int32_t> encode(std::string_view line) const override {
    std::vector<int> ids;
    if (!pieces_.Encode({line.data(), line.size()}, &ids).ok())
      ids.clear();
    return ids;
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::vector<int> kept;
    for (int32_t id : ids)
      if (id >= token::unk && id < size())
        kept.push_back(id);
    std::string text;
    if (!pieces_.Decode(kept, &text).ok())
      text.clear();
    return text;
  }
  std::string serialized() const override { return model_; }

private:
  sentencepiece::SentencePieceProcessor pieces_;
  std::string model_;
};

class WordTokenizer final : public Tokenizer {
public:
  explicit WordTokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

  int32_t size() const override { return vocabulary_.size(); }
  std::vector<int32_t> encode(std::string_view line) const override {
    std::vector<int32_t> ids;
    forEachWord(line, [&](std::string_view word) { ids.push_back(vocabulary_.id(word)); });
    return ids;
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (int32_t id : ids) {
      if (id < token::unk || id >= size())
        continue;
      if (!text.empty())
        text += ' ';
      text += vocabulary_.token(id);
    }
    return text;
  }
  std::string serialized() const override { return vocabulary_.str(); }

  template <typename Visit> static void forEachWord(std::string_view line, Visit visit) {
    constexpr std::string_view blanks = " \t\r\n\f\v";
    for (size_t begin = line.find_first_not_of(blanks); begin != std::string_view::npos;) {
      const size_t end = std::min(line.find_first_of(blanks, begin), line.size());
      visit(line.substr(begin, end - begin));
      begin = line.find_first_not_of(blanks, end);
    }
  }

private:
  Vocabulary vocabulary_;
};

class ByteTokenizer final : public Tokenizer {
public:
  int32_t size() const override { return token::firstFree + 256; }
  std::vector<int32_t> encode(std::string_view line) const override {
    std::vector<int32_t> ids;
    for (char c : line)
      ids.push_back(token::firstFree + static_cast<unsigned char>(c));
    return ids;
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::string text;
    for (int32_t id : ids)
      if (id >= token::firstFree && id < size())
        text += static_cast<char>(id - token::firstFree);
    return text;
  }
  std::string serialized() const override { return ""; }
};

class Lines final : public sentencepiece::SentenceIterator {
public:
  explicit Lines(std::span<const std::string> lines) : lines_(lines) {}
  bool done() const override { return next_ == lines_.size(); }
  void Next() override { ++next_; }
  const std::string &value() const override { return lines_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

private:
  std::span<const std::string> lines_;
  size_t next_ = 0;
};

Result<std::unique_ptr<Tokenizer>> learnPieces(TokenizerKind kind, std::span<const std::string> lines, int32_t size) {
  Lines iterator(lines);
  std::string model;
  // One thread: the float sums of the unigram trainer depend on the number of threads.
  const auto status = sentencepiece::SentencePieceTrainer::Train({{"model_type", std::string(name(kind))},
                                                                  {"vocab_size", std::to_string(size)},
                                                                  {"character_coverage", "1.0"},
                                                                  {"bos_id", "0"},
                                                                  {"pad_id", "1"},
                                                                  {"eos_id", "2"},
                                                                  {"unk_id", "3"},
                                                                  {"num_threads", "1"},
                                                                  {"minloglevel", "2"}},
                                                                 &iterator, &model);
  if (!status.ok())
    return Status(StatusCode::usage, fmt::format("SentencePiece cannot learn {} pieces from {} lines: {}", size,
                                                 lines.size(), reasonOf(status)));
  return PieceTokenizer::load(model, "the learned model");
}

std::unique_ptr<Tokenizer> learnWords(std::span<const std::string> lines, int32_t size) {
  std::map<std::string, int64_t, std::less<>> counts;
  for (const std::string &line : lines)
    WordTokenizer::forEachWord(line, [&](std::string_view word) {
      const auto entry = counts.find(word);
      if (entry == counts.end())
        counts.emplace(word, 1);
      else
        ++entry->second;
    });
  std::vector<std::pair<std::string, int64_t>> words(counts.begin(), counts.end());
  std::stable_sort(words.begin(), words.end(), [](const auto &a, const auto &b) { return a.second > b.second; });
  if (size > 0 && words.size() + token::firstFree > static_cast<size_t>(size))
    words.resize(static_cast<size_t>(std::max(size - token::firstFree, 0)));
  Vocabulary vocabulary;
  for (const auto &[word, count] : words)
    vocabulary.add(word, count);
  return std::make_unique<WordTokenizer>(std::move(vocabulary));
}

} // namespace

std::string_view name(TokenizerKind kind) {
  switch (kind) {
  case TokenizerKind::bpe:
    return "bpe";
  case TokenizerKind::unigram:
    return "unigram";
  case TokenizerKind::whitespace:
    return "whitespace";
  case TokenizerKind::bytes:
    return "bytes";
  }
  return "";
}

Result<TokenizerKind> tokenizerKindByName(std::string_view text) {
  for (TokenizerKind kind :
       {TokenizerKind::bpe, TokenizerKind::unigram, TokenizerKind::whitespace, TokenizerKind::bytes})
    if (name(kind) == text)
      return kind;
  return Status(StatusCode::malformed,
                fmt::format("expects a tokenizer out of bpe, unigram, whitespace and bytes, but got '{}'", text));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::load(TokenizerKind kind, const std::string &serialized,
                                                   const std::string &name) {
  if (kind == TokenizerKind::bytes)
    return Result<std::unique_ptr<Tokenizer>>(std::make_unique<ByteTokenizer>());
  if (kind == TokenizerKind::bpe || kind == TokenizerKind::unigram)
    return PieceTokenizer::load(serialized, name);
  Result<Vocabulary> vocabulary = Vocabulary::parse(serialized, name);
  if (!vocabulary.ok())
    return vocabulary.status();
  return Result<std::unique_ptr<Tokenizer>>(std::make_unique<WordTokenizer>(vocabulary.take()));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::learn(TokenizerKind kind, std::span<const std::string> lines,
                                                    int32_t vocabularySize) {
  if (kind == TokenizerKind::bytes)
    return Result<std::unique_ptr<Tokenizer>>(std::make_unique<ByteTokenizer>());
  const bool allWords = kind == TokenizerKind::whitespace && vocabularySize == 0;
  if (!allWords && vocabularySize <= token::firstFree)
    return Status(StatusCode::usage,
                  fmt::format("expects a vocabulary size above {}, but got {}", token::firstFree, vocabularySize));
  if (kind == TokenizerKind::whitespace)
    return Result<std::unique_ptr<Tokenizer>>(learnWords(lines, vocabularySize));
  return learnPieces(kind, lines, vocabularySize);
}

} // namespace bifocal
