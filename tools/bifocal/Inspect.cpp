// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Artifact.h"
#include "runtime/core/File.h"
#include "runtime/core/Safetensors.h"
#include "runtime/cpu/CpuDevice.h"
#include "tools/bifocal/InspectKernels.h"
#if BIFOCAL_HAS_COMPILER
#include "frontend/Presets.h"
#include "tools/bifocal/InspectSpec.h"
#endif
#include "tools/bifocal/Verb.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

using namespace bifocal;

namespace {

/// What the steps of an entry are made of.
struct StepCount {
  std::map<std::string, int64_t> families;
  std::set<std::string> kernels;
  int64_t steps = 0;

  void add(const std::vector<PlanStep> &list) {
    for (const PlanStep &step : list) {
      if (const auto *slabs = std::get_if<SlabsStep>(&step.action)) {
        add(slabs->body);
        continue;
      }
      ++steps;
      ++families[step.family];
      if (const auto *launch = std::get_if<LaunchStep>(&step.action))
        kernels.insert(launch->kernel);
      if (const auto *gemm = std::get_if<GemmStep>(&step.action); gemm && gemm->epilogue)
        kernels.insert(gemm->epilogue->kernel);
    }
  }
};

std::string signature(const EntryPlan &entry, const std::vector<PlanArgument> &arguments) {
  std::vector<std::string> parts;
  for (const PlanArgument &argument : arguments) {
    std::vector<std::string> dims;
    for (const Expression &dim : argument.dims)
      dims.push_back(dim.str(entry.symbols));
    parts.push_back(fmt::format("{} {}[{}]", argument.name, name(argument.type), fmt::join(dims, ", ")));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

nlohmann::json describe(const Artifact &artifact) {
  const Manifest &manifest = artifact.manifest();
  nlohmann::json json;
  int64_t stored = 0;
  for (const Parameter &parameter : manifest.parameters) {
    stored += parameter.stored ? parameter.elements() : 0;
    json["parameters"].push_back(
        {{"name", parameter.name}, {"shape", parameter.shape}, {"trained", parameter.trained}});
  }
  json["kind"] = "artifact";
  json["compiler"] = manifest.compilerVersion;
  json["spec_hash"] = manifest.specHash;
  json["model"] = manifest.model;
  json["trained_parameters"] = manifest.trainedParameters();
  json["stored_parameters"] = stored;
  for (const Artifact::HostObject &object : artifact.hostObjects())
    json["levels"].push_back(
        {{"name", object.level}, {"bytes", object.bytes.size()}, {"runs_here", cpuHasLevel(object.level)}});
  for (const StateInfo &state : manifest.states) {
    std::vector<std::string> dims;
    for (const Expression &dim : state.dims)
      dims.push_back(dim.str(manifest.stateSymbols));
    json["states"].push_back({{"name", state.name}, {"dtype", name(state.type)}, {"dims", dims}});
  }
  for (const EntryPlan &entry : artifact.plan().entries) {
    StepCount count;
    count.add(entry.steps);
    json["entries"].push_back({{"name", entry.name},
                               {"inputs", signature(entry, entry.inputs)},
                               {"outputs", signature(entry, entry.outputs)},
                               {"peak_bytes", entry.peakFormula()},
                               {"panel_bytes", entry.panelBytes},
                               {"multiply_adds", entry.multiplyAdds()},
                               {"steps", count.steps},
                               {"families", count.families},
                               {"kernels", count.kernels}});
  }
  return json;
}

void printText(const nlohmann::json &json, const Artifact &artifact) {
  fmt::print("compiled by bifocal {}, spec {}\n", json["compiler"].get<std::string>(),
             json["spec_hash"].get<std::string>());
  fmt::print("parameters {} trained, {} in a weights file\n", json["trained_parameters"].get<int64_t>(),
             json["stored_parameters"].get<int64_t>());
  for (const Artifact::HostObject &object : artifact.hostObjects())
    fmt::print("kernels {} {} bytes{}\n", object.level, object.bytes.size(),
               cpuHasLevel(object.level) ? "" : " (not for this CPU)");
  for (const EntryPlan &entry : artifact.plan().entries) {
    StepCount count;
    count.add(entry.steps);
    std::vector<std::string> families;
    for (const auto &[family, number] : count.families)
      families.push_back(fmt::format("{} {}", number, family));
    fmt::print("\n{}({}) -> ({})\n  peak bytes {}{}\n  multiply-adds {}\n  {} steps: {}\n", entry.name,
               signature(entry, entry.inputs), signature(entry, entry.outputs), entry.peakFormula(),
               entry.panelBytes > 0 ? fmt::format(", and {} of packed weights", entry.panelBytes) : "",
               entry.multiplyAdds(), count.steps, fmt::join(families, ", "));
  }
  fmt::print("\n");
  for (const Parameter &parameter : artifact.manifest().parameters)
    fmt::print("{} [{}]{}\n", parameter.name, fmt::join(parameter.shape, ", "), parameter.trained ? "" : " constant");
}

Status inspectWeights(const std::string &path, bool asJson) {
  Result<Safetensors> file = Safetensors::open(path);
  if (!file.ok())
    return file.status();
  nlohmann::json json = {{"kind", "safetensors"}, {"metadata", file->metadata()}};
  int64_t elements = 0;
  for (const auto &[tensorName, entry] : file->tensors()) {
    elements += entry.elements();
    if (asJson)
      json["tensors"].push_back({{"name", tensorName}, {"dtype", name(entry.type)}, {"shape", entry.shape}});
    else
      fmt::print("{} {}[{}]\n", tensorName, name(entry.type), fmt::join(entry.shape, ", "));
  }
  json["elements"] = elements;
  if (asJson)
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    fmt::print("{} tensors, {} elements\n", file->tensors().size(), elements);
  return {};
}

struct InspectOptions {
  std::string path, preset, format = "text", card, shape;
  std::optional<std::string> tokens;
  bool kernels = false;

  bool asJson() const { return format == "json"; }
  bool isOfSpec() const { return !preset.empty() || path.ends_with(".toml"); }
};

Status printRoofline(const InspectOptions &options, const Artifact &artifact) {
  const Result<tools::Shape> given = tools::parseShape(options.shape);
  if (!given.ok())
    return given.status();
  const Result<tools::Shape> shape = tools::completeShape(*given, artifact);
  if (!shape.ok())
    return shape.status();
  const Result<std::string> text = tools::describeRoofline(artifact, *findCard(options.card), *shape);
  if (text.ok())
    fmt::print("{}", *text);
  return text.status();
}

/// A spec has no kernels yet: what there is to say is that of the model and its plan.
Status inspectSpec(const InspectOptions &options) {
#if BIFOCAL_HAS_COMPILER
  std::string text = fmt::format("preset = \"{}\"\n", options.preset), name = "<preset>";
  if (options.preset.empty()) {
    constexpr size_t mostBytes = 1 << 24;
    const Result<std::vector<std::byte>> bytes = readFile(options.path, mostBytes);
    if (!bytes.ok())
      return bytes.status();
    text.assign(reinterpret_cast<const char *>(bytes->data()), bytes->size());
    name = options.path;
  }
  if (!options.card.empty()) {
    const Result<std::shared_ptr<const Artifact>> planned = tools::planSpec(text, name);
    return planned.ok() ? printRoofline(options, **planned) : planned.status();
  }
  const Result<std::string> said = tools::describeSpec(text, name, options.tokens, options.asJson());
  if (said.ok())
    fmt::print("{}", *said);
  return said.status();
#else
  return {StatusCode::unsupported,
          fmt::format("'{}': this program was built without the compiler, which reads specs", options.path)};
#endif
}

Status checkUse(const InspectOptions &options) {
  if (options.path.empty() && options.preset.empty())
    return {StatusCode::usage, "expects a file, but got none (see bifocal inspect --help)"};
  if (!options.path.empty() && !options.preset.empty())
    return {StatusCode::usage, "expects either a file or --preset, but got both"};
  if (options.kernels && options.isOfSpec())
    return {StatusCode::usage, "--kernels expects a compiled model, but got a spec"};
  if (options.tokens && !options.isOfSpec())
    return {StatusCode::usage, fmt::format("--tokens expects a spec or --preset, but got '{}'", options.path)};
  return {};
}

Status inspect(const InspectOptions &options) {
  BIFOCAL_RETURN_IF_ERROR(checkUse(options));
  if (options.isOfSpec())
    return inspectSpec(options);
  if (options.path.ends_with(".safetensors") && !options.kernels && options.card.empty())
    return inspectWeights(options.path, options.asJson());
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::open(options.path);
  if (!artifact.ok())
    return artifact.status();
  if (options.kernels)
    fmt::print("{}{}", tools::describeKernels((*artifact)->deviceCode()), options.card.empty() ? "" : "\n");
  if (!options.card.empty())
    return printRoofline(options, **artifact);
  if (options.kernels)
    return {};
  const nlohmann::json json = describe(**artifact);
  if (options.asJson())
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    printText(json, **artifact);
  return {};
}

} // namespace

void tools::addInspect(CLI::App &app, int &exitCode) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App *verb =
      app.add_subcommand("inspect", "Show what a compiled model, a checkpoint, a weights file or a spec contains");
  verb->add_option("file", options->path,
                   "Compiled model (.bifocal), checkpoint or weights (.safetensors), or spec (.toml)");
#if BIFOCAL_HAS_COMPILER
  verb->add_option("--preset", options->preset, "Preset to inspect instead of a file")
      ->check(CLI::IsMember(presetNames()));
  CLI::Option *tokens =
      verb->add_option("--tokens", options->tokens,
                       "Tokens that the multiply-adds of a spec or a preset are counted for: of a source and a target, "
                       "one number for both, or that of a language model; default: 30")
          ->type_name("N[,M]");
#endif
  CLI::Option *format =
      verb->add_option("--format", options->format, "text to read, or json with the same for programs")
          ->check(CLI::IsMember({"text", "json"}))
          ->capture_default_str();
  verb->add_flag("--kernels", options->kernels, "Registers, shared memory and spills of the kernels for GPUs")
      ->group("GPUs")
      ->excludes(format);
  std::vector<std::string> names;
  for (const Card &card : cards())
    names.emplace_back(card.name);
  CLI::Option *card =
      verb->add_option("--what-if", options->card,
                       "How long the entry points of a model, a spec or a preset take on this card at least")
          ->check(CLI::IsMember(names))
          ->group("GPUs")
          ->excludes(format);
  verb->add_option("--shape", options->shape,
                   "Sizes for --what-if, e.g. B=32,S=40,T=40; default: the spec's max_tokens in sentences of 32 tokens")
      ->group("GPUs")
      ->needs(card);
#if BIFOCAL_HAS_COMPILER
  tokens->excludes(card);
#endif
  verb->callback([options, &exitCode] { exitCode = report(inspect(*options)); });
}
