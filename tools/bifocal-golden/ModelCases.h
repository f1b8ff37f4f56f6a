// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELCASES_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELCASES_H

#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/ModelSpec.h"

namespace bifocal::golden {

/// Copies every `param.` tensor into the slab.
Status loadParameters(CompiledModule &module, const GoldenFile &file);

/// The batch of a model file and the scalars that its entries return.
struct Batch {
  /// A language model has no source.
  explicit Batch(const GoldenFile &file);

  std::map<std::string, HostTensor *> arguments() {
    return {{"source", &source}, {"previous", &previous}, {"target", &target},
            {"rng", &rng},       {"hyper", &hyper},       {"loss", &loss},
            {"nll", &nll},       {"count", &count},       {"gradient_norm", &norm}};
  }
  double value(const HostTensor &tensor) const { return tensor.floats()[0]; }

  HostTensor source, previous, target, rng, hyper, loss, nll, count, norm;
};

/// What the entries with a loss give.
struct ExpectedLoss {
  double loss = 0, nll = 0;
  int64_t count = 0;
};

/// Compares the rows of real tokens: padded ones hold whatever the layers made of them.
void compareReal(const std::string &name, std::span<const float> found, std::span<const float> expected,
                 const GoldenTensor &tokens, Comparison &comparison);

/// `evaluate`, `accumulate_gradients` and `train_step`: their losses, and the gradients of the last two.
Status compareLosses(CompiledModule &module, const GoldenFile &file, const ExpectedLoss &expected, Batch &batch,
                     Comparison &comparison);

/// Logits and the encoder's output, of real tokens.
Status compareForward(CompiledModule &module, const GoldenFile &file, Batch &batch, Comparison &comparison);

} // namespace bifocal::golden
#endif
