// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"

using namespace mlir;

namespace bifocal {

LogicalResult ParamOp::verify() { return success(); }
LogicalResult ParamRefOp::verifySymbolUses(SymbolTableCollection &) { return success(); }
LogicalResult StateOp::verify() { return success(); }
LogicalResult StateWriteOp::verifySymbolUses(SymbolTableCollection &) { return success(); }

} // namespace bifocal
