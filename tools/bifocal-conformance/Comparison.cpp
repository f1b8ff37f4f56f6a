// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-conformance/Comparison.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace bifocal::conformance {

Difference compare(const Outcome &actual, const Outcome &expected) {
  Difference difference;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const double a = actual.values[i], b = expected.values[i];
    if (std::isfinite(a) != std::isfinite(b)) {
      difference.worst = std::numeric_limits<double>::infinity();
      continue;
    }
    if (!std::isfinite(a))
      continue;
    difference.worst = std::max(difference.worst, std::abs(a - b));
    difference.largest = std::max(difference.largest, std::abs(b));
  }
  return difference;
}

bool isGradient(const Outcome &outcome) { return outcome.name.starts_with("gradient "); }

double largestGradient(const std::vector<Outcome> &outcomes) {
  double largest = 0;
  for (const Outcome &outcome : outcomes)
    if (isGradient(outcome))
      largest = std::max(largest, compare(outcome, outcome).largest);
  return largest;
}

std::optional<std::string> firstOtherBits(const std::vector<Outcome> &a, const std::vector<Outcome> &b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].values.size() != b[i].values.size() ||
        std::memcmp(a[i].values.data(), b[i].values.data(), a[i].values.size() * sizeof(float)) != 0)
      return a[i].name;
  return std::nullopt;
}

double tolerance(const Outcome &outcome, const std::string &precision) {
  // Adam divides a gradient by its own size: where it is nothing but rounding, a step has any sign.
  if (outcome.name == "parameters")
    return 5e-2;
  if (precision == "f32")
    return isGradient(outcome) ? 1e-4 : 1e-5;
  return isGradient(outcome) ? 5e-2 : 2e-2;
}

} // namespace bifocal::conformance
