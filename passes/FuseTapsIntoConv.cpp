// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "mlir/IR/PatternMatch.h"
#include "passes/Passes.h"
#include "passes/Remarks.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_FUSETAPSINTOCONVPASS
#include "passes/Passes.h.inc"

namespace {

/// What stands between the parameter (or the predicted taps) and the convolution.
struct TapChain {
  DropoutOp dropout;
  SoftmaxOp softmax;
  Value taps;
};

/// The chain of single-reader ops that ends in `taps`; says why it stops where it could have gone on.
TapChain matchChain(Operation *conv, Value taps, bool mayDrop, int64_t kernelSize, const Remarks &remarks) {
  TapChain chain{nullptr, nullptr, taps};
  auto soleReader = [&](Operation *producer, Operation *reader) {
    Operation *second = otherReader(producer->getResult(0), {reader});
    if (second)
      remarks.kept(conv, "second reader of the taps: " + describeOp(second));
    return !second;
  };
  Operation *reader = conv;
  if (auto dropout = taps.getDefiningOp<DropoutOp>()) {
    if (!mayDrop) {
      remarks.kept(conv, "the taps are dropped before they are normalised");
      return chain;
    }
    if (!soleReader(dropout, reader))
      return chain;
    chain.dropout = dropout;
    chain.taps = dropout.getInput();
    reader = dropout;
  }
  if (auto softmax = chain.taps.getDefiningOp<SoftmaxOp>()) {
    if (static_cast<int64_t>(softmax.getGroup()) != kernelSize) {
      remarks.kept(conv, "the softmax has groups of " + Twine(softmax.getGroup()) + ", a filter has " +
                             Twine(kernelSize) + " taps");
    } else if (soleReader(softmax, reader)) {
      chain.softmax = softmax;
      chain.taps = softmax.getInput();
    }
  }
  return chain;
}

/// Folds what comes before the taps of `conv` (a `light_conv` or `dynamic_conv`) into it.
template <typename ConvOp> void fuseTaps(ConvOp conv, int64_t kernelSize, const Remarks &remarks) {
  if (conv.getNormalized() || conv.getRng())
    return;
  TapChain chain = matchChain(conv, conv.getTaps(), /*mayDrop=*/true, kernelSize, remarks);
  if (!chain.dropout && !chain.softmax)
    return;
  conv.getTapsMutable().assign(chain.taps);
  conv.setNormalized(chain.softmax != nullptr);
  if (chain.dropout) {
    conv.getRngMutable().assign(chain.dropout.getRng());
    conv.setDropRateAttr(chain.dropout.getRateAttr());
    conv.setSiteAttr(chain.dropout.getSiteAttr());
    chain.dropout.erase();
  }
  if (chain.softmax)
    chain.softmax.erase();
  remarks.fused(conv, Twine(conv.getNormalized() ? "softmax" : "") +
                          (conv.getNormalized() && conv.getRng() ? " and " : "") + (conv.getRng() ? "dropout" : "") +
                          " of " + Twine(kernelSize) + " taps");
}

/// A step of decoding never drops: only the softmax can go.
template <typename StepOp> void fuseStepTaps(StepOp step, int64_t kernelSize, const Remarks &remarks) {
  if (step.getNormalized())
    return;
  TapChain chain = matchChain(step, step.getTaps(), /*mayDrop=*/false, kernelSize, remarks);
  if (!chain.softmax)
    return;
  step.getTapsMutable().assign(chain.taps);
  step.setNormalized(true);
  chain.softmax.erase();
  remarks.fused(step, "softmax of " + Twine(kernelSize) + " taps");
}

int64_t lastDim(Value value) { return cast<ShapedType>(value.getType()).getShape().back(); }

class FuseTapsIntoConv : public impl::FuseTapsIntoConvPassBase<FuseTapsIntoConv> {
public:
  using FuseTapsIntoConvPassBase::FuseTapsIntoConvPassBase;

  void runOnOperation() override {
    Remarks report(remarks);
    // The walk has passed the producers when it comes to their reader, so erasing them is safe.
    getOperation().walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op)
          .Case([&](LightConvOp conv) { fuseTaps(conv, lastDim(conv.getTaps()), report); })
          .Case([&](DynamicConvOp conv) { fuseTaps(conv, conv.getKernelSize(), report); })
          .Case([&](LightConvStepOp step) { fuseStepTaps(step, lastDim(step.getTaps()), report); })
          .Case([&](DynamicConvStepOp step) {
            fuseStepTaps(step, lastDim(step.getTaps()) / static_cast<int64_t>(step.getHeads()), report);
          });
    });
  }
};

} // namespace
} // namespace bifocal
