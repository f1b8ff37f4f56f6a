// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TEST_NUMERICS_OPTESTCASE_H
#define BIFOCAL_TEST_NUMERICS_OPTESTCASE_H

// A check of one op, or of a chain that the optimize phase joins, is one entry in a table. A new op is a new entry.

#include <ostream>
#include <string>
#include <vector>

namespace bifocal::test {

/// Tensors are declared as `name[dims]:kind`, separated by spaces. A dim is an expression without precedence, from left
/// to right: capital letters are axes that every run sizes anew, small letters are static sizes drawn once per case.
/// The kinds of values (f32 without one):
///   positive, hyper   f32: at least 1; learning rates and clip norm
///   table             f32: row 1 belongs to the padding, is read and gets no gradient
///   i32<n>            ids below n
///   tokens<n>         ids below n with paddings (1), some rows nothing but paddings
///   i1, real          masks with some rows all false; masks that see the first step
///   rng               i64: seed and draw counter
///   step              i32: the number of the step
struct OpCase {
  std::string name;
  std::string arguments;
  /// Ops in order, one a line: `results = op operands and attributes`, without types. `<k-1>` puts a number.
  std::string body;
  /// The values that `@op` returns.
  std::string results;
  /// Those of them that `@diff` returns, whose gradient is checked for every float argument; empty for none.
  std::string gradients = "";
  /// How long the longest chain of roundings gets, by a sum, for values and gradients.
  std::string terms = "0", gradientTerms = "0";
  /// Static sizes that are not left to chance, as `h=3 d=5`.
  std::string sizes = "";
  std::string params = "", states = "";
  /// What `@setup` reads and does before `@op` runs.
  std::string setupArguments = "", setup = "";
  /// How many calls of `@op` follow each other; states and parameters live on between them.
  int calls = 1;
  /// Steps that caches have (P); 0: one for each call.
  int cachedSteps = 0;
  /// Runs with more rows than two windows of `plan.slabs` have, too.
  bool manyRows = false;
  /// Runs with more queries than strips of attention have, too.
  bool manyQueries = false;
};

/// What GoogleTest prints for a case.
inline void PrintTo(const OpCase &op, std::ostream *out) { *out << op.name; }

std::vector<OpCase> linearCases();
std::vector<OpCase> productCases();
std::vector<OpCase> elementCases();
std::vector<OpCase> softmaxCases();
std::vector<OpCase> normCases();
std::vector<OpCase> tokenCases();
std::vector<OpCase> adaptiveCases();
std::vector<OpCase> adaptiveChainCases();
std::vector<OpCase> recurrentCases();
std::vector<OpCase> recurrentChainCases();
std::vector<OpCase> lossCases();
std::vector<OpCase> convCases();
std::vector<OpCase> attentionCases();
std::vector<OpCase> diffAttentionCases();
std::vector<OpCase> diffChainCases();
std::vector<OpCase> relativeAttentionCases();
std::vector<OpCase> gateCases();
std::vector<OpCase> rmsNormCases();
std::vector<OpCase> rotaryCases();
std::vector<OpCase> stepCases();
std::vector<OpCase> chainCases();
std::vector<OpCase> embeddingChainCases();
std::vector<OpCase> convChainCases();
std::vector<OpCase> channelCases();
std::vector<OpCase> branchCases();

/// All of the above.
const std::vector<OpCase> &allCases();

} // namespace bifocal::test
#endif
