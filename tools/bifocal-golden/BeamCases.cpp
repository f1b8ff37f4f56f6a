// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal-golden/ModelCases.h"

#include "runtime/decode/BeamSearch.h"
#include "runtime/decode/SessionStepper.h"
#include <algorithm>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::golden;
using nlohmann::json;

static BeamOptions optionsOf(const json &setting) {
  BeamOptions options;
  options.beam = setting.value("beam_size", int64_t(5));
  options.lengthPenalty = setting.value("len_penalty", 1.0);
  options.maxLengthRatio = setting.value("max_len_a", 0.0);
  options.maxLengthOffset = setting.value("max_len_b", int64_t(200));
  options.minLength = setting.value("min_len", int64_t(1));
  options.unknownPenalty = setting.value("unk_penalty", 0.0);
  options.temperature = setting.value("temperature", 1.0);
  options.noRepeatNgram = setting.value("no_repeat_ngram_size", int64_t(0));
  options.normalize = setting.value("normalize_scores", true);
  return options;
}

static void compareSentence(const GoldenFile &file, const std::string &prefix, const std::vector<Hypothesis> &found,
                            Comparison &comparison) {
  const GoldenTensor &tokens = file[prefix + "tokens"], &lengths = file[prefix + "lengths"];
  const GoldenTensor &scores = file[prefix + "scores"], &tokenScores = file[prefix + "positional_scores"];
  comparison.equal(prefix + "num_hyps", found.size() == lengths.integers.size());
  int64_t width = tokens.shape.empty() ? 0 : tokens.shape.back();
  for (size_t i = 0; i < std::min(found.size(), lengths.integers.size()); ++i) {
    auto begin = tokens.integers.begin() + static_cast<int64_t>(i) * width;
    std::string name = fmt::format("{}tokens[{}]", prefix, i);
    comparison.equal(name,
                     std::equal(found[i].tokens.begin(), found[i].tokens.end(), begin, begin + lengths.integers[i]));
    comparison.absolute(fmt::format("{}scores[{}]", prefix, i), found[i].score, scores.values[i], scoreBound);
    for (size_t t = 0; t < std::min<size_t>(found[i].tokenScores.size(), lengths.integers[i]); ++t)
      comparison.absolute(fmt::format("{}positional_scores[{}]", prefix, i), found[i].tokenScores[t],
                          tokenScores.values[i * width + t], scoreBound);
  }
}

Status golden::compareBeams(const GoldenFile &file, const GoldenFile &base, Comparison &comparison) {
  auto module = CompiledModule::ofSpec(specOfModel(base, {}));
  if (!module.ok())
    return module.status();
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, base));
  BIFOCAL_RETURN_IF_ERROR(loadParameters(**module, file));
  const GoldenTensor &source = file["input.src_tokens"];
  std::vector<int32_t> tokens(source.integers.begin(), source.integers.end());
  int64_t sentences = source.shape[0], steps = source.shape[1];
  // The published limit counts the padded length.
  std::vector<int64_t> lengths(sentences, steps);
  const json &settings = file.hparams["settings"];
  for (size_t set = 0; set < settings.size(); ++set) {
    BeamOptions options = optionsOf(settings[set]);
    Result<SessionStepper> stepper = SessionStepper::create((*module)->session());
    if (!stepper.ok())
      return stepper.status();
    stepper->setSource(tokens, sentences, steps);
    Result<std::vector<std::vector<Hypothesis>>> found = beamSearch(*stepper, lengths, options);
    if (!found.ok())
      return found.status();
    for (int64_t sentence = 0; sentence < sentences; ++sentence)
      compareSentence(file, fmt::format("output.set{}.sent{}.", set, sentence), (*found)[sentence], comparison);
  }
  return {};
}
