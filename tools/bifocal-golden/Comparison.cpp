// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/Comparison.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

using namespace bifocal::golden;

void Comparison::note(const std::string &name, double error, double bound) {
  ++checks;
  double newRatio = std::isnan(error) ? std::numeric_limits<double>::infinity() : error / bound;
  if (newRatio <= ratio)
    return;
  ratio = newRatio;
  worstError = error;
  worstBound = bound;
  worstName = name;
}

void Comparison::relative(const std::string &name, std::span<const float> found, std::span<const float> expected,
                          double bound, double floor) {
  if (found.size() != expected.size())
    return equal(name + " (size)", false);
  double largest = floor, difference = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    double error = std::abs(static_cast<double>(found[i]) - expected[i]);
    // A NaN must not lose against a number.
    difference = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(difference, error);
  }
  note(name, difference == 0 ? 0 : difference / largest, bound);
}

void Comparison::absolute(const std::string &name, double found, double expected, double bound) {
  note(name, std::abs(found - expected), bound);
}

void Comparison::equal(const std::string &name, bool same) {
  note(name, same ? 0 : std::numeric_limits<double>::infinity(), 1);
}

std::string Comparison::worst() const {
  if (worstName.empty() || std::isinf(worstError))
    return fmt::format("differs: {}", worstName);
  return fmt::format("worst {:.1e} of {} (bound {:.0e})", worstError, worstName, worstBound);
}
