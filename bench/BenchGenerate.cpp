// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/AllocationCounter.h"
#include "bench/BenchModel.h"
#include "bench/CommandLine.h"
#include "runtime/core/Session.h"
#include "runtime/decode/SessionStepper.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

using namespace bifocal;

namespace {

struct Options {
  std::string artifact, preset, precision;
  int64_t batch = 32, beam = 5, steps = 20, warmup = 1;
  tools::DeviceOptions device{.device = "cpu", .cpu = {.threads = 2}};
  uint64_t seed = 2;
  bool json = false;
  bool profile = false; ///< on other devices than a CPU
  bool shortList = false;
};

struct Measurement {
  std::string device;
  double seconds = 0, stepSeconds = 0, flops = 0;
  int64_t tokens = 0, sentences = 0, parameters = 0, arenaBytes = 0, peakBytes = 0;
  /// Steps of the decoder, and what was allocated on the heap during them, by the model and by the search around it.
  int64_t decoderSteps = 0, modelAllocations = 0, searchAllocations = 0;
  std::vector<FamilyTime> families;
};

double secondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// A model that ends each sentence at its length and not before, so that all systems write the same number of tokens.
class FixedLengths final : public Stepper {
public:
  FixedLengths(SessionStepper &model, std::span<const int64_t> lengths) : model_(model), lengths_(lengths) {}

  int64_t vocabularySize() const override { return model_.vocabularySize(); }
  int64_t maxSteps() const override { return model_.maxSteps(); }
  Status begin(int64_t rows, int64_t steps) override {
    const auto begin = std::chrono::steady_clock::now();
    const int64_t before = allocationCount();
    const Status status = model_.begin(rows, steps);
    beginAllocations_ += allocationCount() - before;
    seconds_ += secondsSince(begin);
    return status;
  }
  Status step(const Rows &rows, std::span<float> logProbabilities) override {
    BIFOCAL_RETURN_IF_ERROR(timed([&] { return model_.step(rows, logProbabilities); }));
    const auto width = static_cast<size_t>(columns());
    for (size_t row = 0; row < rows.tokens.size(); ++row) {
      const std::span<float> scores = logProbabilities.subspan(row * width, width);
      if (!isLast(rows, row)) {
        scores[eos_] = minusInfinity_;
      } else {
        std::fill(scores.begin(), scores.end(), minusInfinity_);
        scores[eos_] = 0;
      }
    }
    return {};
  }
  std::span<const int32_t> shortList() const override { return model_.shortList(); }
  int64_t candidateCount() const override { return model_.candidateCount(); }
  Status candidates(const Rows &rows, std::span<float> logProbabilities, std::span<int32_t> tokens) override {
    BIFOCAL_RETURN_IF_ERROR(timed([&] { return model_.candidates(rows, logProbabilities, tokens); }));
    const auto count = static_cast<size_t>(candidateCount());
    for (size_t row = 0; row < rows.tokens.size(); ++row) {
      const std::span<float> scores = logProbabilities.subspan(row * count, count);
      const std::span<int32_t> best = tokens.subspan(row * count, count);
      if (isLast(rows, row)) {
        std::fill(scores.begin(), scores.end(), minusInfinity_);
        best[0] = static_cast<int32_t>(eos_), scores[0] = 0;
        continue;
      }
      // The end goes behind all others.
      const auto place = std::find(best.begin(), best.end(), static_cast<int32_t>(eos_)) - best.begin();
      if (place == static_cast<std::ptrdiff_t>(count))
        continue;
      std::rotate(best.begin() + place, best.begin() + place + 1, best.end());
      std::rotate(scores.begin() + place, scores.begin() + place + 1, scores.end());
      scores.back() = minusInfinity_;
    }
    return {};
  }
  /// Spent in the model.
  double seconds() const { return seconds_; }
  int64_t steps() const { return steps_; }
  /// During steps of the model; while it made room for a batch.
  int64_t allocations() const { return allocations_; }
  int64_t beginAllocations() const { return beginAllocations_; }

private:
  /// Whether the sentence of a row ends with this step.
  bool isLast(const Rows &rows, size_t row) const {
    return rows.step + 1 >= lengths_[static_cast<size_t>(rows.sentences[row])];
  }
  template <typename Step> Status timed(const Step &step) {
    const auto begin = std::chrono::steady_clock::now();
    const int64_t before = allocationCount();
    BIFOCAL_RETURN_IF_ERROR(step());
    allocations_ += allocationCount() - before;
    seconds_ += secondsSince(begin);
    ++steps_;
    return {};
  }

  static constexpr float minusInfinity_ = -std::numeric_limits<float>::infinity();
  static constexpr size_t eos_ = 2;
  SessionStepper &model_;
  std::span<const int64_t> lengths_;
  double seconds_ = 0;
  int64_t steps_ = 0, allocations_ = 0, beginAllocations_ = 0;
};

/// Lengths of the targets with the end token.
std::vector<int64_t> targetLengths(const BenchBatch &batch, int32_t pad) {
  std::vector<int64_t> lengths;
  for (auto row = batch.target.begin(); row != batch.target.end(); row += batch.targetSteps)
    lengths.push_back(batch.targetSteps - std::count(row, row + batch.targetSteps, pad));
  return lengths;
}

Status translateBatch(SessionStepper &model, const BenchBatch &batch, const Options &options, int32_t pad,
                      Measurement &result) {
  const std::vector<int64_t> lengths = targetLengths(batch, pad);
  model.setSource(batch.source, batch.sentences, batch.sourceSteps);
  BeamOptions beam;
  beam.beam = options.beam;
  beam.maxLengthRatio = 0, beam.maxLengthOffset = batch.targetSteps;
  FixedLengths fixed(model, lengths);
  const auto begin = std::chrono::steady_clock::now();
  const int64_t before = allocationCount();
  Result<std::vector<std::vector<Hypothesis>>> found = beamSearch(fixed, lengths, beam);
  if (!found.ok())
    return found.status();
  result.seconds += secondsSince(begin);
  result.searchAllocations += allocationCount() - before - fixed.allocations() - fixed.beginAllocations();
  result.modelAllocations += fixed.allocations();
  result.stepSeconds += fixed.seconds();
  result.decoderSteps += fixed.steps();
  for (size_t i = 0; i < found->size(); ++i) {
    const std::vector<Hypothesis> &hypotheses = (*found)[i];
    if (hypotheses.empty() || static_cast<int64_t>(hypotheses[0].tokens.size()) != lengths[i])
      return {StatusCode::internal, fmt::format("expects a hypothesis of {} tokens, but got {}", lengths[i],
                                                hypotheses.empty() ? 0 : hypotheses[0].tokens.size())};
    result.tokens += lengths[i];
  }
  result.sentences += batch.sentences;
  return {};
}

Result<Measurement> measure(const Options &options, const std::string &path) {
  Result<BenchModel> opened = openModel(path, options.device, /*training=*/false, options.seed);
  if (!opened.ok())
    return opened.status();
  const auto &[artifact, vocabulary, session] = *opened;
  if (vocabulary.source == 0)
    return Status(StatusCode::unsupported, "expects the artifact of a translation model, but got a language model");
  Result<SessionStepper> model = SessionStepper::create(*session);
  if (!model.ok())
    return model.status();
  if (options.shortList) {
    if (model->shortListSize() == 0)
      return Status(StatusCode::unsupported,
                    "expects a model with the entry 'decode_short_list', but this one has none");
    std::vector<int32_t> list(static_cast<size_t>(model->shortListSize()));
    std::iota(list.begin(), list.end(), 0);
    model->setShortList(std::move(list));
  }
  const std::vector<BenchBatch> batches = makeBenchSentences(options.steps, options.batch, vocabulary, options.seed);
  Measurement warm, result;
  for (int64_t i = 0; i < options.warmup; ++i)
    BIFOCAL_RETURN_IF_ERROR(
        translateBatch(*model, batches[static_cast<size_t>(i) % batches.size()], options, vocabulary.pad, warm));
  session->profile(options.profile || options.device.device == "cpu");
  setDriversApart();
  for (const BenchBatch &batch : batches)
    BIFOCAL_RETURN_IF_ERROR(translateBatch(*model, batch, options, vocabulary.pad, result));
  result.families = session->profileResult();
  result.flops = session->profiledFlops();
  result.arenaBytes = static_cast<int64_t>(session->arenaBytes());
  result.device = session->deviceDescription();
  result.parameters = artifact->manifest().trainedParameters();
  result.peakBytes = peakResidentBytes();
  return result;
}

void print(const Options &options, Measurement &m) {
  std::sort(m.families.begin(), m.families.end(), [](auto &a, auto &b) { return a.seconds > b.seconds; });
  double gemmSeconds = 0;
  for (const FamilyTime &time : m.families)
    gemmSeconds += time.family == "gemm" ? time.seconds : 0.0;
  const double tokenRate = static_cast<double>(m.tokens) / m.seconds,
               sentenceRate = static_cast<double>(m.sentences) / m.seconds,
               inProducts = gemmSeconds > 0 ? m.flops / gemmSeconds * 1e-9 : 0.0;
  if (options.json) {
    nlohmann::json json = {{"device", m.device},
                           {"batch", options.batch},
                           {"beam", options.beam},
                           {"steps", options.steps},
                           {"parameters", m.parameters},
                           {"tokens", m.tokens},
                           {"sentences", m.sentences},
                           {"seconds", m.seconds},
                           {"tokens_per_s", tokenRate},
                           {"sentences_per_s", sentenceRate},
                           {"gemm_gflop_per_s", inProducts},
                           {"search_share", 1 - m.stepSeconds / m.seconds},
                           {"decoder_steps", m.decoderSteps},
                           {"model_allocations", m.modelAllocations},
                           {"search_allocations", m.searchAllocations},
                           {"arena_bytes", m.arenaBytes},
                           {"peak_bytes", m.peakBytes}};
    for (const FamilyTime &time : m.families)
      json["families"][time.family] = {{"share", time.seconds / m.seconds}, {"calls", time.calls}};
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}, {} parameters, {} batches of {} sentences, beam {}\n", m.device, m.parameters, options.steps,
             options.batch, options.beam);
  fmt::print("{:.0f} tokens/s, {:.1f} sentences/s, {} tokens in {:.2f} s\n", tokenRate, sentenceRate, m.tokens,
             m.seconds);
  fmt::print("products: {:.0f} GFLOP/s inside gemm, {:.0f} over all\n", inProducts, m.flops / m.seconds * 1e-9);
  for (const FamilyTime &time : m.families)
    fmt::print("  {:<28} {:5.1f} % {:9.3f} ms {:8} calls\n", time.family, 100 * time.seconds / m.seconds,
               time.seconds * 1e3, time.calls);
  fmt::print("  {:<28} {:5.1f} %\n", "search", 100 * (1 - m.stepSeconds / m.seconds));
  const auto perStep = [&](int64_t count) { return static_cast<double>(count) / static_cast<double>(m.decoderSteps); };
  fmt::print("heap allocations per step of the decoder: {:g} in the model, {:.0f} in the search\n",
             perStep(m.modelAllocations), perStep(m.searchAllocations));
  fmt::print("arena {} bytes, peak of the process {} bytes\n", m.arenaBytes, m.peakBytes);
}

Status run(const Options &options) {
  const Result<std::string> path = findArtifact(options.artifact, options.preset, options.precision);
  if (!path.ok())
    return path.status();
  Result<Measurement> result = measure(options, *path);
  if (!result.ok())
    return result.status();
  print(options, *result);
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Times beam search with a translation model of random weights on made-up sentences. Every sentence ends "
               "at the length of its made-up target, so that runs write the same number of tokens."};
  Options options;
  auto *artifact = app.add_option("artifact", options.artifact, "The artifact, or a spec (.toml)");
  app.add_option("--preset", options.preset, "Compile this preset and take it")->excludes(artifact);
  app.add_option("--precision", options.precision,
                 "Compile a spec or preset for it: f32, bf16, int8 or int8_weight_only");
  app.add_option("--batch", options.batch, "Sentences at a time")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--beam", options.beam, "Hypotheses per sentence")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--steps", options.steps, "Batches to time")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--warmup", options.warmup, "Batches before")->check(CLI::Range(0, 1000))->capture_default_str();
  app.add_flag("--short-list", options.shortList, "Search the first tokens alone, as many as a short list has");
  options.device.add(app);
  app.add_option("--seed", options.seed, "Seed of parameters and sentences")->capture_default_str();
  app.add_flag("--profile", options.profile,
               "Time spent in each family of steps on a GPU, too, which then issues them one by one and is slower");
  app.add_flag("--json", options.json, "One line of JSON");
  app.footer("Exit codes: as those of bifocal.");
  if (const std::optional<int> code = parse(app, argc, argv))
    return *code;
  if (options.artifact.empty() && options.preset.empty())
    return report({StatusCode::usage, "expects an artifact or --preset"});
  return report(run(options));
}
