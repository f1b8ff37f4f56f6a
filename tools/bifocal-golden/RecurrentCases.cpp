// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Models with a memory: Transformer-XL and adaptive span, segment after segment.

#include "runtime/train/LossEntry.h"
#include "tools/bifocal-golden/Cases.h"
#include "tools/bifocal-golden/CompiledModule.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

namespace {

std::string specOfXl(const json &h) {
  const int64_t memory = h["mem_len"], segment = h["tgt_len"], clamp = h["clamp_len"];
  const std::string cutoffs = h["cutoffs"].dump();
  const bool adaptive = !h["cutoffs"].empty();
  std::string text =
      fmt::format("[model]\nkind = \"language_model\"\ndim = {}\nnorm = \"{}\"\nshare_embeddings = \"{}\"\n"
                  "vocabulary = {}\nmax_positions = {}\ndropout = 0.0\n",
                  h["d_model"].get<int64_t>(), h["pre_lnorm"].get<bool>() ? "pre" : "post",
                  adaptive ? "none" : "decoder_in_out", h["n_token"].get<int64_t>(), memory + segment);
  if (adaptive)
    text += fmt::format("adaptive_input = {{ cutoffs = {0}, factor = {1} }}\nadaptive_softmax = {{ cutoffs = {0}, "
                        "factor = {1}, tie_weights = true, tie_projections = true, compat = true }}\n",
                        cutoffs, h["div_val"].get<int64_t>());
  return text + fmt::format("[decoder]\nlayers = {}\nmixer = \"relative_attention\"\nheads = {}\nffn_dim = {}\n"
                            "memory = {}\nclamp_length = {}\nsame_length = {}\n[training]\ntokens_per_sample = {}\n",
                            h["n_layer"].get<int64_t>(), h["n_head"].get<int64_t>(), h["d_inner"].get<int64_t>(),
                            memory, std::max<int64_t>(clamp, 0), h["same_length"].get<bool>(), segment);
}

std::string specOfSpan(const json &h) {
  return fmt::format(
      "[model]\nkind = \"language_model\"\ndim = {}\nvocabulary = {}\ndropout = 0.0\n[decoder]\nlayers = {}\n"
      "mixer = \"span_attention\"\nheads = {}\nffn_dim = {}\nattention_span = {}\nspan_ramp = {}\nspan_loss = {}\n"
      "[training]\ntokens_per_sample = {}\noptimizer = {{ name = \"adagrad\", clip = {}, epsilon = 1e-10 }}\n",
      h["hid_sz"].get<int64_t>(), h["vocab"].get<int64_t>(), h["nb_layers"].get<int64_t>(),
      h["nb_heads"].get<int64_t>(), h["inner_hid_sz"].get<int64_t>(), h["attn_span"].get<int64_t>(),
      h["adapt_span_ramp"].get<int64_t>(), h["adapt_span_loss"].get<double>(), h["block_sz"].get<int64_t>(),
      h["train"]["grad_clip"].get<double>());
}

/// [1, D, L] by column to [L, D] by distance: row d - 1 is column L - d.
std::vector<float> byDistance(const GoldenTensor &published) {
  const int64_t channels = published.shape[1], longest = published.shape[2];
  std::vector<float> values(published.values.size());
  for (int64_t row = 0; row < longest; ++row)
    for (int64_t channel = 0; channel < channels; ++channel)
      values[static_cast<size_t>(row * channels + channel)] =
          published.values[static_cast<size_t>(channel * longest + longest - 1 - row)];
  return values;
}

/// The values of a parameter or of its gradient, in the order in which they lie here.
std::vector<float> valuesOf(const std::string &name, const GoldenTensor &tensor) {
  return name == "key_pe" ? byDistance(tensor) : tensor.values;
}

/// What the published dictionaries have beside parameters.
bool isBuffer(const std::string &name) { return name.ends_with("inv_freq") || name.ends_with("mask_template"); }

class RecurrentCase {
public:
  RecurrentCase(const GoldenFile &file, Comparison &comparison, CompiledModule &module)
      : file(file), comparison(comparison), module(module) {}

  Status load();
  /// Texts of a segment: of tokens by time or by row, `steps` of them from `first` on.
  bifocal::Batch textOf(const GoldenTensor &data, bool timeFirst, int64_t first, int64_t steps) const;
  /// The log-probabilities that `forward` gives with the memory of `entry`.
  Result<std::vector<float>> forward(RecurrentMemory &memory, bifocal::Batch &text);
  void compareMemory(const std::string &prefix, RecurrentMemory &memory, bool timeFirst);
  /// Gradients of a sum over tokens with those of a mean.
  void compareGradients(const std::string &prefix, double tokens);
  Status compareXl();
  Status compareSpan();
  Status compareTraining();

private:
  Status accumulate(LossEntry &entry, bifocal::Batch &text, LossSums &sums) {
    int64_t rng[2] = {1, 0};
    const TensorView more[] = {TensorView(ElementType::i64, {2}, rng)};
    std::ranges::fill(module.session().gradients(), 0.0f);
    return entry.run("accumulate_gradients", text, more, sums);
  }
  void readMemory(RecurrentMemory &memory, int64_t rows);
  size_t seenPositions() const;

  const GoldenFile &file;
  Comparison &comparison;
  CompiledModule &module;
};

} // namespace

Status RecurrentCase::load() {
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with("param.") || isBuffer(name))
      continue;
    const std::string own = name.substr(6);
    const std::vector<float> values = valuesOf(own, tensor);
    std::span<float> piece = module.parameter(own);
    if (piece.size() != values.size())
      return {StatusCode::numericMismatch,
              fmt::format("the model has {} elements in `{}`, but the file {}", piece.size(), own, values.size())};
    std::ranges::copy(values, piece.begin());
  }
  return {};
}

bifocal::Batch RecurrentCase::textOf(const GoldenTensor &data, bool timeFirst, int64_t first, int64_t steps) const {
  bifocal::Batch batch;
  batch.rows = data.shape[timeFirst ? 1 : 0];
  batch.targetSteps = steps;
  for (int64_t row = 0; row < batch.rows; ++row)
    for (int64_t t = first; t < first + steps; ++t) {
      const auto at = [&](int64_t step) {
        return static_cast<int32_t>(
            data.integers[static_cast<size_t>(timeFirst ? step * batch.rows + row : row * data.shape[1] + step)]);
      };
      batch.previous.push_back(at(t));
      batch.target.push_back(at(t + 1));
    }
  return batch;
}

Result<std::vector<float>> RecurrentCase::forward(RecurrentMemory &memory, bifocal::Batch &text) {
  const EntryPlan *plan = module.session().artifact().plan().find("forward");
  const auto width = static_cast<size_t>(*plan->outputs.front().dims.back().constant());
  std::vector<float> logits(text.previous.size() * width);
  std::vector<TensorView> inputs{TensorView(ElementType::i32, {text.rows, text.targetSteps}, text.previous.data())};
  std::vector<TensorView> outputs{
      TensorView(ElementType::f32, {text.rows, text.targetSteps, static_cast<int64_t>(width)}, logits.data())};
  BIFOCAL_RETURN_IF_ERROR(memory.addInputs(text.rows, text.targetSteps, inputs));
  memory.addOutputs(outputs);
  // It has no losses, and so no spans.
  outputs.resize(plan->outputs.size());
  BIFOCAL_RETURN_IF_ERROR(module.session().run("forward", inputs, outputs));
  for (size_t row = 0; row < text.previous.size(); ++row) {
    std::span<float> one = std::span(logits).subspan(row * width, width);
    const float largest = std::ranges::max(one);
    double sum = 0;
    for (float value : one)
      sum += std::exp(static_cast<double>(value) - largest);
    for (float &value : one)
      value = static_cast<float>(value - largest - std::log(sum));
  }
  return logits;
}

void RecurrentCase::compareMemory(const std::string &prefix, RecurrentMemory &memory, bool timeFirst) {
  size_t layer = 0;
  for (const SafetensorsItem &item : memory.items()) {
    const std::string name = fmt::format("{}.mem.{}", prefix, layer++);
    if (!file.has(name))
      continue;
    const GoldenTensor expected = timeFirst ? swapFirstAxes(file[name]) : file[name];
    comparison.equal(name + " shape", item.shape == expected.shape);
    if (item.shape == expected.shape)
      comparison.relative(name, {static_cast<const float *>(item.data), expected.values.size()}, expected.values,
                          outputBound);
  }
}

void RecurrentCase::compareGradients(const std::string &prefix, double tokens) {
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with(prefix) || isBuffer(name))
      continue;
    const std::string own = name.substr(prefix.size());
    std::vector<float> found(module.gradient(own).begin(), module.gradient(own).end());
    for (float &value : found)
      value = static_cast<float>(value / tokens);
    comparison.relative(name, found, valuesOf(own, tensor), gradientBound, 0.1);
  }
}

Status RecurrentCase::compareXl() {
  const int64_t steps = file.integer("tgt_len");
  Result<LossEntry> training =
      LossEntry::create(module.session(), module.session().artifact().manifest(), RecurrentMemory::Use::training);
  Result<LossEntry> evaluation =
      LossEntry::create(module.session(), module.session().artifact().manifest(), RecurrentMemory::Use::evaluation);
  if (!training.ok() || !evaluation.ok())
    return training.ok() ? evaluation.status() : training.status();
  size_t segment = 0;
  for (const json &expected : file.hparams["segments"]) {
    const std::string prefix = fmt::format("output.seg{}", segment);
    bifocal::Batch text = textOf(file["input.data"], /*timeFirst=*/true, static_cast<int64_t>(segment) * steps, steps);
    if (segment == 0)
      training->begin(text.rows), evaluation->begin(text.rows);
    const Result<std::vector<float>> logp = forward(*evaluation->memory(), text);
    if (!logp.ok())
      return logp.status();
    const size_t width = logp->size() / text.target.size();
    std::vector<float> nll;
    for (size_t row = 0; row < text.target.size(); ++row)
      nll.push_back(-(*logp)[row * width + static_cast<size_t>(text.target[row])]);
    GoldenTensor byTime = file[prefix + ".nll"];
    byTime.shape.push_back(1);
    comparison.relative(prefix + ".nll", nll, swapFirstAxes(byTime).values, outputBound);
    LossSums sums, evaluated;
    BIFOCAL_RETURN_IF_ERROR(accumulate(*training, text, sums));
    BIFOCAL_RETURN_IF_ERROR(evaluation->run("evaluate", text, {}, evaluated));
    for (const LossSums &found : {sums, evaluated})
      comparison.absolute(prefix + " loss", found.lossPerToken(), expected["loss"], outputBound * 10);
    compareMemory(prefix, *training->memory(), /*timeFirst=*/true);
    compareGradients(prefix + ".grad.", sums.tokens);
    if (++segment == file.hparams["segments"].size())
      compareGradients("grad.", sums.tokens);
  }
  return {};
}

/// The published memory from before the first block.
void RecurrentCase::readMemory(RecurrentMemory &memory, int64_t rows) {
  memory.reset(rows, module.session().parameters());
  std::vector<TensorView> views;
  if (!memory.addInputs(rows, 1, views).ok())
    return;
  for (size_t layer = 0; layer < views.size(); ++layer) {
    const GoldenTensor &published = file[fmt::format("input.mem.{}", layer)];
    const bool same = std::ranges::equal(published.shape, views[layer].dims());
    comparison.equal(fmt::format("input.mem.{} shape", layer), same);
    if (same)
      std::ranges::copy(published.values, static_cast<float *>(views[layer].data));
  }
}

Status RecurrentCase::compareSpan() {
  const int64_t steps = file.integer("block_sz"), rows = file.integer("batch");
  Result<LossEntry> entry =
      LossEntry::create(module.session(), module.session().artifact().manifest(), RecurrentMemory::Use::training);
  if (!entry.ok())
    return entry.status();
  readMemory(*entry->memory(), rows);
  size_t block = 0;
  for (const json &expected : file.hparams["blocks"]) {
    const std::string prefix = fmt::format("output.block{}", block);
    bifocal::Batch text = textOf(file["input.stream"], /*timeFirst=*/false, static_cast<int64_t>(block) * steps, steps);
    const Result<std::vector<float>> logp = forward(*entry->memory(), text);
    if (!logp.ok())
      return logp.status();
    comparison.relative(prefix + ".logp", *logp, file[prefix + ".logp"].values, outputBound);
    LossSums sums;
    BIFOCAL_RETURN_IF_ERROR(accumulate(*entry, text, sums));
    comparison.absolute(prefix + " loss", sums.nllPerToken(), expected["loss"], outputBound * 10);
    comparison.absolute(prefix + " penalty", sums.lossPerToken() - sums.nllPerToken(), expected["span_penalty"],
                        outputBound * 10);
    compareMemory(prefix, *entry->memory(), /*timeFirst=*/false);
    for (int64_t layer = 0; layer < file.integer("nb_layers"); ++layer) {
      const std::span<float> gradient =
          module.gradient(fmt::format("layers.{}.attn.attn.adaptive_span._mask.current_val", layer));
      std::vector<float> found(gradient.begin(), gradient.end());
      for (float &value : found)
        value = static_cast<float>(value / sums.tokens);
      const std::string name = fmt::format("{}.grad_current_val.{}", prefix, layer);
      comparison.relative(name, found, file[name].values, gradientBound, 0.1);
    }
    if (++block == file.hparams["blocks"].size())
      compareGradients("grad.", sums.tokens);
  }
  return compareTraining();
}

/// Ten updates, each on the next block.
Status RecurrentCase::compareTraining() {
  BIFOCAL_RETURN_IF_ERROR(load());
  const int64_t steps = file.integer("block_sz"), rows = file.integer("batch");
  Result<LossEntry> entry =
      LossEntry::create(module.session(), module.session().artifact().manifest(), RecurrentMemory::Use::training);
  if (!entry.ok())
    return entry.status();
  readMemory(*entry->memory(), rows);
  const json &train = file.hparams["train"];
  for (size_t update = 0; update < train["losses"].size(); ++update) {
    bifocal::Batch text =
        textOf(file["input.stream"], /*timeFirst=*/false, static_cast<int64_t>(update) * steps, steps);
    int64_t rng[2] = {1, 0};
    const auto rate = train["lrs"][update].get<float>();
    float hyper[4] = {rate, rate, 0, 0}, norm = 0;
    const TensorView more[] = {TensorView(ElementType::i64, {2}, rng), TensorView(ElementType::f32, {4}, hyper)};
    LossSums sums;
    BIFOCAL_RETURN_IF_ERROR(entry->run("train_step", text, more, sums, &norm));
    const auto loss = train["losses"][update].get<double>();
    comparison.absolute(fmt::format("loss {}", update), sums.nllPerToken(), loss, updateBound * loss);
    comparison.absolute(fmt::format("penalty {}", update), sums.lossPerToken() - sums.nllPerToken(),
                        train["span_penalties"][update], updateBound);
  }
  for (const auto &[name, tensor] : file.tensors) {
    if (!name.starts_with("param_after.") || isBuffer(name))
      continue;
    const std::vector<float> expected = valuesOf(name.substr(12), tensor);
    const std::span<float> found = module.parameter(name.substr(12));
    comparison.equal(name + " size", found.size() == expected.size());
    const size_t seen = name.ends_with("key_pe") ? seenPositions() : found.size();
    for (size_t i = 0; i < std::min({found.size(), expected.size(), seen}); ++i)
      comparison.absolute(name, found[i], expected[i], parameterBound);
  }
  return {};
}

/// Elements of `key_pe` that some head saw at the beginning. The published divisor is the sum of the masked weights and
/// 1e-8, which gives positions behind the ramp a gradient of some 1e-10; Adagrad makes it a whole step.
size_t RecurrentCase::seenPositions() const {
  double reach = 0;
  for (const json &layer : file.hparams["current_val"])
    for (const json &span : layer)
      reach = std::max(reach, span.get<double>() * static_cast<double>(file.integer("attn_span")));
  const double distances = std::ceil(reach + static_cast<double>(file.integer("adapt_span_ramp")));
  return static_cast<size_t>(distances) * static_cast<size_t>(file["param.key_pe"].shape[1]);
}

Status golden::compareRecurrentModel(const GoldenFile &file, Comparison &comparison) {
  const bool spans = file.hparams.contains("attn_span");
  auto module = CompiledModule::ofSpec(spans ? specOfSpan(file.hparams) : specOfXl(file.hparams), /*training=*/true);
  if (!module.ok())
    return module.status();
  RecurrentCase test(file, comparison, **module);
  BIFOCAL_RETURN_IF_ERROR(test.load());
  return spans ? test.compareSpan() : test.compareXl();
}
