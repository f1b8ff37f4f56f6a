// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/IrText.h"

#include <fmt/format.h>

using namespace bifocal::golden;

std::string IrText::Value::type() const {
  std::string text = "tensor<";
  for (const std::string &dim : dims)
    text += dim + "x";
  return text + element + ">";
}

IrText::Value IrText::argument(std::string_view name, std::vector<std::string> dims, std::string_view element) {
  Value value{fmt::format("%{}", name), dims, std::string(element)};
  std::vector<std::string> symbols;
  for (std::string &dim : value.dims) {
    bool symbol = dim.front() < '0' || dim.front() > '9';
    symbols.push_back(symbol ? dim : "");
    if (symbol)
      dim = "?";
  }
  arguments.push_back({value, symbols});
  return value;
}

IrText::Value IrText::parameter(std::string_view name, const std::vector<std::string> &dims) {
  Value value{fmt::format("%v{}", next++), dims};
  const std::string declared =
      fmt::format("bifocal.param @{} : {} init {{kind = \"zeros\"}} frozen\n", name, value.type());
  if (parameters.find(declared) == std::string::npos)
    parameters += declared;
  body += fmt::format("  {} = bifocal.param_ref @{} : {}\n", value.name, name, value.type());
  return value;
}

static std::string typesOf(const std::vector<IrText::Value> &values) {
  std::string text;
  for (const IrText::Value &value : values)
    text += (text.empty() ? "" : ", ") + value.type();
  return text;
}

std::vector<IrText::Value> IrText::emit(std::string_view text, const std::vector<Value> &operands,
                                        const std::vector<Value> &results) {
  std::vector<Value> named = results;
  std::string names;
  for (Value &value : named) {
    value.name = fmt::format("%v{}", next++);
    names += (names.empty() ? "" : ", ") + value.name;
  }
  body += fmt::format("  {} = bifocal.{} : ({}) -> ({})\n", names, text, typesOf(operands), typesOf(named));
  return named;
}

IrText::Value IrText::emitLike(std::string_view text, const std::vector<Value> &operands, const Value &like,
                               std::string_view last) {
  Value result = like;
  if (!last.empty())
    result.dims.back() = last;
  return emit(text, operands, {result}).front();
}

IrText::Value IrText::linear(const Value &input, const Value &weight, const Value *bias) {
  if (!bias)
    return emitLike(fmt::format("linear {}, {}", input.name, weight.name), {input, weight}, input, weight.dims.front());
  return emitLike(fmt::format("linear {}, {} bias {}", input.name, weight.name, bias->name), {input, weight, *bias},
                  input, weight.dims.front());
}

IrText::Value IrText::layerNorm(const Value &input, const Value &scale, const Value &bias) {
  Value statistic = input;
  statistic.dims.pop_back();
  return emit(fmt::format("layer_norm {}, {}, {}", input.name, scale.name, bias.name), {input, scale, bias},
              {input, statistic, statistic})
      .front();
}

IrText::Value IrText::glu(const Value &input) {
  return emitLike(fmt::format("glu {}", input.name), {input}, input, std::to_string(std::stoll(input.dims.back()) / 2));
}

IrText::Value IrText::relu(const Value &input) {
  Value result = input;
  result.name = fmt::format("%v{}", next++);
  body += fmt::format("  {} = bifocal.relu {} : {}\n", result.name, input.name, input.type());
  return result;
}

IrText::Value IrText::add(const Value &left, const Value &right) {
  Value result = left;
  result.name = fmt::format("%v{}", next++);
  body += fmt::format("  {} = bifocal.add {}, {} : {}\n", result.name, left.name, right.name, left.type());
  return result;
}

IrText::Value IrText::softmax(const Value &input, int64_t group) {
  return emitLike(fmt::format("softmax {} {{group = {} : i64}}", input.name, group), {input}, input);
}

std::string IrText::function(std::string_view name, const std::vector<std::pair<std::string, Value>> &results,
                             bool gradient) const {
  std::string text = parameters + fmt::format("func.func @{}(", name);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto &[value, symbols] = arguments[i];
    std::string dims;
    for (const std::string &symbol : symbols)
      dims += fmt::format("{}\"{}\"", dims.empty() ? "" : ", ", symbol);
    text += fmt::format("{}{}: {} {{bifocal.name = \"{}\", bifocal.dims = [{}]}}", i == 0 ? "" : ",\n    ", value.name,
                        value.type(), value.name.substr(1), dims);
  }
  std::string names, types, values;
  for (const auto &[resultName, value] : results) {
    names += fmt::format("{}{} {{bifocal.name = \"{}\"}}", names.empty() ? "" : ", ", value.type(), resultName);
    values += (values.empty() ? "" : ", ") + value.name;
    types += (types.empty() ? "" : ", ") + value.type();
  }
  return text + fmt::format(")\n    -> ({}){} {{\n{}  return {} : {}\n}}\n", names,
                            gradient ? " attributes {bifocal.gradient}" : "", body, values, types);
}
