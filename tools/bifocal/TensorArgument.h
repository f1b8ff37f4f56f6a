// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCAL_TENSORARGUMENT_H
#define BIFOCAL_TOOLS_BIFOCAL_TENSORARGUMENT_H

#include "runtime/core/Npy.h"
#include "runtime/core/Status.h"

#include <string>
#include <string_view>
#include <utility>

namespace bifocal::tools {

/// Splits `name=value` at the first '='.
Result<std::pair<std::string, std::string>> splitAssignment(const std::string &text);

/// Reads a tensor as the command line writes it: `@x.npy`, `@x.safetensors:key`, or inline as in `2x3xi32=1,2,3,4,5,6`.
Result<HostTensor> readTensorArgument(const std::string &text);

/// Converts to another element type; integers must be in its range.
Result<HostTensor> convert(const HostTensor &tensor, ElementType type);

/// `[2, 3] f32, min, max, mean and the first values` in one line; a rank-0 tensor is just its value.
std::string summary(const HostTensor &tensor);

/// The worst difference between two tensors of one shape.
struct Difference {
  int64_t index = 0, mismatches = 0;
  double actual = 0, expected = 0;
};
/// Elements mismatch where |actual - expected| > atol + rtol |expected|, or where exactly one is not a number.
Result<Difference> compare(const HostTensor &actual, const HostTensor &expected, double rtol, double atol);

} // namespace bifocal::tools
#endif
