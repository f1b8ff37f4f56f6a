// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_QUANTIZELINEARSPASS
#include "passes/Passes.h.inc"

namespace {

/// Whether a function trains a model or judges it.
bool hasLoss(func::FuncOp function) {
  return llvm::any_of(function.front(), [](Operation &op) {
    return isa<CrossEntropyOp, CrossEntropyGradOp, ProjectedCrossEntropyOp, OptimizerOpInterface, LinearWeightGradOp>(
        op);
  });
}

std::optional<Quantization> quantizationOf(ModuleOp module) {
  auto training = module->getAttrOfType<DictionaryAttr>("bifocal.training");
  auto precision = dyn_cast_or_null<StringAttr>(training ? training.get("precision") : Attribute());
  return llvm::StringSwitch<std::optional<Quantization>>(precision ? precision.getValue() : StringRef())
      .Case("int8", Quantization::factors)
      .Case("int8_weight_only", Quantization::weights)
      .Default(std::nullopt);
}

class QuantizeLinears : public impl::QuantizeLinearsPassBase<QuantizeLinears> {
public:
  using QuantizeLinearsPassBase::QuantizeLinearsPassBase;

  void runOnOperation() override {
    std::optional<Quantization> quantization = quantizationOf(getOperation());
    if (!quantization)
      return;
    Remarks report(remarks);
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (hasLoss(function))
        continue;
      for (auto linear : function.front().getOps<LinearOp>()) {
        if (linear.getWeight().getDefiningOp<ParamRefOp>())
          linear.setQuantization(*quantization);
        else
          report.wide(linear, "its weight is no parameter");
      }
    }
  }
};

} // namespace
} // namespace bifocal
