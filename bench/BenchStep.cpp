// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/AllocationCounter.h"
#include "bench/BenchModel.h"
#include "bench/CommandLine.h"
#include "runtime/core/Session.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
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
  double flops = 0, loss = 0;
  int64_t allocations = 0, driverAllocations = 0, arenaBytes = 0, formulaBytes = 0, peakBytes = 0, parameters = 0;
  /// B, S and T of the batch that needs the largest arena.
  int64_t largest[3] = {};
  int64_t targetTokens = 0;
};

/// The arguments of one training step.
class Step {
public:
  explicit Step(Session &session) : session_(session) {}

  Status run(BenchBatch &batch) {
    rng_[1] = update_;
    // A learning rate that keeps the model near its start, so that all steps do the same work.
    const double correction = std::sqrt(1 - std::pow(0.98, update_ + 1)) / (1 - std::pow(0.9, update_ + 1));
    hyper_[1] = static_cast<float>(hyper_[0] * correction);
    ++update_;
    const auto matrix = [&](std::vector<int32_t> &values, int64_t steps) {
      return TensorView(ElementType::i32, {batch.sentences, steps}, values.data());
    };
    const TensorView inputs[] = {matrix(batch.source, batch.sourceSteps), matrix(batch.previous, batch.targetSteps),
                                 matrix(batch.target, batch.targetSteps), TensorView(ElementType::i64, {2}, rng_),
                                 TensorView(ElementType::f32, {4}, hyper_)};
    const TensorView outputs[] = {scalar(0), scalar(1), scalar(2), scalar(3)};
    return session_.run("train_step", inputs, outputs);
  }
  double lossPerToken() const { return results_[0] / results_[2]; }

private:
  TensorView scalar(size_t index) { return TensorView(ElementType::f32, {}, &results_[index]); }
  Session &session_;
  int64_t rng_[2] = {1, 0};
  float hyper_[4] = {1e-5f, 1e-5f, 0.0f, 0.0f};
  float results_[4] = {};
  int64_t update_ = 0;
};

Result<Measurement> measure(const Options &options, const std::string &path) {
  Result<BenchModel> opened = openModel(path, options.device, /*training=*/true, options.seed);
  if (!opened.ok())
    return opened.status();
  const auto &[artifact, vocabulary, session] = *opened;
  const std::vector<int64_t> &bucket = options.bucket;
  std::vector<BenchBatch> batches = bucket.empty()
                                        ? makeBenchBatches(options.steps, options.maxTokens, vocabulary, options.seed)
                                        : makeBenchBucket(options.steps, options.maxTokens, {bucket[0], bucket[1]},
                                                          bucket[2], vocabulary, options.seed);

  Measurement result;
  size_t largest = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    const BenchBatch &batch = batches[i];
    Result<int64_t> bytes =
        session->peakBytes("train_step", {{"B", batch.sentences}, {"S", batch.sourceSteps}, {"T", batch.targetSteps}});
    if (!bytes.ok())
      return bytes.status();
    if (*bytes > result.formulaBytes)
      result.formulaBytes = *bytes, largest = i;
  }
  result.largest[0] = batches[largest].sentences;
  result.largest[1] = batches[largest].sourceSteps, result.largest[2] = batches[largest].targetSteps;
  Step step(*session);
  // The largest first: from then on the arena fits every batch.
  for (int64_t i = 0; i < std::max<int64_t>(1, options.warmup); ++i)
    BIFOCAL_RETURN_IF_ERROR(step.run(batches[(largest + static_cast<size_t>(i)) % batches.size()]));
  result.seconds.reserve(static_cast<size_t>(options.steps)), result.rates.reserve(static_cast<size_t>(options.steps));
  const bool profiles = options.profile || options.device.device == "cpu";
  session->profile(profiles);
  if (profiles) { // which then has all the memory that it needs itself
    BIFOCAL_RETURN_IF_ERROR(step.run(batches[largest]));
    session->profile(true);
  }
  setDriversApart();
  const int64_t before = allocationCount(), driverBefore = driverAllocationCount();
  for (int64_t i = 0; i < options.steps; ++i) {
    BenchBatch &batch = batches[static_cast<size_t>(i) % batches.size()];
    const auto begin = std::chrono::steady_clock::now();
    BIFOCAL_RETURN_IF_ERROR(step.run(batch));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    result.seconds.push_back(seconds);
    result.rates.push_back(static_cast<double>(batch.targetTokens) / seconds);
    result.targetTokens += batch.targetTokens;
  }
  result.allocations = allocationCount() - before;
  result.driverAllocations = driverAllocationCount() - driverBefore;
  result.families = session->profileResult();
  result.flops = session->profiledFlops();
  result.loss = step.lossPerToken();
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
                           {"largest", {{"B", m.largest[0]}, {"S", m.largest[1]}, {"T", m.largest[2]}}},
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
  fmt::print("arena {} bytes, formula {} bytes (B={}, S={}, T={}), peak of the process {} bytes\n"
             "loss per token {:.4f}\n",
             m.arenaBytes, m.formulaBytes, m.largest[0], m.largest[1], m.largest[2], m.peakBytes, m.loss);
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
    return {StatusCode::internal, fmt::format("expects no heap allocation in {} steps after the first ones, but got {}",
                                              options.steps, result->allocations)};
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Times whole training steps of a translation model on made-up ragged batches."};
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
