// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Prepared.h"

#include "runtime/core/Artifact.h"
#include "runtime/core/Json.h"
#include "runtime/data/Text.h"
#include "runtime/data/Vocabulary.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <tuple>

namespace bifocal {
namespace {

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

/// What data.json calls text in one language; without a kind it describes pairs.
constexpr std::string_view monolingualKind = "monolingual";

std::string corpusPath(const std::string &folder, const std::string &split, const std::string &language) {
  return language.empty() ? fmt::format("{}/{}.bin", folder, split)
                          : fmt::format("{}/{}.{}.bin", folder, split, language);
}

/// SentencePiece models and word lists keep the endings that their own tools give them.
std::string tokenizerFile(TokenizerKind kind, const std::string &language) {
  if (kind == TokenizerKind::bytes)
    return "";
  const bool words = kind == TokenizerKind::whitespace;
  if (language.empty())
    return words ? "dict.txt" : "pieces.model";
  return words ? fmt::format("dict.{}.txt", language) : fmt::format("pieces.{}.model", language);
}

Result<std::vector<std::string>> readSide(const std::string &prefix, const std::string &language) {
  const std::string path = fmt::format("{}.{}", prefix, language);
  if (!std::filesystem::exists(path) && std::filesystem::exists(path + ".txt"))
    return readLines(path + ".txt");
  return readLines(path);
}

std::string digestOf(const std::string &text) { return digest(std::as_bytes(std::span(text))); }

/// `expected` is the digest of the file, or empty where nobody knows it.
Result<TokenizerPtr> loadTokenizer(TokenizerKind kind, const std::string &path, const std::string &expected = "") {
  std::string content;
  if (kind != TokenizerKind::bytes) {
    Result<std::string> read = readText(path);
    if (!read.ok())
      return read.status();
    content = read.take();
    if (const std::string actual = digestOf(content); !expected.empty() && actual != expected)
      return Status(StatusCode::malformed,
                    fmt::format("'{}': expects the digest {} of data.json, but the file has {}: it is damaged, or not "
                                "the one that the data was made with",
                                path, expected, actual));
  }
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::load(kind, content, path);
  if (!tokenizer.ok())
    return tokenizer.status();
  return TokenizerPtr(tokenizer.take());
}

/// Bytes are taken as they are: all that a line lacks is the byte that ends it.
Result<std::vector<std::string>> readMonolingual(const std::string &path, TokenizerKind kind) {
  Result<std::string> text = readText(path);
  if (!text.ok())
    return Status(text.status().code(),
                  text.status().message() + " (without languages the option names the file itself)");
  if (kind != TokenizerKind::bytes)
    return splitLines(*text);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text->size();) {
    const size_t end = std::min(text->find('\n', begin), text->size());
    lines.push_back(text->substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// The text of all splits of one preparation.
struct Text {
  std::map<std::string, std::vector<std::string>> source, target;
};

Result<Text> readText(const PrepareOptions &options) {
  Text text;
  for (const auto &[split, prefix] : options.splits) {
    Result<std::vector<std::string>> source = readSide(prefix, options.sourceLanguage);
    if (!source.ok())
      return source.status();
    Result<std::vector<std::string>> target = readSide(prefix, options.targetLanguage);
    if (!target.ok())
      return target.status();
    if (source->size() != target->size())
      return Status(
          StatusCode::malformed,
          fmt::format("expects line n of '{0}.{1}' to translate line n of '{0}.{2}', but they have {3} and {4} lines",
                      prefix, options.sourceLanguage, options.targetLanguage, source->size(), target->size()));
    text.source[split] = source.take();
    text.target[split] = target.take();
  }
  return text;
}

Result<TokenizerPtr> learnTokenizer(const PrepareOptions &options, const std::vector<std::string> &first,
                                    const std::vector<std::string> &second) {
  std::vector<std::string> lines(first);
  lines.insert(lines.end(), second.begin(), second.end());
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::learn(options.tokenizer, lines, options.vocabularySize);
  if (!tokenizer.ok())
    return tokenizer.status();
  return TokenizerPtr(tokenizer.take());
}

Result<std::pair<TokenizerPtr, TokenizerPtr>> makeTokenizers(const PrepareOptions &options, Text &text) {
  const auto side = [&](const std::string &existing, const std::vector<std::string> &first,
                        const std::vector<std::string> &second) {
    return existing.empty() ? learnTokenizer(options, first, second) : loadTokenizer(options.tokenizer, existing);
  };
  const std::vector<std::string> &source = text.source["train"], &target = text.target["train"], none;
  Result<TokenizerPtr> first = side(options.sourceVocabulary, source, options.joint ? target : none);
  if (!first.ok())
    return first.status();
  if (options.joint)
    return std::pair(*first, *first);
  Result<TokenizerPtr> second = side(options.targetVocabulary, target, none);
  if (!second.ok())
    return second.status();
  return std::pair(*first, *second);
}

Result<PreparedSide> writeSide(const PrepareOptions &options, const std::string &split, const std::string &language,
                               const std::vector<std::string> &lines, const Tokenizer &tokenizer) {
  PreparedSide side{split, language, static_cast<int64_t>(lines.size())};
  std::vector<uint64_t> offsets{0};
  std::vector<int32_t> ids;
  for (const std::string &line : lines) {
    const std::vector<int32_t> sentence = tokenizer.encode(line);
    ids.insert(ids.end(), sentence.begin(), sentence.end());
    ids.push_back(token::eos);
    offsets.push_back(ids.size());
  }
  side.tokens = static_cast<int64_t>(ids.size());
  side.unknown = std::count(ids.begin(), ids.end(), token::unk);
  BIFOCAL_RETURN_IF_ERROR(writeCorpus(corpusPath(options.folder, split, language), offsets, ids, tokenizer.size()));
  return side;
}

/// Writes a tokenizer's file and gives what data.json says about it.
Result<nlohmann::json> writeTokenizer(const PrepareOptions &options, const std::string &language,
                                      const Tokenizer &tokenizer) {
  const std::string file = tokenizerFile(options.tokenizer, options.joint ? "" : language);
  nlohmann::json entry = {{"tokenizer_file", file}, {"vocabulary", tokenizer.size()}};
  if (!language.empty())
    entry["language"] = language;
  if (file.empty())
    return entry;
  const std::string content = tokenizer.serialized();
  entry["tokenizer_digest"] = digestOf(content);
  BIFOCAL_RETURN_IF_ERROR(writeTextAtomically(options.folder + "/" + file, content));
  return entry;
}

Status writeDescription(const PrepareOptions &options, const Tokenizer &source, const Tokenizer &target) {
  nlohmann::json splits = nlohmann::json::array();
  for (const auto &[split, prefix] : options.splits)
    splits.push_back(split);
  nlohmann::json description = {{"format", 1}, {"tokenizer", name(options.tokenizer)}, {"splits", splits}};
  if (options.isMonolingual())
    description["kind"] = monolingualKind;
  else
    description["joint"] = options.joint;
  const std::tuple<const char *, std::string, const Tokenizer *> sides[] = {
      {options.isMonolingual() ? "text" : "source", options.sourceLanguage, &source},
      {"target", options.targetLanguage, &target}};
  for (const auto &[side, language, tokenizer] : std::span(sides).first(options.isMonolingual() ? 1 : 2)) {
    Result<nlohmann::json> entry = writeTokenizer(options, language, *tokenizer);
    if (!entry.ok())
      return entry.status();
    description[side] = entry.take();
  }
  return writeTextAtomically(options.folder + "/data.json", description.dump(2) + "\n");
}

/// A name that is safe as part of a file name inside the folder.
bool isPlainName(const std::string &text) {
  return !text.empty() && text.size() < 100 && text[0] != '.' && text.find('/') == std::string::npos &&
         text.find('\0') == std::string::npos;
}

Status createFolder(const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? Status(StatusCode::cannotRead, fmt::format("cannot create '{}': {}", folder, error.message()))
               : Status();
}

std::string stringAt(const nlohmann::json &object, const char *key) {
  return object.is_object() && object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

/// Checks what data.json says about a side, and loads its tokenizer.
Result<TokenizerPtr> openSide(const nlohmann::json &side, const char *key, TokenizerKind kind,
                              const std::string &folder, bool monolingual) {
  const auto malformed = [&](std::string_view rule) {
    return Status(StatusCode::malformed, fmt::format("'{}/data.json': {}", folder, rule));
  };
  const std::string language = stringAt(side, "language"), file = stringAt(side, "tokenizer_file");
  const bool hasFile = kind == TokenizerKind::bytes || isPlainName(file);
  if (monolingual && !hasFile)
    return malformed(
        fmt::format("expects in \"{}\" a \"tokenizer_file\" that is a name in the folder, but got '{}'", key, file));
  if (!monolingual && !(hasFile && isPlainName(language)))
    return malformed(fmt::format("expects in \"{}\" a \"language\" and a \"tokenizer_file\" that are names in the "
                                 "folder, but got '{}' and '{}'",
                                 key, language, file));
  if (side.contains("tokenizer_digest") && !side["tokenizer_digest"].is_string())
    return malformed(fmt::format("expects in \"{}\" a \"tokenizer_digest\" of hexadecimal digits, but {}", key,
                                 foundJson(&side["tokenizer_digest"])));
  return loadTokenizer(kind, folder + "/" + file, stringAt(side, "tokenizer_digest"));
}

} // namespace

static Status checkLanguages(const PrepareOptions &options) {
  for (const std::string &language : {options.sourceLanguage, options.targetLanguage})
    if (!isPlainName(language))
      return {StatusCode::usage,
              fmt::format("expects language names that can end the name of a file, but got '{}'", language)};
  if (options.sourceLanguage == options.targetLanguage)
    return {StatusCode::usage, fmt::format("expects two different language names, but got '{}' and '{}'",
                                           options.sourceLanguage, options.targetLanguage)};
  return {};
}

static Result<std::vector<PreparedSide>> prepareMonolingual(const PrepareOptions &options) {
  std::map<std::string, std::vector<std::string>> text;
  for (const auto &[split, path] : options.splits) {
    Result<std::vector<std::string>> lines = readMonolingual(path, options.tokenizer);
    if (!lines.ok())
      return lines.status();
    text[split] = lines.take();
  }
  if (text["train"].empty())
    return Status(StatusCode::malformed,
                  fmt::format("expects at least one line to train on, but '{}' has none", options.splits.at("train")));
  const Result<TokenizerPtr> tokenizer = options.sourceVocabulary.empty()
                                             ? learnTokenizer(options, text["train"], {})
                                             : loadTokenizer(options.tokenizer, options.sourceVocabulary);
  if (!tokenizer.ok())
    return tokenizer.status();
  BIFOCAL_RETURN_IF_ERROR(createFolder(options.folder));
  std::vector<PreparedSide> report;
  for (const auto &[split, lines] : text) {
    Result<PreparedSide> side = writeSide(options, split, "", lines, **tokenizer);
    if (!side.ok())
      return side.status();
    report.push_back(side.take());
  }
  BIFOCAL_RETURN_IF_ERROR(writeDescription(options, **tokenizer, **tokenizer));
  return report;
}

static Result<std::vector<PreparedSide>> prepareParallel(const PrepareOptions &options) {
  BIFOCAL_RETURN_IF_ERROR(checkLanguages(options));
  Result<Text> text = readText(options);
  if (!text.ok())
    return text.status();
  if (text->source["train"].empty())
    return Status(StatusCode::malformed,
                  fmt::format("expects at least one pair of lines to train on, but '{}.{}' has none",
                              options.splits.at("train"), options.sourceLanguage));
  auto tokenizers = makeTokenizers(options, *text);
  if (!tokenizers.ok())
    return tokenizers.status();
  const auto &[source, target] = *tokenizers;
  BIFOCAL_RETURN_IF_ERROR(createFolder(options.folder));
  std::vector<PreparedSide> report;
  for (const auto &[split, prefix] : options.splits) {
    for (bool isSource : {true, false}) {
      Result<PreparedSide> side =
          writeSide(options, split, isSource ? options.sourceLanguage : options.targetLanguage,
                    (isSource ? text->source : text->target)[split], isSource ? *source : *target);
      if (!side.ok())
        return side.status();
      report.push_back(side.take());
    }
  }
  // The description comes last: a folder that has one is complete.
  BIFOCAL_RETURN_IF_ERROR(writeDescription(options, *source, *target));
  return report;
}

Result<std::vector<PreparedSide>> prepare(const PrepareOptions &options) {
  if (!options.splits.contains("train"))
    return Status(StatusCode::usage, "expects a training text to learn the vocabulary from");
  if (!options.targetVocabulary.empty() && options.joint)
    return Status(StatusCode::usage,
                  "expects the one vocabulary of both languages as the source's, or a vocabulary for each language");
  if (options.tokenizer == TokenizerKind::bytes &&
      !(options.sourceVocabulary.empty() && options.targetVocabulary.empty()))
    return Status(StatusCode::usage, "expects no vocabulary file for bytes: their vocabulary is fixed");
  return options.isMonolingual() ? prepareMonolingual(options) : prepareParallel(options);
}

Result<PreparedData> PreparedData::open(const std::string &folder) {
  const std::string path = folder + "/data.json";
  Result<std::string> text = readText(path, size_t{1} << 20);
  if (!text.ok())
    return Status(text.status().code(), text.status().message() + " (expects a folder that `bifocal prepare` made)");
  Result<nlohmann::json> parsed = parseJson(*text, path);
  if (!parsed.ok())
    return parsed.status();
  const nlohmann::json &json = *parsed;
  const auto malformed = [&](std::string_view rule) {
    return Status(StatusCode::malformed, fmt::format("'{}': {}", path, rule));
  };
  if (!json.is_object() || !json.contains("format"))
    return malformed("expects a JSON object with \"format\": 1");
  if (json["format"] != 1)
    return Status(StatusCode::unsupported, fmt::format("'{}': expects \"format\": 1, but {}; prepare the text again",
                                                       path, foundJson(&json["format"])));
  Result<TokenizerKind> kind = tokenizerKindByName(stringAt(json, "tokenizer"));
  if (!kind.ok())
    return malformed(kind.status().message());
  PreparedData data;
  data.folder_ = folder;
  const nlohmann::json *splits = json.contains("splits") ? &json["splits"] : nullptr;
  const auto isSplit = [](const nlohmann::json &split) {
    return split.is_string() && isPlainName(split.get<std::string>());
  };
  if (!splits || !splits->is_array() || !std::all_of(splits->begin(), splits->end(), isSplit))
    return malformed(fmt::format("expects a list of names such as \"train\" in \"splits\", but {}", foundJson(splits)));
  data.splits_ = splits->get<std::vector<std::string>>();
  data.kind_ = *kind;
  const bool monolingual = stringAt(json, "kind") == monolingualKind;
  if (json.contains("kind") && !monolingual)
    return malformed(
        fmt::format("expects \"kind\" to be \"{}\" or absent, but {}", monolingualKind, foundJson(&json["kind"])));
  for (const char *key : monolingual ? std::vector{"text"} : std::vector{"source", "target"}) {
    const nlohmann::json side = json.contains(key) ? json[key] : nlohmann::json();
    Result<TokenizerPtr> tokenizer = openSide(side, key, *kind, folder, monolingual);
    if (!tokenizer.ok())
      return tokenizer.status();
    if (!monolingual)
      data.languages_.push_back(stringAt(side, "language"));
    (data.source_ ? data.target_ : data.source_) = tokenizer.take();
  }
  return data;
}

Result<Corpus> PreparedData::corpus(const std::string &split, const std::string &language) const {
  if (std::find(splits_.begin(), splits_.end(), split) == splits_.end())
    return Status(StatusCode::usage,
                  fmt::format("expects a split out of {}, but got '{}'", fmt::join(splits_, ", "), split));
  const Tokenizer &tokenizer = isMonolingual() || language == languages_[0] ? *source_ : *target_;
  const std::string path = corpusPath(folder_, split, language);
  Result<Corpus> corpus = Corpus::open(path);
  if (corpus.ok() && corpus->vocabularySize() != tokenizer.size())
    return Status(StatusCode::malformed,
                  fmt::format("'{}' was made with {} tokens, but the tokenizer of the folder has {}", path,
                              corpus->vocabularySize(), tokenizer.size()));
  return corpus;
}

} // namespace bifocal
