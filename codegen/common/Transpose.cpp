// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/common/Transpose.h"

using namespace mlir;

namespace bifocal {

using Values = KernelBuilder::Values;

Values transposeLanes(KernelBuilder &kernel, Values vectors) {
  const int64_t lanes = kernel.width();
  // The round for `half` exchanges bit `half` of a vector's number with bit `half` of a lane's number.
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      low.push_back(lane & half ? lanes + lane - half : lane);
      high.push_back(lane & half ? lanes + lane : lane + half);
    }
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & half)
        continue;
      Value first = vectors[i], second = vectors[i + half];
      vectors[i] = kernel.shuffle(first, second, low);
      vectors[i + half] = kernel.shuffle(first, second, high);
    }
  }
  return vectors;
}

Values diagonals(KernelBuilder &kernel, Values vectors) {
  const int64_t lanes = kernel.width();
  // The round for `half` takes the lanes with that bit from `half` vectors further on.
  for (int64_t half = lanes / 2; half > 0; half /= 2) {
    SmallVector<int64_t> picked;
    for (int64_t lane = 0; lane < lanes; ++lane)
      picked.push_back(lane & half ? lanes + lane : lane);
    const size_t left = vectors.size() - static_cast<size_t>(half);
    for (size_t i = 0; i < left; ++i)
      vectors[i] = kernel.shuffle(vectors[i], vectors[i + static_cast<size_t>(half)], picked);
    vectors.truncate(left);
  }
  return vectors;
}

} // namespace bifocal
