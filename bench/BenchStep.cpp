// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/AllocationCounter.h"
#include "bench/BenchModel.h"
#include "bench/CommandLine.h"
#include "runtime/core/Json.h"
#include "runtime/core/Session.h"
#include "runtime/train/RecurrentMemory.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

using namespace bifocal;

namespace {

struct Options {
  std::string artifact, preset, precision;
  int64_t maxTokens = 4000, steps = 20, warmup = 3;
  std::vector<int64_t> bucket; ///< fewest and most words, and steps
  tools::DeviceOptions device{.device = "cpu", .cpu = {.threads = 2}};
  uint64_t seed = 1;
  bool json = false;
  bool profile = false; ///< on other devices than a CPU
};

struct Measurement {
  std::string device;
  std::vector<double> seconds, rates;
  std::vector<FamilyTime> families;
  std::string lastAllocation;
  double flops = 0, loss = 0;
  int64_t allocations = 0, driverAllocations = 0, arenaBytes = 0, formulaBytes = 0, peakBytes = 0, parameters = 0;
  std::map<std::string, int64_t> largest; ///< the symbols of the batch that needs the largest arena
  int64_t targetTokens = 0;
};

/// Training steps, one behind the other.
class Steps {
public:
  Steps(Session &session, std::optional<RecurrentMemory> memory) : session_(session), memory_(std::move(memory)) {}

  /// Begins a text in as many rows as a batch has.
  void begin(const BenchBatch &batch) {
    if (memory_)
      memory_->reset(batch.sentences, session_.parameters());
  }

  /// Arena bytes that a step with this batch needs now.
  Result<int64_t> peakBytes(BenchBatch &batch) {
    BIFOCAL_RETURN_IF_ERROR(bind(batch));
    return session_.peakBytes("train_step", inputs_);
  }
  /// What the inputs of the last batch give the symbols of the step.
  std::map<std::string, int64_t> symbols() const {
    const EntryPlan &plan = *session_.artifact().plan().find("train_step");
    std::map<std::string, int64_t> values;
    for (size_t i = 0; i < inputs_.size(); ++i)
      for (size_t axis = 0; axis < inputs_[i].rank; ++axis)
        if (const std::optional<size_t> symbol = plan.inputs[i].dims[axis].symbol())
          values[plan.symbols[*symbol]] = inputs_[i].extents[axis];
    return values;
  }

  Status run(BenchBatch &batch) {
    rng_[1] = update_;
    // A learning rate that keeps the model near its start, so that all steps do the same work.
    const double correction = std::sqrt(1 - std::pow(0.98, update_ + 1)) / (1 - std::pow(0.9, update_ + 1));
    hyper_[1] = static_cast<float>(hyper_[0] * correction);
    ++update_;
    BIFOCAL_RETURN_IF_ERROR(bind(batch));
    BIFOCAL_RETURN_IF_ERROR(session_.run("train_step", inputs_, outputs_));
    if (memory_)
      memory_->advance();
    return {};
  }
  double lossPerToken() const { return results_[0] / results_[2]; }

private:
  Status bind(BenchBatch &batch) {
    inputs_.clear(), outputs_.clear();
    const auto add = [&](std::vector<int32_t> &values, int64_t steps) {
      inputs_.emplace_back(ElementType::i32, std::initializer_list<int64_t>{batch.sentences, steps}, values.data());
    };
    if (batch.sourceSteps > 0)
      add(batch.source, batch.sourceSteps);
    add(batch.previous, batch.targetSteps);
    add(batch.target, batch.targetSteps);
    if (memory_)
      BIFOCAL_RETURN_IF_ERROR(memory_->addInputs(batch.sentences, batch.targetSteps, inputs_));
    inputs_.emplace_back(ElementType::i64, std::initializer_list<int64_t>{2}, rng_);
    inputs_.emplace_back(ElementType::f32, std::initializer_list<int64_t>{4}, hyper_);
    const auto addScalar = [&](float &result) {
      outputs_.emplace_back(ElementType::f32, std::initializer_list<int64_t>{}, &result);
    };
    for (size_t i = 0; i < 3; ++i)
      addScalar(results_[i]);
    if (memory_)
      memory_->addOutputs(outputs_);
    addScalar(results_[3]);
    return {};
  }

  Session &session_;
  std::optional<RecurrentMemory> memory_;
  std::vector<TensorView> inputs_, outputs_;
  int64_t rng_[2] = {1, 0};
  float hyper_[4] = {1e-5f, 1e-5f, 0.0f, 0.0f};
  float results_[4] = {}; ///< loss, nll, count, gradient_norm
  int64_t update_ = 0;
};

Result<Steps> makeSteps(const Manifest &manifest, Session &session) {
  if (!MemorySettings::isUsed(manifest))
    return Steps(session, std::nullopt);
  Result<RecurrentMemory> memory = RecurrentMemory::create(manifest, RecurrentMemory::Use::training);
  if (!memory.ok())
    return memory.status();
  return Steps(session, memory.take());
}

Result<std::vector<BenchBatch>> makeBatches(const Options &options, const Manifest &manifest,
                                            const BenchVocabulary &vocabulary) {
  const std::vector<int64_t> &bucket = options.bucket;
  if (vocabulary.source == 0) {
    JsonReader training(manifest.training, "training");
    const int64_t steps = training.integer("tokens_per_sample");
    if (!training.status().ok())
      return training.status();
    return makeBenchBlocks(options.steps, options.maxTokens, std::max<int64_t>(1, steps), vocabulary, options.seed);
  }
  if (bucket.empty())
    return makeBenchBatches(options.steps, options.maxTokens, vocabulary, options.seed);
  return makeBenchBucket(options.steps, options.maxTokens, {bucket[0], bucket[1]}, bucket[2], vocabulary, options.seed);
}

/// Which batch needs the most memory; says so in `result`.
Result<size_t> findLargest(Steps &steps, std::vector<BenchBatch> &batches, Measurement &result) {
  size_t largest = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    Result<int64_t> bytes = steps.peakBytes(batches[i]);
    if (!bytes.ok())
      return bytes.status();
    if (*bytes > result.formulaBytes)
      result.formulaBytes = *bytes, result.largest = steps.symbols(), largest = i;
  }
  return largest;
}

Status timeSteps(const Options &options, Steps &steps, std::vector<BenchBatch> &batches, Measurement &result) {
  setDriversApart();
  const int64_t before = allocationCount(), driverBefore = driverAllocationCount();
  for (int64_t i = 0; i < options.steps; ++i) {
    BenchBatch &batch = batches[static_cast<size_t>(i) % batches.size()];
    const auto begin = std::chrono::steady_clock::now();
    BIFOCAL_RETURN_IF_ERROR(steps.run(batch));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result.seconds.push_back(seconds);
    result.rates.push_back(static_cast<double>(batch.targetTokens) / seconds);
    result.targetTokens += batch.targetTokens;
  }
  result.allocations = allocationCount() - before;
  if (result.allocations > 0)
    result.lastAllocation = lastAllocation();
  result.driverAllocations = driverAllocationCount() - driverBefore;
  return {};
}

Result<Measurement> measure(const Options &options, const std::string &path) {
  Result<BenchModel> opened = openModel(path, options.device, /*training=*/true, options.seed);
  if (!opened.ok())
    return opened.status();
  const auto &[artifact, vocabulary, session] = *opened;
  Result<std::vector<BenchBatch>> batches = makeBatches(options, artifact->manifest(), vocabulary);
  if (!batches.ok())
    return batches.status();
  Result<Steps> steps = makeSteps(artifact->manifest(), *session);
  if (!steps.ok())
    return steps.status();
  steps->begin(batches->front());
  Measurement result;
  // The largest first: from then on the arena fits every batch.
  Result<size_t> largest = findLargest(*steps, *batches, result);
  if (!largest.ok())
    return largest.status();
  for (int64_t i = 0; i < std::max<int64_t>(1, options.warmup); ++i)
    BIFOCAL_RETURN_IF_ERROR(steps->run((*batches)[(*largest + static_cast<size_t>(i)) % batches->size()]));
  result.seconds.reserve(static_cast<size_t>(options.steps)), result.rates.reserve(static_cast<size_t>(options.steps));
  const bool profiles = options.profile || options.device.device == "cpu";
  session->profile(profiles);
  if (profiles) { // which then has all the memory that it needs itself
    BIFOCAL_RETURN_IF_ERROR(steps->run((*batches)[*largest]));
    session->profile(true);
  }
  BIFOCAL_RETURN_IF_ERROR(timeSteps(options, *steps, *batches, result));
  // A memory is longer than at first.
  if (Result<size_t> now = findLargest(*steps, *batches, result); !now.ok())
    return now.status();
  result.families = session->profileResult();
  result.flops = session->profiledFlops();
  result.loss = steps->lossPerToken();
  result.arenaBytes = static_cast<int64_t>(session->arenaBytes());
  result.peakBytes = peakResidentBytes();
  result.device = session->deviceDescription();
  result.parameters = artifact->manifest().trainedParameters();
  return result;
}

void print(const Options &options, Measurement &m) {
  const double total = std::accumulate(m.seconds.begin(), m.seconds.end(), 0.0),
               steps = static_cast<double>(options.steps);
  std::sort(m.families.begin(), m.families.end(), [](auto &a, auto &b) { return a.seconds > b.seconds; });
  double gemmSeconds = 0;
  for (const FamilyTime &time : m.families)
    gemmSeconds += time.family == "gemm" ? time.seconds : 0.0;
  if (options.json) {
    nlohmann::json json = {{"device", m.device},
                           {"max_tokens", options.maxTokens},
                           {"steps", options.steps},
                           {"parameters", m.parameters},
                           {"ms_per_step", median(m.seconds) * 1e3},
                           {"tokens_per_s", median(m.rates)},
                           {"tokens_per_s_total", static_cast<double>(m.targetTokens) / total},
                           {"gemm_gflop_per_s", gemmSeconds > 0 ? m.flops / gemmSeconds * 1e-9 : 0.0},
                           {"step_gflop_per_s", m.flops / total * 1e-9},
                           {"arena_bytes", m.arenaBytes},
                           {"formula_bytes", m.formulaBytes},
                           {"peak_bytes", m.peakBytes},
                           {"largest", m.largest},
                           {"allocations", m.allocations},
                           {"driver_allocations", m.driverAllocations},
                           {"loss_per_token", m.loss}};
    json["allocations_per_step"] = static_cast<double>(m.allocations) / steps;
    for (const FamilyTime &time : m.families)
      json["families"][time.family] = {
          {"share", time.seconds / total}, {"ms_per_step", time.seconds / steps * 1e3}, {"calls", time.calls}};
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{}, {} parameters, {} tokens a batch, {} steps\n", m.device, m.parameters, options.maxTokens,
             options.steps);
  fmt::print("{:.1f} ms/step (median), {:.0f} target tokens/s (median), {:.0f} over all\n", median(m.seconds) * 1e3,
             median(m.rates), static_cast<double>(m.targetTokens) / total);
  fmt::print("products: {:.0f} GFLOP/s inside gemm, {:.0f} over the whole step\n",
             gemmSeconds > 0 ? m.flops / gemmSeconds * 1e-9 : 0.0, m.flops / total * 1e-9);
  for (const FamilyTime &time : m.families)
    fmt::print("  {:<28} {:5.1f} % {:9.3f} ms/step {:6.1f} calls/step\n", time.family, 100 * time.seconds / total,
               time.seconds / steps * 1e3, static_cast<double>(time.calls) / steps);
  fmt::print("heap allocations per step: {:g}\n", static_cast<double>(m.allocations) / steps);
  std::vector<std::string> symbols;
  for (const auto &[symbol, value] : m.largest)
    symbols.push_back(fmt::format("{}={}", symbol, value));
  fmt::print("arena {} bytes, formula {} bytes ({}), peak of the process {} bytes\nloss per token {:.4f}\n",
             m.arenaBytes, m.formulaBytes, fmt::join(symbols, ", "), m.peakBytes, m.loss);
}

Status run(const Options &options) {
  const Result<std::string> path = findArtifact(options.artifact, options.preset, options.precision);
  if (!path.ok())
    return path.status();
  Result<Measurement> result = measure(options, *path);
  if (!result.ok())
    return result.status();
  print(options, *result);
  if (result->arenaBytes != result->formulaBytes)
    return {StatusCode::internal, fmt::format("expects the arena to have the {} bytes of the formula, but it has {}",
                                              result->formulaBytes, result->arenaBytes)};
  if (result->allocations != 0)
    return {StatusCode::internal,
            fmt::format("expects no heap allocation in {} steps after the first ones, but got {}, the last by {}",
                        options.steps, result->allocations, result->lastAllocation)};
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Times whole training steps on made-up batches: ragged ones of a translation model, blocks of "
               "tokens_per_sample of a language model."};
  Options options;
  auto *artifact = app.add_option("artifact", options.artifact, "The artifact, or a spec (.toml)");
  app.add_option("--preset", options.preset, "Compile this preset and take it")->excludes(artifact);
  app.add_option("--precision", options.precision,
                 "Compile a spec or preset for it: f32, bf16, int8 or int8_weight_only");
  app.add_option("--max-tokens", options.maxTokens, "Tokens of a batch")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str();
  app.add_option(
         "--bucket", options.bucket,
         "Batches of one shape instead: fewest and most words of a sentence, and steps to pad to, e.g. 20 31 32")
      ->expected(3)
      ->type_name("WORDS WORDS STEPS")
      ->check(CLI::Range(1, 1 << 16));
  app.add_option("--steps", options.steps, "Steps to time")->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--warmup", options.warmup, "Steps before")->check(CLI::Range(1, 1000))->capture_default_str();
  options.device.add(app);
  app.add_option("--seed", options.seed, "Seed of parameters and batches")->capture_default_str();
  app.add_flag("--profile", options.profile,
               "Time spent in each family of steps on a GPU, too, which then issues them one by one and is slower");
  app.add_flag("--json", options.json, "One line of JSON");
  app.footer("Exit codes: 0; 70 the steps allocated on the heap, or the arena is not as large as its formula says; "
             "others as those of bifocal.");
  if (const std::optional<int> code = parse(app, argc, argv))
    return *code;
  if (options.artifact.empty() && options.preset.empty())
    return report({StatusCode::usage, "expects an artifact or --preset"});
  if (const auto &bucket = options.bucket; !bucket.empty() && (bucket[0] > bucket[1] || bucket[1] >= bucket[2]))
    return report({StatusCode::usage,
                   fmt::format("--bucket expects words up to a number below the steps, but got {} to {} words in {}",
                               bucket[0], bucket[1], bucket[2])});
  return report(run(options));
}
