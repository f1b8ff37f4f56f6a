// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult StoreGradientOp::verify() { return success(); }

} // namespace bifocal
