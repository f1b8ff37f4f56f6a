// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_KERNELS_ROOFLINE_H
#define BIFOCAL_BENCH_KERNELS_ROOFLINE_H

#include <map>
#include <utility>

namespace bifocal::bench {

/// What this machine can do with so many threads, measured when first asked for.
class Roofline {
public:
  explicit Roofline(int threads) : threads_(threads) {}

  /// Fused multiply-adds in f32 on registers, flop/s.
  double peakFlops();
  /// Bytes/s of a loop that reads and writes so many bytes again and again, from whatever cache or memory they stay in.
  double bandwidth(double bytesRead, double bytesWritten);
  /// The least seconds that so much work takes: the longer of its arithmetic and its traffic.
  double leastSeconds(double flops, double bytesRead, double bytesWritten);

private:
  int threads_;
  double peak_ = 0;
  std::map<std::pair<double, double>, double> bandwidths_;
};

} // namespace bifocal::bench
#endif
