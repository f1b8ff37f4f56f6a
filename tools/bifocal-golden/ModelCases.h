// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELCASES_H
#define BIFOCAL_TOOLS_BIFOCALGOLDEN_MODELCASES_H

#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"
#include "tools/bifocal-golden/ModelSpec.h"

#include <array>
#include <functional>

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

/// What a file has of updates: of each the rate, the inputs `hyper`, and loss and norm of the gradient before it; one
/// more loss stands behind the last. Parameters after it are `output.final.<name>`.
struct ExpectedUpdates {
  std::vector<double> rates, losses, norms;
  std::vector<double> likelihoods; ///< empty where the file has none
  std::function<std::array<float, 4>(size_t update)> hyper;
};
Status compareTraining(CompiledModule &module, const GoldenFile &file, const ExpectedUpdates &expected, Batch &batch,
                       Comparison &comparison);

/// The gradients of the file times `scale`, such as the number of tokens where it has those of the mean.
void compareGradients(CompiledModule &module, const GoldenFile &file, double scale, Comparison &comparison);

/// `output.lprobs` by `decode_step`: all steps of all rows, one after the other.
Status compareDecoding(CompiledModule &module, const GoldenFile &file, Comparison &comparison);

/// Logits and the encoder's output, of real tokens.
Status compareForward(CompiledModule &module, const GoldenFile &file, Batch &batch, Comparison &comparison);

} // namespace bifocal::golden
#endif
