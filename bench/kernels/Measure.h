// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_KERNELS_MEASURE_H
#define BIFOCAL_BENCH_KERNELS_MEASURE_H

#include "bench/kernels/Case.h"
#include "bench/kernels/Roofline.h"

#include <map>

namespace bifocal::bench {

struct Budget {
  double seconds = 1; ///< of all rounds of a case together
  int leastRounds = 5, mostRounds = 200;
};

/// What a case took, in seconds.
struct Row {
  const Case *what = nullptr;
  double ours = 0, peer = 0; ///< medians of runs in turn
  double oursRange[2] = {}, peerRange[2] = {};
  int rounds = 0;
  std::string formulation;            ///< the best one of PyTorch
  std::map<std::string, double> all;  ///< medians of the formulations that had a chance
  std::map<std::string, double> slow; ///< the best of three runs of the others
  double difference = 0;              ///< of our results from that formulation's, relative
  double roofline = 0;                ///< the least time over our fastest run: both ends are undisturbed

  double ratio() const { return peer / ours; }
  bool reachesGoal() const { return ratio() >= what->goal; }
};

/// What a kernel should make of the machine.
constexpr double rooflineGoal = 0.6;

/// Checks our results against every formulation, and times both sides in turn. A difference beyond the case's bound is
/// a numeric mismatch; a formulation that fails is an error.
Result<Row> measure(const Case &what, const Budget &budget, Roofline &roofline);

} // namespace bifocal::bench
#endif
