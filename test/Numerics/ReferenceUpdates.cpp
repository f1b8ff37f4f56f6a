// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a training step does with gradients.

#include "dialect/bifocal/BifocalOps.h"
#include "test/Numerics/ReferenceMath.h"

using namespace bifocal;
using namespace bifocal::test;

namespace {
/// One parameter in an update, with the gradient of the mean.
struct Updated {
  Tensor &p, &gradient, &first, &second;
  Tensor g;
};

void update(AdamOp op, const Tensor &hyper, Updated &at) {
  double beta1 = op.getBeta1().convertToFloat(), beta2 = op.getBeta2().convertToFloat();
  at.first = at.first * beta1 + (1 - beta1) * at.g;
  at.second = at.second * beta2 + (1 - beta2) * at.g * at.g;
  at.p = at.p - op.getWeightDecay().convertToFloat() * hyper[0] * at.p;
  at.p = at.p - hyper[1] * at.first / (at.second.sqrt() + op.getEpsilon().convertToFloat());
}

void update(AdagradOp op, const Tensor &hyper, Updated &at) {
  Tensor g = at.g + op.getWeightDecay().convertToFloat() * at.p, rate = hyper[1], norm = torch::linalg_norm(g);
  double clip = op.getClip().convertToFloat();
  if (clip > 0)
    rate = rate * torch::clamp_max(clip / (norm + 1e-10), 1);
  at.first = at.first + g.square();
  at.p = at.p - rate * g / (at.first.sqrt() + op.getEpsilon().convertToFloat());
}

// The published form, with the velocity as a sum of steps that already have their rate.
void update(NagOp op, const Tensor &hyper, Updated &at) {
  double momentum = op.getMomentum().convertToFloat();
  Tensor ahead = momentum * momentum * hyper[1] * at.first - (1 + momentum) * hyper[0] * at.g;
  at.p = at.p * (1 - hyper[0] * op.getWeightDecay().convertToFloat()) + ahead;
  at.first = momentum * hyper[1] * at.first - hyper[0] * at.g;
}

void update(SgdOp op, const Tensor &hyper, Updated &at) {
  Tensor g = at.g + op.getWeightDecay().convertToFloat() * at.p;
  at.first = op.getMomentum().convertToFloat() * at.first + g;
  at.p = at.p - hyper[0] * at.first;
}
} // namespace

template <typename Op> void Reference::updateParameters(Op op) {
  const Tensor hyper = value(op.getHyper()), factor = value(op.getFactor());
  for (auto reference : op.getParams().template getAsRange<mlir::FlatSymbolRefAttr>()) {
    std::string name = reference.getValue().str();
    Tensor &gradient = gradients.at(name);
    for (auto *moments : {&firstMoments, &secondMoments})
      if (!moments->contains(name))
        (*moments)[name] = torch::zeros_like(gradient);
    Updated at{parameters.at(name), gradient, firstMoments[name], secondMoments[name], gradient * factor};
    update(op, hyper, at);
    if (mlir::DenseF32ArrayAttr bounds = op.getBoundsAttr())
      at.p = at.p.clamp(static_cast<double>(bounds[0]), static_cast<double>(bounds[1]));
    if (op.getClearGradients())
      gradient = torch::zeros_like(gradient);
  }
}

bool Reference::evaluateUpdate(mlir::Operation *op) {
  return llvm::TypeSwitch<mlir::Operation *, bool>(op)
      .Case([&](StoreGradientOp store) {
        Tensor &slot = gradients[store.getParam().str()];
        slot = store.getAccumulate() && slot.defined() ? slot + value(store.getGradient()) : value(store.getGradient());
        return true;
      })
      .Case([&](GlobalNormOp norm) {
        Tensor sum = torch::zeros({}, torch::kFloat64);
        for (auto name : norm.getParams().getAsRange<mlir::FlatSymbolRefAttr>())
          sum = sum + gradients.at(name.getValue().str()).square().sum();
        value(norm.getNorm()) = sum.sqrt() / value(norm.getCount());
        return true;
      })
      .Case([&](ClipOp clip) {
        double bound = value(clip.getHyper())[2].item<double>();
        Tensor factor =
            bound > 0 ? torch::clamp_max(bound / (value(clip.getNorm()) + 1e-6), 1) : torch::ones({}, torch::kFloat64);
        value(clip.getFactor()) = factor / value(clip.getCount());
        return true;
      })
      .Case<AdamOp, AdagradOp, NagOp, SgdOp>([&](auto op) { return updateParameters(op), true; })
      .Default([](mlir::Operation *) { return false; });
}
