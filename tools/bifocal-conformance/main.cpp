// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// One suite for every device: runs each entry point of a model on the CPU and on another device and compares all that
// they give; and on the other device twice, where every bit must be the same.

#include "runtime/core/Json.h"
#include "tools/bifocal-conformance/Comparison.h"
#include "tools/common/Devices.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

using namespace bifocal;
using namespace bifocal::conformance;

namespace {

struct Options {
  std::vector<std::string> models, shapes = {"2x5x7", "3x1x1", "1x37x2"};
  tools::DeviceOptions device;
  int64_t updates = 2;
  bool verbose = false;
};

struct Totals {
  int passed = 0, failed = 0;

  void add(bool passes, const std::string &line, bool verbose) {
    ++(passes ? passed : failed);
    if (!passes || verbose)
      fmt::print("{} {}\n", passes ? "pass" : "fail", line);
    std::fflush(stdout);
  }
};

Result<std::vector<Outcome>> tryOn(const tools::DeviceOptions &options, const std::shared_ptr<const Artifact> &artifact,
                                   Batch &batch, int64_t updates, std::string &description) {
  Result<std::unique_ptr<Device>> device = options.open();
  if (!device.ok())
    return device.status();
  description = (*device)->description();
  return tryModel(artifact, device.take(), batch, updates);
}

Status checkShape(const Options &options, const std::string &model, const std::shared_ptr<const Artifact> &artifact,
                  const Shape &shape, Totals &totals) {
  Result<Batch> batch = Batch::create(artifact->manifest(), shape, 1);
  if (!batch.ok())
    return batch.status();
  std::string cpu, device;
  const Result<std::vector<Outcome>> expected =
      tryOn({"cpu", options.device.cpu}, artifact, *batch, options.updates, cpu);
  if (!expected.ok())
    return expected.status();
  const Result<std::vector<Outcome>> actual = tryOn(options.device, artifact, *batch, options.updates, device);
  if (!actual.ok())
    return actual.status();
  const Result<std::vector<Outcome>> again = tryOn(options.device, artifact, *batch, options.updates, device);
  if (!again.ok())
    return again.status();
  JsonReader training(artifact->manifest().training, "training");
  const std::string precision = training.string("precision", "f32");
  const std::string where = fmt::format("{} {}", model, shape.str());
  const double gradients = largestGradient(*expected);
  for (size_t i = 0; i < expected->size(); ++i) {
    const Outcome &outcome = (*expected)[i];
    Difference difference = compare((*actual)[i], outcome);
    // Some are 0 but for rounding, such as those of the biases of keys.
    if (isGradient(outcome))
      difference.largest = std::max(difference.largest, 1e-2 * gradients);
    const double limit = tolerance(outcome, precision);
    totals.add(difference.relative() <= limit,
               fmt::format("{}: {}: {:.2e} of {:.3g}, at most {:.0e} of it", where, outcome.name, difference.worst,
                           difference.largest, limit),
               options.verbose);
  }
  const std::optional<std::string> other = firstOtherBits(*actual, *again);
  totals.add(!other, fmt::format("{}: the same bits twice{}", where, other ? ", but not of " + *other : ""),
             options.verbose);
  return {};
}

Status run(const Options &options, Totals &totals) {
  for (const std::string &model : options.models) {
    Result<std::shared_ptr<const Artifact>> artifact = Artifact::open(model);
    if (!artifact.ok())
      return artifact.status();
    for (const std::string &text : options.shapes) {
      const Result<Shape> shape = Shape::parse(text);
      if (!shape.ok())
        return shape.status();
      const Status status = checkShape(options, model, *artifact, *shape, totals);
      if (status.code() == StatusCode::deviceUnavailable)
        return status;
      if (!status.ok())
        totals.add(false, fmt::format("{} {}: {}", model, text, status.message()), true);
    }
  }
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{"Compares what a device computes with the CPU, entry point by entry point, and with itself."};
  Options options;
  options.device.device = "cuda-emu";
  app.add_option("models", options.models, "Compiled translation models (.bifocal), with kernels for both")->required();
  options.device.add(app);
  app.add_option("--shapes", options.shapes, "Sentences x source steps x target steps")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--updates", options.updates, "Training steps")->check(CLI::Range(0, 1000))->capture_default_str();
  app.add_flag("--verbose", options.verbose, "Name what agrees, too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(StatusCode::usage);
  }
  Totals totals;
  if (const Status status = run(options, totals); !status.ok()) {
    fmt::print(stderr, "error: {}\n", status.message());
    return static_cast<int>(status.code());
  }
  fmt::print("{} passed, {} failed\n", totals.passed, totals.failed);
  return totals.failed == 0 && totals.passed > 0 ? 0 : static_cast<int>(StatusCode::numericMismatch);
}
