// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_IRTEXT_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_IRTEXT_H

#include <string>
#include <string_view>
#include <vector>

namespace bifocal::golden {

/// Writes one function of bifocal ops as text, so that a check reads like the formula it checks.
class IrText {
public:
  struct Value {
    std::string name;              ///< with the percent sign
    std::vector<std::string> dims; ///< "?" or a number
    std::string element = "f32";

    std::string type() const;
  };

  /// An argument; `dims` are symbols where a letter, static where a number.
  Value argument(std::string_view name, std::vector<std::string> dims, std::string_view element = "f32");
  /// A parameter that is no argument and gets no gradient: its values are written into the slab.
  Value parameter(std::string_view name, const std::vector<std::string> &dims);
  /// Appends `%n = <op> : (operand types) -> result types` and returns the results.
  std::vector<Value> emit(std::string_view text, const std::vector<Value> &operands, const std::vector<Value> &results);
  /// The one result of `emit`, of the shape of `like` with another last axis.
  Value emitLike(std::string_view text, const std::vector<Value> &operands, const Value &like,
                 std::string_view last = "");

  // The ops of a layer.
  Value linear(const Value &input, const Value &weight, const Value *bias);
  Value layerNorm(const Value &input, const Value &scale, const Value &bias);
  Value glu(const Value &input);
  Value relu(const Value &input);
  Value add(const Value &left, const Value &right);
  Value softmax(const Value &input, int64_t group);

  /// The function, behind the parameters. With `gradient` it carries `bifocal.gradient`.
  std::string function(std::string_view name, const std::vector<std::pair<std::string, Value>> &results,
                       bool gradient) const;

private:
  std::vector<std::pair<Value, std::vector<std::string>>> arguments;
  std::string body, parameters;
  int next = 0;
};

} // namespace bifocal::golden
#endif
