// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/Corpus.h"

#include "runtime/data/Vocabulary.h"

#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <xxhash.h>

namespace bifocal {
namespace {

static_assert(std::endian::native == std::endian::little, "corpus files are mapped as they are");

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t vocabularySize;
  uint64_t sentences;
  uint64_t tokens;
  uint64_t reserved;
  uint64_t digest;
};
static_assert(sizeof(Header) == 48);

constexpr char magic[8] = {'B', 'I', 'F', 'O', 'C', 'O', 'R', 'P'};
constexpr uint32_t currentVersion = 1;

uint64_t digestOf(const Header &header, std::span<const std::byte> offsets, std::span<const std::byte> ids) {
  XXH3_state_t *state = XXH3_createState();
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, &header, offsetof(Header, digest));
  XXH3_64bits_update(state, offsets.data(), offsets.size());
  XXH3_64bits_update(state, ids.data(), ids.size());
  const uint64_t digest = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return digest;
}

} // namespace

Result<Corpus> Corpus::open(const std::string &path) {
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  Corpus corpus(file.take());
  BIFOCAL_RETURN_IF_ERROR(corpus.check(path));
  return Result<Corpus>(std::move(corpus));
}

Status Corpus::check(const std::string &path) {
  const auto malformed = [&](const std::string &what) {
    return Status(StatusCode::malformed, fmt::format("'{}': {}", path, what));
  };
  const std::span<const std::byte> bytes = file_->bytes();
  if (bytes.size() < sizeof(Header))
    return malformed(fmt::format("expects a header of {} bytes, but the file has {}", sizeof(Header), bytes.size()));
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, magic, sizeof magic) != 0)
    return malformed("expects a prepared corpus, but the first 8 bytes are others");
  if (header.version != currentVersion)
    return Status(StatusCode::unsupported, fmt::format("'{}': expects version {}, but got {}; prepare the text again",
                                                       path, currentVersion, header.version));
  if (header.vocabularySize > static_cast<uint32_t>(INT32_MAX))
    return malformed(
        fmt::format("expects a vocabulary of at most {} tokens, but got {}", INT32_MAX, header.vocabularySize));
  // Counts are compared by division, so that no product can overflow.
  const size_t room = bytes.size() - sizeof(Header);
  if (header.sentences >= room / sizeof(uint64_t) || header.tokens > room / sizeof(int32_t) ||
      (header.sentences + 1) * sizeof(uint64_t) + header.tokens * sizeof(int32_t) != room)
    return malformed(fmt::format("expects {} sentences and {} tokens, but {} bytes follow the header", header.sentences,
                                 header.tokens, room));
  const std::span<const std::byte> offsetBytes =
      bytes.subspan(sizeof(Header), (header.sentences + 1) * sizeof(uint64_t));
  const std::span<const std::byte> idBytes = bytes.subspan(sizeof(Header) + offsetBytes.size());
  if (digestOf(header, offsetBytes, idBytes) != header.digest)
    return malformed("the content does not match its digest; the file is damaged");
  offsets_ = {reinterpret_cast<const uint64_t *>(offsetBytes.data()), offsetBytes.size() / sizeof(uint64_t)};
  ids_ = {reinterpret_cast<const int32_t *>(idBytes.data()), idBytes.size() / sizeof(int32_t)};
  if (offsets_.front() != 0 || offsets_.back() != header.tokens)
    return malformed("expects offsets from 0 to the number of tokens");
  for (size_t i = 0; i + 1 < offsets_.size(); ++i)
    if (offsets_[i + 1] <= offsets_[i] || offsets_[i + 1] > header.tokens || ids_[offsets_[i + 1] - 1] != token::eos)
      return malformed(fmt::format("expects sentence {} to have tokens and to end with id {}", i, token::eos));
  for (int32_t id : ids_)
    if (id < 0 || static_cast<uint32_t>(id) >= header.vocabularySize)
      return malformed(fmt::format("expects ids below {}, but got {}", header.vocabularySize, id));
  vocabularySize_ = static_cast<int32_t>(header.vocabularySize);
  digest_ = header.digest;
  return Status();
}

Status writeCorpus(const std::string &path, std::span<const std::vector<int32_t>> sentences, int32_t vocabularySize) {
  std::vector<uint64_t> offsets{0};
  std::vector<int32_t> ids;
  for (const std::vector<int32_t> &sentence : sentences) {
    ids.insert(ids.end(), sentence.begin(), sentence.end());
    offsets.push_back(ids.size());
  }
  return writeCorpus(path, offsets, ids, vocabularySize);
}

Status writeCorpus(const std::string &path, std::span<const uint64_t> offsets, std::span<const int32_t> ids,
                   int32_t vocabularySize) {
  Header header{};
  std::memcpy(header.magic, magic, sizeof magic);
  header.version = currentVersion;
  header.vocabularySize = static_cast<uint32_t>(vocabularySize);
  header.sentences = offsets.size() - 1;
  header.tokens = ids.size();
  header.digest = digestOf(header, std::as_bytes(offsets), std::as_bytes(ids));
  Result<std::unique_ptr<AtomicFile>> file = AtomicFile::create(path);
  if (!file.ok())
    return file.status();
  BIFOCAL_RETURN_IF_ERROR((*file)->write(std::as_bytes(std::span(&header, 1))));
  BIFOCAL_RETURN_IF_ERROR((*file)->write(std::as_bytes(offsets)));
  BIFOCAL_RETURN_IF_ERROR((*file)->write(std::as_bytes(ids)));
  return (*file)->commit();
}

} // namespace bifocal
