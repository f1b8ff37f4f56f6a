// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/data/PieceModel.h"

#include "runtime/core/Varint.h"

#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <optional>

namespace bifocal {
namespace {

Status malformed(std::string message) { return {StatusCode::malformed, std::move(message)}; }

/// The numbers of fields in the messages of SentencePiece.
constexpr uint64_t normalizerField = 3, denormalizerField = 5, charsmapField = 2;

/// Goes through the fields of a serialized protocol buffer message.
class Fields {
public:
  struct Field {
    uint64_t number;
    std::string_view bytes; ///< of a string, bytes or a message; else empty
  };

  explicit Fields(std::string_view message) : rest_(message) {}
  bool done() const { return rest_.empty(); }

  /// The next field; nothing where the message breaks its format.
  std::optional<Field> next() {
    const std::optional<uint64_t> tag = varint();
    if (!tag)
      return std::nullopt;
    const uint64_t number = *tag >> 3;
    switch (*tag & 7) {
    case 0:
      return varint() ? std::optional(Field{number, {}}) : std::nullopt;
    case 1:
      return take(8) ? std::optional(Field{number, {}}) : std::nullopt;
    case 2:
      if (const std::optional<uint64_t> length = varint())
        if (const std::optional<std::string_view> bytes = take(*length))
          return Field{number, *bytes};
      return std::nullopt;
    case 5:
      return take(4) ? std::optional(Field{number, {}}) : std::nullopt;
    default:
      return std::nullopt; // Groups: no version of these messages had any.
    }
  }

private:
  std::optional<uint64_t> varint() { return readVarint(rest_); }

  std::optional<std::string_view> take(uint64_t length) {
    if (length > rest_.size())
      return std::nullopt;
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }

  std::string_view rest_;
};

uint32_t wordAt(std::string_view bytes, size_t index) {
  uint32_t word;
  std::memcpy(&word, bytes.data() + index * sizeof word, sizeof word);
  return word;
}

/// The table of a normaliser: the size of a trie, the trie, and the texts that its leaves point to, each with a zero at
/// its end. The trie is a double array of Darts: from unit i a letter c leads to unit i ^ offset(i) ^ c.
Status checkCharsmap(std::string_view bytes) {
  constexpr uint32_t lettersOfABlock = 256, leafFlag = 1 << 8, valueFlag = 1u << 31;
  if (bytes.empty())
    return {};
  if (bytes.size() < sizeof(uint32_t))
    return malformed(fmt::format("expects a normaliser's table of at least 4 bytes, but got {}", bytes.size()));
  const size_t trieBytes = wordAt(bytes, 0), units = trieBytes / sizeof(uint32_t);
  bytes.remove_prefix(sizeof(uint32_t));
  if (trieBytes >= bytes.size() || trieBytes % (lettersOfABlock * sizeof(uint32_t)) != 0 || units == 0)
    return malformed(fmt::format("expects a normaliser's trie in blocks of 1024 of its {} bytes, but it has {}",
                                 bytes.size(), trieBytes));
  const std::string_view texts = bytes.substr(trieBytes);
  if (texts.back() != '\0')
    return malformed("expects a zero after the last text of a normaliser");
  for (size_t i = 0; i < units; ++i) {
    const uint32_t unit = wordAt(bytes, i);
    // Values are never followed; what stands at the root is.
    if (i > 0 && (unit & valueFlag))
      continue;
    const uint32_t offset = (unit >> 10) << ((unit & (1u << 9)) >> 6);
    const size_t base = i ^ offset;
    if (base >= units)
      return malformed(fmt::format("expects unit {} of a normaliser's trie to lead to one of its {} units, but got {}",
                                   i, units, base));
    if (const uint32_t text = wordAt(bytes, base) & ~valueFlag; (unit & leafFlag) && text >= texts.size())
      return malformed(fmt::format("expects unit {} of a normaliser's trie to stand for one of {} bytes of text, but "
                                   "got {}",
                                   base, texts.size(), text));
  }
  return {};
}

} // namespace

Status checkPieceModel(std::string_view model) {
  const Status notAModel = malformed("expects a serialized protocol buffer");
  for (Fields fields(model); !fields.done();) {
    const std::optional<Fields::Field> field = fields.next();
    if (!field)
      return notAModel;
    if (field->number != normalizerField && field->number != denormalizerField)
      continue;
    for (Fields inner(field->bytes); !inner.done();) {
      const std::optional<Fields::Field> item = inner.next();
      if (!item)
        return notAModel;
      if (item->number == charsmapField)
        BIFOCAL_RETURN_IF_ERROR(checkCharsmap(item->bytes));
    }
  }
  return {};
}

} // namespace bifocal
