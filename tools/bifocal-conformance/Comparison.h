// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALCONFORMANCE_COMPARISON_H
#define BIFOCAL_TOOLS_BIFOCALCONFORMANCE_COMPARISON_H

#include "tools/bifocal-conformance/Trial.h"

#include <optional>

namespace bifocal::conformance {

/// How far the worst number of an outcome is from the expected one, in units of the largest expected one.
struct Difference {
  double worst = 0, largest = 0;
  double relative() const { return largest > 0 ? worst / largest : worst; }
};

/// Infinite where one is a number and the other is none.
Difference compare(const Outcome &actual, const Outcome &expected);

bool isGradient(const Outcome &outcome);
/// The largest number of all gradients.
double largestGradient(const std::vector<Outcome> &outcomes);

/// The name of the first outcome whose bits differ.
std::optional<std::string> firstOtherBits(const std::vector<Outcome> &a, const std::vector<Outcome> &b);

/// What `compare` may find in a model of this precision: sums are taken in another order, in f32.
double tolerance(const Outcome &outcome, const std::string &precision);

} // namespace bifocal::conformance
#endif
