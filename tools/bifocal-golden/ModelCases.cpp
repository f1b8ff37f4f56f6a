// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/ModelCases.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

Status golden::loadParameters(CompiledModule &module, const GoldenFile &file) {
  for (const auto &[name, tensor] : file.tensors) {
    // The published dictionaries also hold versions, devices, and a bias that is never read.
    if (!name.starts_with("param.") || name.ends_with(".version") || name.ends_with("._float_tensor") ||
        name.ends_with(".conv_bias"))
      continue;
    std::span<float> piece = module.parameter(name.substr(6));
    if (piece.size() != tensor.values.size())
      return Status(StatusCode::numericMismatch, fmt::format("the model has {} elements in `{}`, but the file {}",
                                                             piece.size(), name.substr(6), tensor.values.size()));
    std::copy(tensor.values.begin(), tensor.values.end(), piece.begin());
  }
  return {};
}

static HostTensor idsOf(const GoldenTensor &tensor) { return HostTensor::ofInts(tensor.shape, tensor.integers); }

Batch::Batch(const GoldenFile &file) {
  const bool translates = file.has("input.prev_output_tokens");
  if (translates)
    source = idsOf(file["input.src_tokens"]);
  previous = idsOf(file[translates ? "input.prev_output_tokens" : "input.src_tokens"]);
  target = idsOf(file["input.target"]);
  constexpr int64_t seed[2] = {1, 0};
  constexpr float nothing[4] = {0, 0, 0, 0};
  rng = HostTensor::ofLongs({2}, seed);
  hyper = HostTensor::ofFloats({4}, nothing);
  loss = nll = count = norm = HostTensor::zeros({});
}

void golden::compareReal(const std::string &name, std::span<const float> found, std::span<const float> expected,
                         const GoldenTensor &tokens, Comparison &comparison) {
  std::vector<float> foundRows, expectedRows;
  size_t width = expected.size() / tokens.integers.size();
  for (size_t i = 0; i < tokens.integers.size(); ++i)
    for (size_t c = 0; c < width && tokens.integers[i] != 1; ++c) {
      foundRows.push_back(found[i * width + c]);
      expectedRows.push_back(expected[i * width + c]);
    }
  comparison.relative(name, foundRows, expectedRows, outputBound);
}

Status golden::compareForward(CompiledModule &module, const GoldenFile &file, Batch &batch, Comparison &comparison) {
  auto arguments = batch.arguments();
  HostTensor logits = HostTensor::zeros(file["output.logits"].shape);
  arguments["logits"] = &logits;
  BIFOCAL_RETURN_IF_ERROR(module.run("forward", arguments));
  // The published self-attention of a decoder also hides padded steps from each other; nobody reads those rows.
  compareReal("output.logits", logits.floats(), file["output.logits"].values, file["input.prev_output_tokens"],
              comparison);
  GoldenTensor expected = swapFirstAxes(file["output.encoder_out"]);
  HostTensor encoded = HostTensor::zeros(expected.shape);
  arguments["encoder_output"] = &encoded;
  BIFOCAL_RETURN_IF_ERROR(
      module.session().sizeStates({{"B", expected.shape[0]}, {"S", expected.shape[1]}, {"R", 1}, {"P", 1}}));
  BIFOCAL_RETURN_IF_ERROR(module.run("encode", arguments));
  compareReal("output.encoder_out", encoded.floats(), expected.values, file["input.src_tokens"], comparison);
  return {};
}

static void compareLoss(const Batch &batch, const ExpectedLoss &expected, const std::string &entry,
                        Comparison &comparison) {
  comparison.absolute(entry + " loss", batch.value(batch.loss), expected.loss, outputBound * expected.loss);
  comparison.absolute(entry + " nll", batch.value(batch.nll), expected.nll, outputBound * expected.nll);
  comparison.equal(entry + " count", batch.value(batch.count) == static_cast<double>(expected.count));
}

static void compareEntryGradients(CompiledModule &module, const GoldenFile &file, const std::string &entry,
                                  Comparison &comparison) {
  for (const auto &[name, tensor] : file.tensors)
    if (name.starts_with("grad."))
      comparison.relative(entry + " " + name, module.gradient(name.substr(5)), tensor.values, gradientBound, 0.1);
}

Status golden::compareLosses(CompiledModule &module, const GoldenFile &file, const ExpectedLoss &expected, Batch &batch,
                             Comparison &comparison) {
  BIFOCAL_RETURN_IF_ERROR(module.run("evaluate", batch.arguments()));
  compareLoss(batch, expected, "evaluate", comparison);
  // A learning rate of zero leaves the parameters where they are.
  for (const char *entry : {"accumulate_gradients", "train_step"}) {
    BIFOCAL_RETURN_IF_ERROR(module.run(entry, batch.arguments()));
    compareLoss(batch, expected, entry, comparison);
    compareEntryGradients(module, file, entry, comparison);
  }
  return {};
}

void golden::compareGradients(CompiledModule &module, const GoldenFile &file, double scale, Comparison &comparison) {
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with("grad."))
      continue;
    std::vector<float> expected = tensor.values;
    for (float &value : expected)
      value = static_cast<float>(value * scale);
    comparison.relative(name, module.gradient(name.substr(5)), expected, gradientBound, 0.1);
  }
}

Status golden::compareTraining(CompiledModule &module, const GoldenFile &file, const ExpectedUpdates &expected,
                               Batch &batch, Comparison &comparison) {
  auto compareSums = [&](size_t update) {
    const double loss = expected.losses[update];
    comparison.absolute(fmt::format("loss {}", update), batch.value(batch.loss), loss, updateBound * loss);
    if (expected.likelihoods.empty())
      return;
    const double nll = expected.likelihoods[update];
    comparison.absolute(fmt::format("nll {}", update), batch.value(batch.nll), nll, updateBound * nll);
  };
  for (size_t update = 0; update < expected.rates.size(); ++update) {
    batch.hyper = HostTensor::ofFloats({4}, expected.hyper(update));
    BIFOCAL_RETURN_IF_ERROR(module.run("train_step", batch.arguments()));
    compareSums(update);
    const double norm = expected.norms[update];
    comparison.absolute(fmt::format("norm {}", update), batch.value(batch.norm), norm, updateBound * norm);
  }
  BIFOCAL_RETURN_IF_ERROR(module.run("evaluate", batch.arguments()));
  compareSums(expected.rates.size());
  const std::string prefix = "output.final.";
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with(prefix))
      continue;
    std::span<float> found = module.parameter(name.substr(prefix.size()));
    comparison.equal(name + " size", found.size() == tensor.values.size());
    for (size_t i = 0; i < std::min(found.size(), tensor.values.size()); ++i)
      comparison.absolute(name, found[i], tensor.values[i], parameterBound);
  }
  return {};
}

Status golden::compareModel(const GoldenFile &file, Comparison &comparison) {
  auto module = CompiledModule::ofSpec(specOfModel(file, {}), /*training=*/true);
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  Batch batch(file);
  BIFOCAL_RETURN_IF_ERROR(compareForward(**module, file, batch, comparison));
  const ExpectedLoss expected{file.hparams.value("loss", 0.0), file.hparams.value("nll_loss", 0.0),
                              file.integer("ntokens")};
  return compareLosses(**module, file, expected, batch, comparison);
}

Status golden::compareUpdates(const GoldenFile &file, const GoldenFile &base, Comparison &comparison) {
  const json &hparams = file.hparams;
  AdamSettings adam{hparams["betas"][0], hparams["betas"][1], hparams.value("eps", 1e-8), hparams.value("wd", 0.0)};
  auto module = CompiledModule::ofSpec(specOfModel(base, adam), /*training=*/true);
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, base));
  Batch batch(base);
  std::vector<double> rates = hparams["lrs"], losses = hparams["losses"], norms = hparams["grad_norms"];
  for (size_t update = 0; update < rates.size(); ++update) {
    double correction = std::sqrt(1 - std::pow(adam.beta2, update + 1)) / (1 - std::pow(adam.beta1, update + 1));
    float hyper[4] = {static_cast<float>(rates[update]), static_cast<float>(rates[update] * correction),
                      static_cast<float>(hparams.value("clip", 0.0)), 0};
    batch.hyper = HostTensor::ofFloats({4}, hyper);
    BIFOCAL_RETURN_IF_ERROR((*module)->run("train_step", batch.arguments()));
    comparison.absolute(fmt::format("loss {}", update), batch.value(batch.loss), losses[update],
                        updateBound * losses[update]);
    comparison.absolute(fmt::format("norm {}", update), batch.value(batch.norm), norms[update],
                        updateBound * norms[update]);
  }
  BIFOCAL_RETURN_IF_ERROR((*module)->run("evaluate", batch.arguments()));
  comparison.absolute("last loss", batch.value(batch.loss), losses.back(), updateBound * losses.back());
  for (const auto &[name, tensor] : file.tensors) {
    // The gradient of a key's bias is rounding noise that Adam blows up to steps of the learning rate.
    if (!name.starts_with("param_after.") || name.ends_with("k_proj.bias") || name.ends_with(".version") ||
        name.ends_with(".conv_bias"))
      continue;
    std::span<float> found = (*module)->parameter(name.substr(12));
    comparison.equal(name + " size", found.size() == tensor.values.size());
    for (size_t i = 0; i < std::min(found.size(), tensor.values.size()); ++i)
      comparison.absolute(name, found[i], tensor.values[i], parameterBound);
  }
  return {};
}
