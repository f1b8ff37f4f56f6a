// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Expression.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string_view>

namespace bifocal {

const char *Expression::spelling(Op op) {
  switch (op) {
  case Op::constant:
  case Op::symbol:
    return "";
  case Op::add:
    return "+";
  case Op::sub:
    return "-";
  case Op::mul:
    return "*";
  case Op::ceildiv:
    return "ceildiv";
  case Op::floordiv:
    return "floordiv";
  case Op::mod:
    return "mod";
  case Op::max:
    return "max";
  case Op::min:
    return "min";
  }
  return "";
}

Status Expression::append(const nlohmann::json &json, std::span<const std::string> symbols, size_t depth,
                          std::vector<Code> &code) {
  if (depth >= maxDepth || code.size() >= maxLength)
    return {StatusCode::malformed,
            fmt::format("expects an expression of at most {} levels and {} terms", maxDepth, maxLength)};
  if (json.is_number_integer()) {
    if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      return {StatusCode::malformed, fmt::format("expects a 64-bit signed integer, but got {}", json.get<uint64_t>())};
    code.push_back({Op::constant, json.get<int64_t>()});
    return {};
  }
  if (json.is_string()) {
    const std::string &name = json.get_ref<const std::string &>();
    const auto found = std::find(symbols.begin(), symbols.end(), name);
    if (found == symbols.end())
      return {StatusCode::malformed,
              fmt::format("expects one of the symbols {}, but got '{}'", fmt::join(symbols, ", "), name)};
    code.push_back({Op::symbol, found - symbols.begin()});
    return {};
  }
  if (!json.is_array() || json.size() != 3 || !json[0].is_string())
    return {StatusCode::malformed, "expects an expression: an integer, a symbol or [op, a, b]"};
  const std::string &name = json[0].get_ref<const std::string &>();
  for (Op op : {Op::add, Op::sub, Op::mul, Op::ceildiv, Op::floordiv, Op::mod, Op::max, Op::min}) {
    if (name != spelling(op))
      continue;
    BIFOCAL_RETURN_IF_ERROR(append(json[1], symbols, depth + 1, code));
    BIFOCAL_RETURN_IF_ERROR(append(json[2], symbols, depth + 1, code));
    code.push_back({op, 0});
    return {};
  }
  return {StatusCode::malformed,
          fmt::format("expects an operator out of + - * ceildiv floordiv mod max min, but got '{}'", name)};
}

Result<Expression> Expression::parse(const nlohmann::json &json, std::span<const std::string> symbols) {
  Expression expression;
  expression.code_.clear();
  BIFOCAL_RETURN_IF_ERROR(append(json, symbols, 0, expression.code_));
  return expression;
}

bool Expression::apply(Op op, int64_t a, int64_t b, int64_t &result) {
  switch (op) {
  case Op::add:
    return !__builtin_add_overflow(a, b, &result);
  case Op::sub:
    return !__builtin_sub_overflow(a, b, &result);
  case Op::mul:
    return !__builtin_mul_overflow(a, b, &result);
  case Op::max:
    result = std::max(a, b);
    return true;
  case Op::min:
    result = std::min(a, b);
    return true;
  default:
    break;
  }
  // With b > 0 no quotient can overflow; the remainder decides the rounding of negative dividends.
  if (b <= 0)
    return false;
  const int64_t quotient = a / b, remainder = a % b;
  switch (op) {
  case Op::floordiv:
    result = quotient - (remainder < 0 ? 1 : 0);
    return true;
  case Op::ceildiv:
    result = quotient + (remainder > 0 ? 1 : 0);
    return true;
  case Op::mod:
    result = remainder < 0 ? remainder + b : remainder;
    return true;
  default:
    return false;
  }
}

std::optional<int64_t> Expression::evaluate(std::span<const int64_t> symbols) const {
  // A binary tree of depth d never has more than d + 1 values on the stack.
  std::array<int64_t, maxDepth + 1> stack;
  size_t top = 0;
  for (const Code &code : code_) {
    if (code.op == Op::constant) {
      stack[top++] = code.operand;
    } else if (code.op == Op::symbol) {
      if (static_cast<size_t>(code.operand) >= symbols.size())
        return std::nullopt;
      stack[top++] = symbols[static_cast<size_t>(code.operand)];
    } else {
      --top;
      if (!apply(code.op, stack[top - 1], stack[top], stack[top - 1]))
        return std::nullopt;
    }
  }
  if (stack[0] < 0)
    return std::nullopt;
  return stack[0];
}

std::optional<size_t> Expression::symbol() const {
  if (code_.size() == 1 && code_[0].op == Op::symbol)
    return static_cast<size_t>(code_[0].operand);
  return std::nullopt;
}

size_t Expression::symbolCount() const {
  size_t count = 0;
  for (const Code &code : code_)
    if (code.op == Op::symbol)
      count = std::max(count, static_cast<size_t>(code.operand) + 1);
  return count;
}

std::pair<int64_t, Expression> Expression::splitFactor() const {
  const size_t length = code_.size();
  if (length < 3 || code_[length - 1].op != Op::mul || code_[length - 2].op != Op::constant)
    return {1, *this};
  Expression rest;
  rest.code_.assign(code_.begin(), code_.end() - 2);
  return {code_[length - 2].operand, rest};
}

std::optional<int64_t> Expression::constant() const {
  const bool constant =
      std::none_of(code_.begin(), code_.end(), [](const Code &code) { return code.op == Op::symbol; });
  return constant ? evaluate({}) : std::nullopt;
}

bool Expression::growsWith(size_t symbol) const {
  // What is known of a part: it stays as `symbol` grows; or it grows or stays. Any of both is >= 0 or of unknown sign.
  struct Part {
    bool stays = true, grows = true, natural = true;
  };
  std::vector<Part> stack;
  for (const Code &code : code_) {
    if (code.op == Op::constant || code.op == Op::symbol) {
      const bool constant = code.op == Op::constant;
      stack.push_back({constant || static_cast<size_t>(code.operand) != symbol, true, !constant || code.operand >= 0});
      continue;
    }
    const Part b = stack.back();
    stack.pop_back();
    Part &a = stack.back();
    const bool natural = a.natural && b.natural, grows = a.grows && b.grows;
    switch (code.op) {
    case Op::add:
    case Op::mul:
      // Below 0 a sum may come back from an error, and a product may fall.
      a.grows = grows && natural, a.natural = natural;
      break;
    case Op::max:
    case Op::min:
      a.grows = grows, a.natural = natural || (code.op == Op::max && (a.natural || b.natural));
      break;
    case Op::ceildiv:
    case Op::floordiv:
      a.grows = a.grows && b.stays;
      break;
    default: // A difference falls with what is taken away, a remainder at every multiple.
      a.grows = false, a.natural = code.op == Op::mod;
      break;
    }
    a.stays = a.stays && b.stays;
    a.grows |= a.stays;
  }
  return stack.back().grows && (stack.back().natural || stack.back().stays);
}

std::string Expression::str(std::span<const std::string> symbols) const {
  std::vector<std::string> stack;
  for (const Code &code : code_) {
    if (code.op == Op::constant) {
      stack.push_back(std::to_string(code.operand));
    } else if (code.op == Op::symbol) {
      stack.push_back(symbols[static_cast<size_t>(code.operand)]);
    } else {
      const std::string b = std::move(stack.back());
      stack.pop_back();
      const bool infix = code.op == Op::add || code.op == Op::sub || code.op == Op::mul;
      stack.back() = infix ? fmt::format("({} {} {})", stack.back(), spelling(code.op), b)
                           : fmt::format("{}({}, {})", spelling(code.op), stack.back(), b);
    }
  }
  return stack.back();
}

} // namespace bifocal
