// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_JSON_H
#define BIFOCAL_RUNTIME_CORE_JSON_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace bifocal {

/// Parses untrusted text without exceptions and refuses nesting that would exhaust the stack. `what` names the text in
/// the message.
Result<nlohmann::json> parseJson(std::string_view text, std::string_view what);

/// What stands where something else was expected, for messages: "got ..." or "it is missing".
std::string foundJson(const nlohmann::json *value);

/// Checked access to the members of one JSON object; the first problem sticks and later reads return empty values, so
/// a reader asks for all its fields and then looks at `status` once.
class JsonReader {
public:
  /// `where` is the path of `object` in its document, for messages.
  JsonReader(const nlohmann::json &object, std::string where);

  int64_t integer(const char *key);
  int64_t integer(const char *key, int64_t absent);
  double number(const char *key, double absent);
  bool boolean(const char *key, bool absent);
  std::string string(const char *key);
  std::string string(const char *key, std::string_view absent);
  /// An array or object; an empty one of that kind after an error.
  const nlohmann::json &array(const char *key);
  const nlohmann::json &object(const char *key);
  /// Any member, or null where there is none.
  const nlohmann::json &member(const char *key) const;
  bool has(const char *key) const;

  /// Records an error about `key` unless there is one already.
  void fail(const char *key, std::string_view rule);
  /// Records `status`, which says where itself, unless it is ok or there is an error already.
  void adopt(const Status &status) {
    if (status_.ok())
      status_ = status;
  }
  /// Records `status` with this reader's path in front unless it is ok or there is an error already.
  void check(const char *key, const Status &status);
  const Status &status() const { return status_; }
  const std::string &where() const { return where_; }

private:
  const nlohmann::json *find(const char *key) const;

  const nlohmann::json &json_;
  std::string where_;
  Status status_;
};

} // namespace bifocal
#endif
