// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelSchedule.h"
#include "passes/RowSchedule.h"

using namespace mlir;

namespace bifocal {

std::optional<KernelSchedule> scheduleSearch(Operation *op) {
  if (!isa<TopKOp>(op))
    return std::nullopt;
  KernelSchedule schedule;
  schedule.family = op->getName().stripDialect().str();
  schedule.rowsPerTile = rowsPerTile(lastAxis(op->getOperand(0)));
  schedule.stages = {rowCount(launchSymbols(op).operands[0], op->getContext()).ceilDiv(schedule.rowsPerTile)};
  return schedule;
}

} // namespace bifocal
