// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Numerics/OpTestText.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <sstream>
#include <stdexcept>

using namespace bifocal;
using namespace bifocal::test;

int64_t test::evaluateSize(std::string_view expression, const Sizes &sizes) {
  int64_t value = 0;
  char operation = '+';
  for (size_t i = 0; i < expression.size();) {
    int64_t operand = 0;
    if (std::isalpha(static_cast<unsigned char>(expression[i])))
      operand = sizes.at(expression[i++]);
    else
      for (; i < expression.size() && std::isdigit(static_cast<unsigned char>(expression[i])); ++i)
        operand = operand * 10 + (expression[i] - '0');
    value = operation == '+'   ? value + operand
            : operation == '-' ? value - operand
            : operation == '*' ? value * operand
                               : value / operand;
    if (i < expression.size())
      operation = expression[i++];
  }
  return value;
}

std::string Declared::element() const {
  if (kind == "positive" || kind == "hyper" || kind == "table")
    return "f32";
  if (kind == "tokens" || kind == "step")
    return "i32";
  return kind == "real" ? "i1" : kind == "rng" ? "i64" : kind;
}

static bool isDynamic(std::string_view dim) {
  return std::any_of(dim.begin(), dim.end(), [](unsigned char c) { return std::isupper(c); });
}

std::string Declared::type(const Sizes &statics) const {
  std::string text = "tensor<";
  for (const std::string &dim : dims)
    text += (isDynamic(dim) ? "?" : std::to_string(evaluateSize(dim, statics))) + "x";
  return text + element() + ">";
}

std::vector<int64_t> Declared::shape(const Sizes &sizes) const {
  std::vector<int64_t> shape;
  for (const std::string &dim : dims)
    shape.push_back(evaluateSize(dim, sizes));
  return shape;
}

static std::vector<std::string> splitAt(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty())
      parts.push_back(part);
  return parts;
}

std::vector<std::string> test::words(std::string_view text) { return splitAt(text, ' '); }

std::vector<Declared> test::parseDeclared(std::string_view text) {
  std::vector<Declared> all;
  for (const std::string &word : words(text)) {
    size_t open = word.find('['), close = word.find(']');
    if (open == std::string::npos || close == std::string::npos)
      throw std::runtime_error("expects name[dims], but got " + word);
    Declared declared{word.substr(0, open), splitAt(word.substr(open + 1, close - open - 1), ','), "f32", ""};
    if (close + 1 < word.size())
      declared.kind = word.substr(close + 2);
    if (size_t limit = declared.kind.find('<'); limit != std::string::npos) {
      declared.limit = declared.kind.substr(limit + 1, declared.kind.size() - limit - 2);
      declared.kind.resize(limit);
    }
    all.push_back(declared);
  }
  return all;
}

std::mt19937_64 test::generatorOf(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325; // FNV-1a
  for (unsigned char letter : name)
    hash = (hash ^ letter) * 0x100000001B3;
  return std::mt19937_64(hash);
}

int64_t test::drawBetween(std::mt19937_64 &generator, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(generator() % static_cast<uint64_t>(high - low + 1));
}

Sizes test::staticSizes(const OpCase &op) {
  std::mt19937_64 generator = generatorOf(op.name);
  Sizes sizes;
  for (auto [letter, low, high] : {std::tuple{'h', 1, 5},
                                   {'d', 1, 9},
                                   {'k', 1, 7},
                                   {'v', 5, 70},
                                   {'c', 1, 70},
                                   {'i', 1, 40},
                                   {'o', 1, 40},
                                   {'j', 1, 40}})
    sizes[letter] = drawBetween(generator, low, high);
  for (const std::string &fixed : words(op.sizes))
    sizes[fixed[0]] = evaluateSize(fixed.substr(2), {});
  return sizes;
}

std::vector<Sizes> test::runSizes(const OpCase &op, const Sizes &statics) {
  std::mt19937_64 generator = generatorOf(op.name + " runs");
  auto draw = [&](int64_t high) { return drawBetween(generator, 1, high); };
  std::vector<Sizes> runs{{{'B', 1}, {'T', 1}, {'S', 1}, {'L', 1}, {'N', 1}},
                          {{'B', 2}, {'T', 2}, {'S', 11}, {'L', 5}, {'N', 3}}};
  for (int i = 0; i < 3; ++i)
    runs.push_back({{'B', draw(4)}, {'T', draw(12)}, {'S', draw(9)}, {'L', 7}, {'N', draw(6)}});
  runs.push_back({{'B', 3}, {'T', 67}, {'S', 70}, {'L', 75}, {'N', 19}});
  if (op.manyRows)
    runs.push_back({{'B', 3}, {'T', 367}, {'S', 1}, {'L', 1}, {'N', 1101}});
  if (op.manyQueries)
    runs.push_back({{'B', 1}, {'T', 301}, {'S', 330}, {'L', 340}, {'N', 1}});
  for (Sizes &run : runs) {
    run['R'] = run['N'] + 2; // states may have room for more rows than are decoded
    run['P'] = op.cachedSteps > 0 ? op.cachedSteps : op.calls;
    run.insert(statics.begin(), statics.end());
  }
  return runs;
}

namespace {
/// Writes the ops of a body; knows the type of every value by its name.
class BodyWriter {
public:
  BodyWriter(const Sizes &statics, const std::vector<Declared> &values) : statics(statics) { add(values); }

  void add(const std::vector<Declared> &values) {
    for (const Declared &value : values)
      types["%" + value.name] = value.type(statics);
  }
  std::string typesOf(const std::vector<std::string> &names) const;
  std::string write(std::string_view body);

private:
  std::string line(const std::string &line);
  std::string withNumbers(std::string text) const;

  const Sizes &statics;
  std::map<std::string, std::string> types;
};
} // namespace

std::string BodyWriter::typesOf(const std::vector<std::string> &names) const {
  std::string text;
  for (const std::string &name : names)
    text += (text.empty() ? "" : ", ") + types.at(name);
  return text;
}

std::string BodyWriter::withNumbers(std::string text) const {
  for (size_t open = 0; (open = text.find('<', open)) != std::string::npos;) {
    size_t close = text.find('>', open);
    // The elements of an attribute stay as they are.
    if (text.substr(0, open).ends_with("array")) {
      open = close;
      continue;
    }
    text.replace(open, close - open + 1,
                 std::to_string(evaluateSize(text.substr(open + 1, close - open - 1), statics)));
  }
  return text;
}

std::string BodyWriter::line(const std::string &line) {
  size_t equals = line.find(" = "), brace = line.find('{');
  bool hasResults = equals != std::string::npos && equals < brace;
  std::vector<Declared> results = parseDeclared(hasResults ? line.substr(0, equals) : "");
  std::string op = withNumbers(hasResults ? line.substr(equals + 3) : line), name = op.substr(0, op.find(' ')), left;
  std::vector<std::string> operands, resultNames;
  for (size_t at = 0; (at = op.find('%', at)) != std::string::npos;) {
    size_t end = op.find_first_of(" ,", at);
    operands.push_back(op.substr(at, end - at));
    at = end == std::string::npos ? op.size() : end;
  }
  std::string from = typesOf(operands);
  add(results);
  for (const Declared &result : results) {
    left += (left.empty() ? "%" : ", %") + result.name;
    resultNames.push_back("%" + result.name);
  }
  // Where all types are one, the op writes it once.
  static const std::set<std::string> oneType{"relu", "relu_grad",   "silu",        "silu_grad",     "add",
                                             "mul",  "log_softmax", "state_write", "store_gradient"};
  std::string type = oneType.count(name) ? types.at(operands.front())
                     : operands.empty()  ? typesOf(resultNames)
                     : hasResults        ? "(" + from + ") -> (" + typesOf(resultNames) + ")"
                                         : from;
  return "  " + left + (hasResults ? " = " : "") + "bifocal." + op + " : " + type + "\n";
}

std::string BodyWriter::write(std::string_view body) {
  std::string text;
  for (std::string one : splitAt(body, '\n'))
    if (size_t start = one.find_first_not_of(' '); start != std::string::npos)
      text += line(one.substr(start));
  return text;
}

/// `{bifocal.name = ..., bifocal.dims = [...]}`
static std::string signatureOf(const Declared &declared) {
  std::string dims;
  for (const std::string &dim : declared.dims)
    dims += (dims.empty() ? "\"" : ", \"") + (isDynamic(dim) ? dim : "") + "\"";
  return "{bifocal.name = \"" + declared.name + "\", bifocal.dims = [" + dims + "]}";
}

static std::string functionText(const std::string &name, const OpCase &op, const std::string &arguments,
                                const std::string &body, const std::string &results, const Sizes &statics,
                                bool gradient) {
  std::vector<Declared> declared = parseDeclared(arguments);
  BodyWriter writer(statics, declared);
  std::string signature, ops, types, names;
  for (const Declared &argument : declared)
    signature += (signature.empty() ? "%" : ",\n    %") + argument.name + ": " + argument.type(statics) + " " +
                 signatureOf(argument);
  std::vector<Declared> params = parseDeclared(op.params);
  writer.add(params);
  for (const Declared &param : params)
    ops += "  %" + param.name + " = bifocal.param_ref @" + param.name + " : " + param.type(statics) + "\n";
  ops += writer.write(body);
  std::vector<std::string> returned;
  for (const std::string &result : words(results)) {
    returned.push_back("%" + result);
    names += (names.empty() ? "%" : ", %") + result;
    types += (types.empty() ? "" : ", ") + writer.typesOf({"%" + result}) + " {bifocal.name = \"" + result + "\"}";
  }
  return "func.func @" + name + "(" + signature + ")\n    -> (" + types + ")" +
         (gradient ? " attributes {bifocal.gradient}" : "") + " {\n" + ops + "  return " + names +
         (names.empty() ? "" : " : ") + writer.typesOf(returned) + "\n}\n";
}

std::string test::moduleText(const OpCase &op, const Sizes &statics) {
  std::string text;
  for (const Declared &param : parseDeclared(op.params))
    text += "bifocal.param @" + param.name + " : " + param.type(statics) + " init {kind = \"zeros\"}\n";
  for (const Declared &state : parseDeclared(op.states)) {
    std::string dims;
    for (const std::string &dim : state.dims)
      dims += (dims.empty() ? "\"" : ", \"") + (isDynamic(dim) ? dim : "") + "\"";
    text += "bifocal.state @" + state.name + " : " + state.type(statics) + " dims [" + dims + "]\n";
  }
  if (!op.setup.empty())
    text += functionText("setup", op, op.setupArguments, op.setup, "", statics, false);
  text += functionText("op", op, op.arguments, op.body, op.results, statics, false);
  if (!op.gradients.empty())
    text += functionText("diff", op, op.arguments, op.body, op.gradients, statics, true);
  return text;
}
