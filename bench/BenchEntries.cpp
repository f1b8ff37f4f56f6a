// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench/BenchModel.h"
#include "bench/CommandLine.h"
#include "runtime/core/Roofline.h"
#include "runtime/core/Session.h"
#include "tools/common/ModelShape.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>

using namespace bifocal;

namespace {

struct Options {
  std::string artifact, only, card, shape;
  int64_t repeat = 10;
  tools::DeviceOptions device{.device = "cpu", .cpu = {.threads = 2}};
  bool json = false;
};

struct Row {
  std::string entry;
  double seconds = 0, flops = 0, bytes = 0, predicted = 0;
  std::vector<FamilyTime> families;
};

/// Tensors in host memory with the views of them.
struct Tensors {
  std::vector<std::vector<std::byte>> memory;
  std::vector<TensorView> views;

  void add(ElementType type, const std::vector<int64_t> &dims) {
    size_t bytes = byteSize(type);
    for (const int64_t dim : dims)
      bytes *= static_cast<size_t>(dim);
    memory.emplace_back(bytes);
    TensorView view(type, {}, memory.back().data());
    for (const int64_t dim : dims)
      view.extents[view.rank++] = dim;
    views.push_back(view);
  }
};

/// Floats of f32 and bf16 between -1 and 1, true masks; all else stays 0.
void draw(TensorView &view, std::mt19937 &engine) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  // The same numbers again and again, of a count that no axis has.
  std::vector<float> numbers(65521);
  for (float &number : numbers)
    number = uniform(engine);
  int64_t count = 1;
  for (size_t axis = 0; axis < view.rank; ++axis)
    count *= view.extents[axis];
  auto *bytes = static_cast<std::byte *>(view.data);
  for (int64_t i = 0; i < count; ++i) {
    const float value = numbers[static_cast<size_t>(i) % numbers.size()];
    const auto bits = std::bit_cast<uint32_t>(value);
    if (view.type == ElementType::f32)
      std::memcpy(bytes + 4 * i, &value, 4);
    else if (view.type == ElementType::bf16)
      std::memcpy(bytes + 2 * i, reinterpret_cast<const char *>(&bits) + 2, 2);
    else if (view.type == ElementType::i1)
      bytes[i] = std::byte{1};
  }
}

Result<Row> measure(Session &session, const EntryPlan &plan, const std::vector<int64_t> &symbols, int64_t repeat,
                    const Card *card) {
  Tensors inputs, outputs;
  std::mt19937 engine(1);
  for (auto [arguments, tensors] : {std::pair(&plan.inputs, &inputs), {&plan.outputs, &outputs}})
    for (const PlanArgument &argument : *arguments) {
      std::vector<int64_t> dims;
      for (const Expression &dim : argument.dims)
        dims.push_back(dim.evaluate(symbols).value_or(0));
      tensors->add(argument.type, dims);
    }
  for (TensorView &view : inputs.views)
    draw(view, engine);
  for (int round = 0; round < 2; ++round)
    BIFOCAL_RETURN_IF_ERROR(session.run(plan.name, inputs.views, outputs.views));
  Row row;
  row.entry = plan.name;
  std::vector<double> seconds;
  for (int64_t round = 0; round < repeat; ++round) {
    session.profile(true);
    BIFOCAL_RETURN_IF_ERROR(session.run(plan.name, inputs.views, outputs.views));
    double sum = 0;
    row.families = session.profileResult();
    for (const FamilyTime &time : row.families)
      sum += time.seconds;
    seconds.push_back(sum);
  }
  session.profile(false);
  row.seconds = median(seconds);
  const Result<std::vector<StepCost>> costs = stepCosts(plan, symbols);
  if (!costs.ok())
    return costs.status();
  for (const StepCost &cost : *costs) {
    row.flops += cost.flops, row.bytes += cost.bytes;
    row.predicted += card ? cost.seconds(*card) : 0;
  }
  return row;
}

void print(const Row &row, const Options &options) {
  if (!options.json) {
    fmt::print("{:<32} {:>10.1f} us {:>8.0f} GB/s {:>10.1f} GFLOP/s{}\n", row.entry, row.seconds * 1e6,
               row.bytes / row.seconds * 1e-9, row.flops / row.seconds * 1e-9,
               row.predicted > 0 ? fmt::format(", predicted {:.1f} us", row.predicted * 1e6) : "");
    return;
  }
  nlohmann::json json = {{"entry", row.entry},
                         {"us", row.seconds * 1e6},
                         {"gb_per_s", row.bytes / row.seconds * 1e-9},
                         {"bytes", row.bytes},
                         {"flops", row.flops}};
  if (row.predicted > 0)
    json["predicted_us"] = row.predicted * 1e6;
  for (const FamilyTime &time : row.families)
    json["families"][time.family] = time.seconds * 1e6;
  fmt::print("{}\n", json.dump());
}

/// The entry points that are asked for.
Result<std::vector<const EntryPlan *>> choose(const Artifact &artifact, const std::string &only) {
  std::vector<const EntryPlan *> entries;
  try {
    const std::regex wanted(only);
    for (const EntryPlan &plan : artifact.plan().entries)
      if (std::regex_search(plan.name, wanted))
        entries.push_back(&plan);
  } catch (const std::regex_error &) {
    return Status(StatusCode::usage, fmt::format("--only expects a regular expression, but got '{}'", only));
  }
  if (entries.empty())
    return Status(StatusCode::usage, fmt::format("--only expects a part of an entry point's name, but got '{}'", only));
  return entries;
}

Status run(const Options &options) {
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::open(options.artifact);
  if (!artifact.ok())
    return artifact.status();
  const Result<std::vector<const EntryPlan *>> entries = choose(**artifact, options.only);
  if (!entries.ok())
    return entries.status();
  const Result<tools::Shape> given = tools::parseShape(options.shape);
  if (!given.ok())
    return given.status();
  const Result<tools::Shape> shape = tools::completeShape(*given, **artifact);
  if (!shape.ok())
    return shape.status();
  Result<std::unique_ptr<Device>> device = options.device.open();
  if (!device.ok())
    return device.status();
  const bool training = std::ranges::any_of(*entries, &EntryPlan::needsTraining);
  Result<std::unique_ptr<Session>> session = Session::create(*artifact, device.take(), training);
  if (!session.ok())
    return session.status();
  (*session)->initialize(1);
  if (!(*artifact)->manifest().states.empty())
    BIFOCAL_RETURN_IF_ERROR((*session)->sizeStates(*shape));
  for (const EntryPlan *plan : *entries) {
    const std::vector<int64_t> symbols = *tools::symbolValues(*plan, *shape); // all of them have a value
    Result<Row> row = measure(**session, *plan, symbols, options.repeat, findCard(options.card));
    if (!row.ok())
      return row.status();
    print(*row, options);
    std::fflush(stdout);
  }
  return {};
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app{
      "Times the entry points of an artifact on random tensors: what the device spends in their steps, without what "
      "carries inputs and outputs; on a GPU with waits where the host issues steps more slowly than they run."};
  Options options;
  app.add_option("artifact", options.artifact, "The artifact")->required();
  app.add_option("--shape", options.shape, "Values of symbols, e.g. B=32,T=1024; default: sentences of 32 tokens");
  app.add_option("--only", options.only, "Entry points whose names match this expression");
  app.add_option("--repeat", options.repeat, "Runs, of which the median counts")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--card", options.card, "Predict times for this card, too")
      ->check(CLI::IsMember({"a100", "h100", "h200"}));
  options.device.add(app);
  app.add_flag("--json", options.json, "One line of JSON for each entry point");
  app.footer("Exit codes: as those of bifocal.");
  if (const std::optional<int> code = parse(app, argc, argv))
    return *code;
  return report(run(options));
}
