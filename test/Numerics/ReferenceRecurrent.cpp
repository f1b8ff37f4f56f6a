// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What models with a memory have beside attention, in LibTorch.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/Reference.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace bifocal;
using namespace bifocal::test;
using torch::Tensor;

bool Reference::evaluateRecurrent(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](AppendStepsOp append) {
        value(append.getOutput()) = torch::cat({value(append.getMemory()), value(append.getInput())}, 1);
        return true;
      })
      .Case([&](AppendStepsGradOp grad) {
        value(grad.getInputGrad()) = value(grad.getOutputGrad()).slice(1, value(grad.getMemory()).size(1));
        return true;
      })
      .Case([&](DistancesOp distances) {
        Tensor rows = torch::arange(value(distances.getSequence()).size(1), torch::kInt64);
        value(distances.getOutput()) = rows.clamp_max(static_cast<int64_t>(distances.getMost()));
        return true;
      })
      .Case([&](SpanPenaltyOp penalty) {
        const auto unit = static_cast<double>(penalty.getSpanUnit());
        Tensor span = value(penalty.getSpan()).flatten();
        value(penalty.getPenalty()) =
            value(penalty.getCount()) * (penalty.getFactor().convertToFloat() * unit) * span.mean();
        value(penalty.getSizes()) = span.clamp(0, 1) * unit;
        return true;
      })
      .Case([&](SpanPenaltyGradOp grad) {
        auto type = grad.getSpanGrad().getType();
        const double price = grad.getFactor().convertToFloat() * static_cast<double>(grad.getSpanUnit());
        Tensor own = value(grad.getCount()) * (price / static_cast<double>(type.getNumElements()));
        value(grad.getSpanGrad()) =
            (grad.getPenaltyGrad() ? own * value(grad.getPenaltyGrad()) : own).expand(type.getShape());
        return true;
      })
      .Case([&](SplitRowsOp split) {
        int64_t first = 0;
        for (mlir::Value output : split.getOutputs()) {
          const int64_t rows = llvm::cast<mlir::ShapedType>(output.getType()).getDimSize(0);
          value(output) = value(split.getInput()).slice(0, first, first + rows);
          first += rows;
        }
        return true;
      })
      .Default([](mlir::Operation *) { return false; });
}
