// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/ModelCases.h"

#include <algorithm>

using namespace bifocal;
using namespace bifocal::golden;

Status golden::compareDecoding(CompiledModule &module, const GoldenFile &file, Comparison &comparison) {
  const GoldenTensor &tokens = file["input.src_tokens"], &expected = file["output.lprobs"];
  const int64_t rows = tokens.shape[0], steps = tokens.shape[1], words = expected.shape[2];
  BIFOCAL_RETURN_IF_ERROR(module.session().sizeStates({{"R", rows}, {"P", steps}}));
  std::vector<float> found(expected.values.size());
  std::vector<int64_t> ancestors(static_cast<size_t>(rows * steps));
  for (int64_t row = 0; row < rows; ++row)
    std::fill_n(ancestors.begin() + row * steps, steps, row);
  for (int64_t step = 0; step < steps; ++step) {
    // The first position stands behind that of padding, id 1.
    std::vector<int64_t> column, positions(static_cast<size_t>(rows), step + 2), stepValue{step};
    for (int64_t row = 0; row < rows; ++row)
      column.push_back(tokens.integers[static_cast<size_t>(row * steps + step)]);
    HostTensor token = HostTensor::ofInts({rows}, column), position = HostTensor::ofInts({rows}, positions);
    HostTensor history = HostTensor::ofInts({rows, steps}, ancestors), at = HostTensor::ofInts({}, stepValue);
    HostTensor scores = HostTensor::zeros({rows, words});
    BIFOCAL_RETURN_IF_ERROR(module.run("decode_step", {{"tokens", &token},
                                                       {"positions", &position},
                                                       {"ancestors", &history},
                                                       {"step", &at},
                                                       {"log_probabilities", &scores}}));
    for (int64_t row = 0; row < rows; ++row)
      std::copy_n(scores.floats().begin() + row * words, words, found.begin() + (row * steps + step) * words);
  }
  compareReal("decode_step lprobs", found, expected.values, tokens, comparison);
  return {};
}

Status golden::compareLanguageModel(const GoldenFile &file, Comparison &comparison) {
  auto module = CompiledModule::ofSpec(specOfLanguageModel(file), /*training=*/true);
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  Batch batch(file);
  auto arguments = batch.arguments();
  // Of an adaptive softmax there are no logits but log-probabilities; the file has features in their place.
  const bool adaptive = file.hparams.value("criterion", "") == "adaptive_loss";
  const GoldenTensor &expected = file[adaptive ? "output.lprobs" : "output.features_or_logits"];
  HostTensor logits = HostTensor::zeros(expected.shape);
  arguments["logits"] = &logits;
  BIFOCAL_RETURN_IF_ERROR((*module)->run("forward", arguments));
  compareReal("output.logits", logits.floats(), expected.values, file["input.src_tokens"], comparison);
  BIFOCAL_RETURN_IF_ERROR(compareDecoding(**module, file, comparison));
  const double loss = file.hparams.value("loss", 0.0);
  return compareLosses(**module, file, {loss, loss, file.integer("sample_size")}, batch, comparison);
}
