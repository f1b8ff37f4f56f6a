// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_STATUS_H
#define BIFOCAL_RUNTIME_CORE_STATUS_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace bifocal {

/// What went wrong, as a process exit code says it too.
enum class StatusCode {
  ok = 0,
  diagnostics = 1,       ///< the input has errors that were reported
  usage = 2,             ///< an argument is out of its documented range
  cannotRead = 3,        ///< a file cannot be opened, read or written
  malformed = 4,         ///< a file's content breaks its format
  unsupported = 5,       ///< well-formed, but this build or machine cannot do it
  overBudget = 6,        ///< a memory or time budget does not suffice
  deviceUnavailable = 7, ///< the device is not there
  numericMismatch = 8,   ///< numbers differ from what was expected
  nondeterminism = 9,    ///< two runs that must agree do not
  internal = 70,         ///< a broken invariant of Bifocal itself
};

/// The result of an operation that can fail. Nothing in the runtime throws, prints or exits.
class [[nodiscard]] Status {
public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::ok; }
  StatusCode code() const { return code_; }
  const std::string &message() const { return message_; }

private:
  StatusCode code_ = StatusCode::ok;
  std::string message_;
};

/// A value, or the Status that says why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {
    assert(!status_.ok() && "a Result without value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status &status() const { return status_; }
  T &operator*() { return *value_; }
  const T &operator*() const { return *value_; }
  T *operator->() { return &*value_; }
  const T *operator->() const { return &*value_; }
  T take() { return std::move(*value_); }

private:
  std::optional<T> value_;
  Status status_;
};

} // namespace bifocal

/// Returns the Status of `expression` from the enclosing function unless it is ok.
#define BIFOCAL_RETURN_IF_ERROR(expression)                                                                            \
  do {                                                                                                                 \
    if (::bifocal::Status status_ = (expression); !status_.ok())                                                       \
      return status_;                                                                                                  \
  } while (false)

#endif
