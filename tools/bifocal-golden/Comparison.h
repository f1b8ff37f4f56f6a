// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_COMPARISON_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_COMPARISON_H

#include <span>
#include <string>

namespace bifocal::golden {

/// The project's bounds for f32 against tensors that were computed in f64.
inline constexpr double outputBound = 2e-5;    ///< outputs and losses, relative to the largest entry
inline constexpr double gradientBound = 1e-4;  ///< relative to the largest entry
inline constexpr double updateBound = 1e-4;    ///< losses over ten updates, relative
inline constexpr double scoreBound = 1e-4;     ///< scores of hypotheses, absolute
inline constexpr double parameterBound = 2e-5; ///< parameters after ten updates, absolute

/// Gathers the differences of one file and remembers the one that comes nearest to its bound, or exceeds it most.
class Comparison {
public:
  /// Largest difference over the largest expected entry. Some gradients are zero in exact arithmetic, so the scale is
  /// never below `floor`.
  void relative(const std::string &name, std::span<const float> found, std::span<const float> expected, double bound,
                double floor = 0);
  void absolute(const std::string &name, double found, double expected, double bound);
  /// What cannot be a little wrong.
  void equal(const std::string &name, bool same);

  bool passed() const { return ratio <= 1; }
  bool checkedSomething() const { return checks > 0; }
  /// "worst 1.2e-06 of grad.conv.weight (bound 1e-04)".
  std::string worst() const;

private:
  void note(const std::string &name, double error, double bound);

  double ratio = -1, worstError = 0, worstBound = 0;
  std::string worstName;
  int checks = 0;
};

} // namespace bifocal::golden
#endif
