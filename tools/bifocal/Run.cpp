// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Session.h"
#include "runtime/core/Weights.h"
#include "tools/bifocal/Checks.h"
#include "tools/bifocal/Message.h"
#include "tools/bifocal/Model.h"
#include "tools/bifocal/TensorArgument.h"
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>

using namespace bifocal;
using namespace bifocal::tools;

namespace {

struct Options {
  std::string artifact, entry, weights;
  DeviceOptions device;
  std::vector<std::string> inputs, outputs, expected, symbols;
  double rtol = 1e-5, atol = 1e-6;
  uint64_t seed = 1;
  bool profile = false;
};

using Assignments = std::map<std::string, std::string>;

Result<Assignments> assignments(const std::vector<std::string> &list) {
  Assignments result;
  for (const std::string &text : list) {
    Result<std::pair<std::string, std::string>> pair = splitAssignment(text);
    if (!pair.ok())
      return pair.status();
    if (!result.insert(pair.take()).second)
      return Status(StatusCode::usage, fmt::format("expects each name once, but got '{}' again", text));
  }
  return result;
}

/// Every name must be one of the entry's arguments.
Status checkNames(const Assignments &given, const std::vector<PlanArgument> &arguments, const char *kind) {
  for (const auto &[name, unused] : given) {
    bool known = false;
    std::vector<std::string_view> names;
    for (const PlanArgument &argument : arguments) {
      known |= argument.name == name;
      names.push_back(argument.name);
    }
    if (!known)
      return {StatusCode::usage,
              fmt::format("expects an {} out of {}, but got '{}'", kind, fmt::join(names, ", "), name)};
  }
  return {};
}

Result<std::vector<HostTensor>> readInputs(const EntryPlan &plan, const Assignments &given) {
  std::vector<HostTensor> tensors;
  for (const PlanArgument &argument : plan.inputs) {
    const auto found = given.find(argument.name);
    if (found == given.end())
      return Status(StatusCode::usage, fmt::format("expects --input {}=...", argument.name));
    Result<HostTensor> tensor = readTensorArgument(found->second);
    if (tensor.ok())
      tensor = convert(*tensor, argument.type);
    if (!tensor.ok())
      return Status(tensor.status().code(), fmt::format("input '{}': {}", argument.name, tensor.status().message()));
    if (tensor->shape.size() > TensorView::maxRank)
      return Status(StatusCode::usage,
                    fmt::format("input '{}': expects at most {} axes", argument.name, TensorView::maxRank));
    tensors.push_back(tensor.take());
  }
  return tensors;
}

using Sizes = std::map<std::string, int64_t>;

/// What the symbols stand for: the sizes of --symbol, else those of the inputs, else 1 for a symbol of the states. The
/// states have room for the rows of the inputs.
Result<Sizes> symbolSizes(const Artifact &artifact, const EntryPlan &plan, const Options &options,
                          const std::vector<HostTensor> &inputs) {
  const std::vector<std::string> &symbols = artifact.manifest().stateSymbols;
  Sizes sizes;
  for (const std::string &symbol : symbols)
    sizes[symbol] = 1;
  for (size_t i = 0; i < plan.inputs.size(); ++i)
    for (size_t axis = 0; axis < plan.inputs[i].dims.size() && axis < inputs[i].shape.size(); ++axis)
      if (auto symbol = plan.inputs[i].dims[axis].symbol())
        sizes[plan.symbols[*symbol]] = inputs[i].shape[axis];
  if (sizes.contains("R") && sizes.contains("N"))
    sizes["R"] = sizes["N"];
  Result<Assignments> given = assignments(options.symbols);
  if (!given.ok())
    return given.status();
  for (const auto &[name, text] : *given) {
    if (std::ranges::find(symbols, name) == symbols.end())
      return Status(StatusCode::usage, fmt::format("expects a symbol of the states out of {}, but got '{}'",
                                                   fmt::join(symbols, ", "), name));
    char *end = nullptr;
    sizes[name] = std::strtoll(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0' || sizes[name] < 0)
      return Status(StatusCode::usage, fmt::format("expects --symbol {}=N with N >= 0, but got '{}'", name, text));
  }
  return sizes;
}

/// Writes, compares or prints the outputs.
Status deliver(const EntryPlan &plan, std::vector<HostTensor> &outputs, const Options &options) {
  Result<Assignments> files = assignments(options.outputs), expected = assignments(options.expected);
  for (const auto *given : {&files, &expected}) {
    if (!given->ok())
      return given->status();
    BIFOCAL_RETURN_IF_ERROR(checkNames(**given, plan.outputs, "output"));
  }
  for (const auto &[name, file] : *files)
    if (file.empty() || file == "-" || file == "@" || file == "@-")
      return {StatusCode::usage, fmt::format("expects a file in --output {}=@y.npy, but got '{}'", name, file)};
  Status mismatch;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string &name = plan.outputs[i].name;
    const auto file = files->find(name), reference = expected->find(name);
    if (file != files->end())
      BIFOCAL_RETURN_IF_ERROR(
          writeNpy(file->second.starts_with('@') ? file->second.substr(1) : file->second, outputs[i]));
    if (reference != expected->end()) {
      Result<HostTensor> tensor = readTensorArgument(reference->second);
      if (!tensor.ok())
        return tensor.status();
      Result<Difference> worst = compare(outputs[i], *tensor, options.rtol, options.atol);
      const bool same = worst.ok() && worst->mismatches == 0;
      const std::string detail =
          worst.ok() ? fmt::format("{} of {} differ, worst at {}: {:.9g} instead of {:.9g}", worst->mismatches,
                                   outputs[i].elements(), worst->index, worst->actual, worst->expected)
                     : worst.status().message();
      fmt::print("{} {} ({})\n", name, same ? "matches" : "differs", detail);
      if (!same && mismatch.ok())
        mismatch = {StatusCode::numericMismatch, fmt::format("output '{}': {}", name, detail)};
    }
    if (file == files->end() && reference == expected->end())
      fmt::print("{} {}\n", name, summary(outputs[i]));
  }
  return mismatch;
}

Status run(const Options &options) {
  ModelOptions model;
  model.model = options.artifact;
  model.device = options.device;
  Result<std::shared_ptr<const Artifact>> artifact = model.openArtifact();
  if (!artifact.ok())
    return artifact.status();
  const EntryPlan *plan = (*artifact)->plan().find(options.entry);
  if (!plan) {
    std::vector<std::string_view> names;
    for (const EntryPlan &entry : (*artifact)->plan().entries)
      names.push_back(entry.name);
    return {StatusCode::usage,
            fmt::format("expects an entry point out of {}, but got '{}'", fmt::join(names, ", "), options.entry)};
  }
  Result<Assignments> given = assignments(options.inputs);
  if (!given.ok())
    return given.status();
  BIFOCAL_RETURN_IF_ERROR(checkNames(*given, plan->inputs, "input"));
  Result<std::vector<HostTensor>> inputs = readInputs(*plan, *given);
  if (!inputs.ok())
    return inputs.status();
  Result<std::unique_ptr<Session>> session = model.openSession(*artifact, plan->needsTraining);
  if (!session.ok())
    return session.status();
  if (options.weights.empty())
    (*session)->initialize(options.seed);
  else
    BIFOCAL_RETURN_IF_ERROR(readParameters(**session, options.weights));
  const Result<Sizes> sizes = symbolSizes(**artifact, *plan, options, *inputs);
  if (!sizes.ok())
    return sizes.status();
  if (!(*artifact)->manifest().states.empty())
    BIFOCAL_RETURN_IF_ERROR((*session)->sizeStates(*sizes));

  std::vector<TensorView> inputViews, outputViews;
  for (HostTensor &tensor : *inputs)
    inputViews.push_back(tensor.view());
  Result<std::vector<std::vector<int64_t>>> shapes = (*session)->outputShapes(options.entry, inputViews);
  if (!shapes.ok())
    return shapes.status();
  std::vector<HostTensor> outputs;
  for (size_t i = 0; i < shapes->size(); ++i)
    outputs.push_back(HostTensor::zeros(plan->outputs[i].type, (*shapes)[i]));
  for (HostTensor &tensor : outputs)
    outputViews.push_back(tensor.view());
  (*session)->profile(options.profile);
  BIFOCAL_RETURN_IF_ERROR((*session)->run(options.entry, inputViews, outputViews));
  if (options.profile) {
    say("{}, arena {} bytes\n", (*session)->deviceDescription(), (*session)->arenaBytes());
    for (const FamilyTime &time : (*session)->profileResult())
      say("{:<24} {:>10.3f} ms {:>6} steps\n", time.family, time.seconds * 1e3, time.calls);
  }
  return deliver(*plan, outputs, options);
}

} // namespace

void tools::addRun(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("run", "Run one entry point of a model on given tensors");
  verb->add_option("model", options->artifact,
                   "Compiled model (.bifocal, '-' is stdin); with the compiler built in also a spec (.toml)")
      ->required();
  verb->add_option("entry", options->entry, "The entry point, e.g. forward; `bifocal inspect` lists them")->required();
  const auto tensors = [&](const char *name, auto &value, const char *help) {
    return verb->add_option(name, value, help)->group("Tensors");
  };
  tensors("--input", options->inputs, "name=@x.npy, name=@x.safetensors:key or name=2x3xi32=1,2,3,4,5,6");
  tensors("--weights", options->weights, "Parameters, a safetensors file (without: initialised from --seed)");
  tensors("--seed", options->seed, "Seed of the initialisers")->check(integerFrom(0))->capture_default_str();
  tensors("--symbol", options->symbols, "NAME=N: size of the states where the inputs do not say it");
  tensors("--output", options->outputs, "name=@y.npy: write this output to a file");
  const auto comparison = [&](const char *name, auto &value, const char *help) {
    return verb->add_option(name, value, help)->group("Comparison");
  };
  comparison("--expected", options->expected, "name=@y.npy: compare this output; exit code 8 where it differs");
  comparison("--rtol", options->rtol, "Relative tolerance of --expected")->check(atLeast(0))->capture_default_str();
  comparison("--atol", options->atol, "Absolute tolerance of --expected")->check(atLeast(0))->capture_default_str();
  options->device.add(*verb);
  verb->add_flag("--profile", options->profile, "Print the time per kernel family to stderr")->group("Device");
  verb->callback([options, &exitCode] { exitCode = report(run(*options)); });
}
