// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/InputRules.h"
#include "runtime/core/Manifest.h"
#include "runtime/core/Plan.h"
#include "runtime/core/Roofline.h"
#include "runtime/train/TrainingOptions.h"
#include "test/Fuzz/Fuzz.h"

#include <algorithm>

using namespace bifocal;
using namespace bifocal::fuzz;

/// The largest value of one symbol is one that fits, before one that does not.
static void checkLargestFit(const EntryPlan &entry, size_t symbol) {
  constexpr int64_t limit = int64_t{1} << 30;
  std::vector<int64_t> values(entry.symbols.size(), 7);
  const Result<int64_t> largest = entry.largestFit(symbol, values, limit);
  if (!largest.ok())
    return expectReason(largest.status());
  const auto fits = [&](int64_t value) {
    values[symbol] = value;
    const Result<int64_t> bytes = entry.arenaBytes(values);
    return bytes.ok() && *bytes <= limit;
  };
  expect(*largest == 0 || fits(*largest), "the largest value fits");
  expect(*largest == INT64_MAX || !fits(*largest + 1), "the one after the largest does not fit");
}

/// Everything that is asked of an entry point without running it.
static void describe(const Manifest &manifest, const EntryPlan &entry) {
  entry.peakFormula();
  entry.multiplyAdds();
  for (const int64_t value : {int64_t{0}, int64_t{7}, INT64_MAX}) {
    const Result<int64_t> bytes = entry.arenaBytes(std::vector<int64_t>(entry.symbols.size(), value));
    expect(!bytes.ok() || *bytes >= 0, "an arena has a size");
    const Result<std::vector<StepCost>> costs = stepCosts(entry, std::vector<int64_t>(entry.symbols.size(), value));
    expect(costs.ok() || costs.status().code() == StatusCode::usage, "steps have costs, or sizes that overflow");
  }
  // The last symbol is the window.
  for (size_t symbol = 0; symbol < std::min<size_t>(entry.symbols.size() - 1, 3); ++symbol)
    checkLargestFit(entry, symbol);
  if (const Result<InputRules> rules = InputRules::create(manifest, entry); !rules.ok())
    expectReason(rules.status());
}

/// A manifest, a zero byte, and a plan: what an artifact holds, without the archive around it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string_view text = textOf(data, size);
  const size_t end = text.find('\0');
  const Result<Manifest> manifest = Manifest::parse(text.substr(0, end));
  if (!manifest.ok()) {
    expectReason(manifest.status());
    return 0;
  }
  for (const Parameter &parameter : manifest->parameters)
    expect(parameter.offset >= 0 && parameter.offset + parameter.elements() <= manifest->parameterElements,
           "parameters are within their slab");
  if (const Result<TrainingOptions> options = TrainingOptions::read(manifest->training); !options.ok())
    expectReason(options.status());
  const Result<Plan> plan =
      Plan::parse(end == std::string_view::npos ? std::string_view() : text.substr(end + 1), *manifest);
  if (!plan.ok()) {
    expectReason(plan.status());
    return 0;
  }
  for (const EntryPlan &entry : plan->entries)
    describe(*manifest, entry);
  return 0;
}
