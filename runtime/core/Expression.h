// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_RUNTIME_CORE_EXPRESSION_H
#define BIFOCAL_RUNTIME_CORE_EXPRESSION_H

#include "runtime/core/Status.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bifocal {

/// An integer expression over the symbols of an entry point, such as `B * ceildiv(S, 16)`: kept as postfix code, so
/// that evaluation needs no memory. All values are int64; overflow, division by something not positive and a negative
/// result are errors.
class Expression {
public:
  Expression() : Expression(0) {}
  explicit Expression(int64_t constant) { code_.push_back({Op::constant, constant}); }

  /// Parses an integer, a name out of `symbols`, or `[op, a, b]`.
  static Result<Expression> parse(const nlohmann::json &json, std::span<const std::string> symbols);

  /// The value for these values of the symbols (in the order that `parse` was given), or nothing on an error.
  std::optional<int64_t> evaluate(std::span<const int64_t> symbols) const;

  /// The index of the symbol if the expression is nothing but one.
  std::optional<size_t> symbol() const;
  /// The number of symbols that `evaluate` expects: one more than the largest index in the expression.
  size_t symbolCount() const;
  /// The value if the expression has no symbols.
  std::optional<int64_t> constant() const;
  /// The constant and what it multiplies, of `[*, a, constant]`; otherwise 1 and the expression.
  std::pair<int64_t, Expression> splitFactor() const;
  /// Whether no value falls, nor comes back after an error, while `symbol` grows and the others stay: seen from the
  /// form alone, for symbols that are not negative. False may also mean that the form does not say.
  bool growsWith(size_t symbol) const;
  /// Readable infix form, e.g. "(B * S)".
  std::string str(std::span<const std::string> symbols) const;

private:
  enum class Op : uint8_t { constant, symbol, add, sub, mul, ceildiv, floordiv, mod, max, min };
  struct Code {
    Op op;
    int64_t operand; ///< the constant, or the index of the symbol
  };
  static constexpr size_t maxDepth = 32;
  static constexpr size_t maxLength = 512;

  static Status append(const nlohmann::json &json, std::span<const std::string> symbols, size_t depth,
                       std::vector<Code> &code);
  static bool apply(Op op, int64_t a, int64_t b, int64_t &result);
  static const char *spelling(Op op);

  std::vector<Code> code_;
};

} // namespace bifocal
#endif
