// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;
using namespace bifocal;

#include "dialect/bifocal/BifocalDialect.cpp.inc"
#include "dialect/bifocal/BifocalEnums.cpp.inc"
#include "dialect/bifocal/BifocalInterfaces.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/bifocal/BifocalOps.cpp.inc"

void BifocalDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/bifocal/BifocalOps.cpp.inc"
      >();
}
