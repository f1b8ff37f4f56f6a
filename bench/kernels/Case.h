// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_BENCH_KERNELS_CASE_H
#define BIFOCAL_BENCH_KERNELS_CASE_H

// What is measured. This header stays free of torch, whose headers bring another fmt than the programs'.

#include "runtime/core/Status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bifocal::bench {

/// One op at one shape in one direction, ready to run: ours, and PyTorch in all its formulations, on the same inputs.
class Contest {
public:
  virtual ~Contest() = default;
  virtual Status runOurs() = 0;
  virtual std::vector<std::string> formulations() const = 0;
  virtual Status runPeer(size_t formulation) = 0;
  /// Of our results from those of a formulation, relative to the largest element of each tensor (at least to 1); the
  /// worst of all tensors. Zero where both sides draw their own random numbers.
  virtual Result<double> difference(size_t formulation) = 0;
};

struct Case {
  std::string family;                                     ///< light_conv, ...
  std::string direction;                                  ///< forward, forward+backward
  std::vector<std::pair<std::string, int64_t>> shape;     ///< in the order of printing
  double flops = 0;                                       ///< of the definition
  double bytesRead = 0, bytesWritten = 0;                 ///< compulsory: every operand and result once
  double goal = 0;                                        ///< how many times as fast as the best formulation
  double bound = 0;                                       ///< what `difference` may be
  std::function<Result<std::unique_ptr<Contest>>()> make; ///< compiles and allocates

  /// "light_conv forward B=16 T=256 C=512 H=4 K=31"
  std::string name() const;
};

struct CaseOptions {
  int threads = 2;
  int64_t tokens = 4096; ///< B * T
  int64_t heads = 4;     ///< of convolutions and attention
  bool quick = false;    ///< few shapes, a small vocabulary
};

std::vector<Case> makeCases(const CaseOptions &options);

/// PyTorch's number of threads, and its seed.
void prepareTorch(int threads);
/// Its version.
std::string torchVersion();

} // namespace bifocal::bench
#endif
