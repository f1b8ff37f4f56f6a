// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/ShortList.h"

#include "runtime/data/Vocabulary.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace bifocal;

namespace {

using Ids = std::vector<int32_t>;

/// 40 target tokens, the last one the most frequent. Source token 4 has the translations 10 and 11, 5 has 11 and 12.
LexicalTable tableOfForty() {
  Ids frequent(40);
  std::iota(frequent.rbegin(), frequent.rend(), 0);
  std::vector<std::vector<LexicalTable::Translation>> translations(8);
  translations[token::pad] = {{30, 1.0f}};
  translations[token::eos] = {{31, 1.0f}};
  translations[4] = {{10, 0.6f}, {11, 0.1f}};
  translations[5] = {{11, 0.5f}, {12, 0.2f}};
  return LexicalTable(translations, frequent);
}

} // namespace

TEST(ShortList, has_what_every_vocabulary_has_and_frequent_tokens_and_translations) {
  const LexicalTable table = tableOfForty();
  const Ids source{4, token::eos, token::pad};
  EXPECT_EQ(shortList(table, source, 8), (Ids{0, 1, 2, 3, 10, 11, 38, 39}));
}

TEST(ShortList, takes_the_likeliest_translations_of_any_token) {
  const LexicalTable table = tableOfForty();
  const Ids both{5, 4, 5, token::eos}, second{5, token::eos};
  // 10 by 0.6, 11 by 0.5, 12 by 0.2: no room for a second frequent token.
  EXPECT_EQ(shortList(table, both, 8), (Ids{0, 1, 2, 3, 10, 11, 12, 39}));
  EXPECT_EQ(shortList(table, second, 8), (Ids{0, 1, 2, 3, 11, 12, 38, 39}));
}

TEST(ShortList, an_eighth_is_of_frequent_tokens_whatever_the_source) {
  Ids frequent(40);
  std::iota(frequent.rbegin(), frequent.rend(), 0);
  std::vector<std::vector<LexicalTable::Translation>> translations(5);
  for (int32_t target = 4; target < 30; ++target)
    translations[4].push_back({target, 1.0f / static_cast<float>(target)});
  const Ids source{4, token::eos};
  const Ids list = shortList(LexicalTable(translations, frequent), source, 16);
  EXPECT_EQ(list, (Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 38, 39}));
}

TEST(ShortList, may_be_the_whole_vocabulary) {
  Ids all(40);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(shortList(tableOfForty(), Ids{token::eos}, 40), all);
}
