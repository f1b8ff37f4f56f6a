// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_NUMERICS_OPTESTTEXT_H
#define BIFOCAL_TEST_NUMERICS_OPTESTTEXT_H

#include "test/Numerics/OpTestCase.h"

#include <cstdint>
#include <map>
#include <random>
#include <string_view>

namespace bifocal::test {

using Sizes = std::map<char, int64_t>;

/// The value of an expression such as `B*T+o`, from left to right.
int64_t evaluateSize(std::string_view expression, const Sizes &sizes);

/// One `name[dims]:kind<limit>`.
struct Declared {
  std::string name;
  std::vector<std::string> dims;
  std::string kind, limit;

  /// The element type in MLIR.
  std::string element() const;
  std::string type(const Sizes &statics) const;
  std::vector<int64_t> shape(const Sizes &sizes) const;
};

std::vector<Declared> parseDeclared(std::string_view text);
std::vector<std::string> words(std::string_view text);

/// A generator whose draws depend on nothing but the name, on any standard library.
std::mt19937_64 generatorOf(std::string_view name);
int64_t drawBetween(std::mt19937_64 &generator, int64_t low, int64_t high);

/// The small letters, as the case fixes them or drawn from its name.
Sizes staticSizes(const OpCase &op);
/// The capital letters of run after run, on top of `statics`: one step first, then fewer steps than taps, then chance,
/// and at last more rows than a tile holds.
std::vector<Sizes> runSizes(const OpCase &op, const Sizes &statics);

/// The module: parameters, states, `@setup`, `@op`, and `@diff` with the attribute that asks for its gradient.
std::string moduleText(const OpCase &op, const Sizes &statics);

} // namespace bifocal::test
#endif
