// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_FRONTEND_TABLEREADER_H
#define BIFOCAL_FRONTEND_TABLEREADER_H

#include "frontend/Spec.h"

#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <toml++/toml.h>

namespace bifocal {

/// Reads one table of a spec: the user's entries first, then the preset's, then defaults. Every wrong entry becomes a
/// diagnostic and leaves the default in place, so that reading goes on to the next.
class TableReader {
public:
  struct Choice {
    std::string_view name;
    int value;
  };
  /// Values of families that come later, named so that the message can say "not supported yet".
  using Names = std::span<const std::string_view>;

  TableReader(std::string path, const toml::table *user, const toml::table *preset, Position start, Spec &spec,
              Diagnostics &diagnostics);

  /// A value in [low, high].
  int64_t integer(std::string_view key, int64_t fallback, int64_t low,
                  int64_t high = std::numeric_limits<int64_t>::max());
  /// A value in [low, high], or [low, high) with `open`.
  double number(std::string_view key, double fallback, double low, double high, bool open = false);
  bool boolean(std::string_view key, bool fallback);
  int choice(std::string_view key, int fallback, std::span<const Choice> choices, Names later = {});
  /// `whyLater` says what those of `later` wait for.
  std::string text(std::string_view key, std::string_view fallback, Names allowed, Names later = {},
                   std::string_view whyLater = "");
  std::vector<int64_t> integers(std::string_view key, int64_t low, int64_t high);
  std::vector<double> numbers(std::string_view key, double low, double high);
  TableReader table(std::string_view key);
  /// Whether `key` is a list.
  bool isList(std::string_view key) const;
  /// One reader for each table of a list, which is the user's or the preset's as a whole; others are reported.
  std::vector<TableReader> tables(std::string_view key, std::string_view what);

  /// Marks `key` as known without reading it.
  void accept(std::string_view key) { known.emplace(key); }

  /// Whether the user, not the preset, wrote `key`.
  bool userHas(std::string_view key) const { return user && user->contains(key); }
  bool has(std::string_view key) const { return userHas(key) || (preset && preset->contains(key)); }
  Position at(std::string_view key) const;
  /// Whether `key` has been reported: what follows from its value would only repeat that.
  bool wrong(std::string_view key) const { return reported.contains(key); }
  /// "[encoder]", for messages about what is not there.
  std::string title() const { return "[" + path + "]"; }
  void error(std::string_view key, std::string message, StatusCode code = StatusCode::diagnostics);
  /// Reports at a key of any table, by its path; where the user did not write it, at this table.
  void errorAt(std::string_view path, std::string message);

  /// Reports the entries that nobody asked for.
  void finish();

private:
  const toml::node *find(std::string_view key);
  const toml::node *find(std::string_view key, std::string_view expected, bool (toml::node::*test)() const noexcept);
  void reportChoice(std::string_view key, std::string_view found, std::span<const std::string_view> allowed,
                    Names later, std::string_view whyLater = "");
  std::string fullPath(std::string_view key) const {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
  }

  std::string path;
  const toml::table *user;
  const toml::table *preset;
  Position start;
  Spec &spec;
  Diagnostics &diagnostics;
  std::set<std::string, std::less<>> known, reported;
};

/// What is said about a value of `key` that a later version will have.
std::string notYet(std::string_view value, std::string_view key, std::span<const std::string_view> allowed,
                   std::string_view why);

/// "`a`, `b` or `c`".
std::string listOf(std::span<const std::string_view> names);

} // namespace bifocal
#endif
