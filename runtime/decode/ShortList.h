// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_DECODE_SHORTLIST_H
#define BIFOCAL_RUNTIME_DECODE_SHORTLIST_H

#include "runtime/data/LexicalTable.h"

#include <cstdint>
#include <span>
#include <vector>

namespace bifocal {

/// Room for the tokens that every vocabulary begins with, and for others.
inline constexpr int64_t leastShortList = 8;

/// The `count` target tokens, ascending, that a translation of sentences with the tokens `source` may need: the tokens
/// that every vocabulary begins with, the most frequent ones for an eighth of the list, and then by the likeliest
/// translation that they are of any token of `source`; among equals the more frequent. The decoder gives them all of
/// the probability, as Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation",
/// decode.
///
/// `source` has ids below the table's source vocabulary; `count` is at most its target vocabulary and at least
/// `leastShortList`.
std::vector<int32_t> shortList(const LexicalTable &table, std::span<const int32_t> source, int64_t count);

} // namespace bifocal
#endif
