// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_KERNELS_CONTEST_H
#define BIFOCAL_BENCH_KERNELS_CONTEST_H

#include "bench/kernels/Case.h"
#include "bench/kernels/Formulations.h"
#include "test/Numerics/OpTestText.h"

namespace bifocal::bench {

/// What a contest is made of.
struct ContestSpec {
  test::OpCase op;                 ///< ours
  test::Sizes statics;             ///< the small letters of `op`
  std::string entry = "op";        ///< the entry point of it
  std::vector<std::string> values; ///< its results that PyTorch has too: the value, then gradients of the float inputs
  std::vector<std::pair<std::string, at::Tensor>> inputs; ///< ours by name; those of PyTorch are the first ones
  size_t peerInputs = 0;                                  ///< how many of them PyTorch gets
  bool backward = false;
  bool random = false; ///< both sides draw their own numbers
  std::vector<Formulation> formulations;
  int threads = 2;
};

/// Compiles `op` (once for all contests of one text and number of threads) and allocates everything.
Result<std::unique_ptr<Contest>> makeContest(ContestSpec spec);

} // namespace bifocal::bench
#endif
