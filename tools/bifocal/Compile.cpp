// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/Artifact.h"
#include "codegen/Compiler.h"
#include "dialect/plan/PlanOps.h"
#include "frontend/Import.h"
#include "frontend/Presets.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "runtime/core/File.h"
#include "tools/bifocal/CompileReport.h"
#include "tools/bifocal/EmitText.h"
#include "tools/bifocal/MemoryBudget.h"
#include "tools/bifocal/Targets.h"
#include "tools/bifocal/Verb.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace bifocal;

namespace {
constexpr size_t mostSpecBytes = 1 << 24, mostIrBytes = size_t{1} << 32;

/// Counts the fusions of a compilation by what the remarks about them say. Others see the remarks only when `show` is
/// set.
class FusionCounter {
public:
  FusionCounter(mlir::MLIRContext &context, bool show)
      : handler(&context, [this, show](mlir::Diagnostic &diagnostic) {
          if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Remark)
            return mlir::failure();
          constexpr std::string_view prefix = "fused: ";
          if (std::string text = diagnostic.str(); text.starts_with(prefix))
            ++counts[text.substr(prefix.size())];
          return mlir::success(!show);
        }) {}

  tools::Fusions counts;

private:
  mlir::ScopedDiagnosticHandler handler;
};

struct CompileCommand {
  std::string input, preset, output, precision, target = "cpu", emit = "artifact", to, from, dumpDirectory, shape;
  std::optional<std::string> budget;
  bool report = false, remarks = false;
  std::vector<std::string> mlirFlags;

  Status run();

private:
  Status readOptions(CompileOptions &options);
  Result<mlir::OwningOpRef<mlir::ModuleOp>> readInput(mlir::MLIRContext &context);
  Result<std::string> emitText(mlir::ModuleOp module, const CompileOptions &options);
  Status checkPhases(const CompileOptions &options) const;
  bool writesArtifact(const CompileOptions &options) const {
    return emit == "artifact" && (to.empty() || options.to == Phase::Artifact);
  }
  Status finishArtifact(const std::string &bytes, const tools::Fusions &fusions, const tools::Places &places);
  Status say(const Artifact &artifact, const tools::Fusions &fusions, const tools::Places &places) const;
  Status write(const std::string &bytes, const std::string &suffix);
};
} // namespace

/// The text of a spec or of IR.
static Result<std::string> readSource(const std::string &path, size_t limit) {
  Result<std::vector<std::byte>> bytes = readFile(path, limit);
  if (!bytes.ok())
    return bytes.status();
  std::string text(reinterpret_cast<const char *>(bytes->data()), bytes->size());
  if (text.starts_with("PK\x03\x04"))
    return Status(StatusCode::usage,
                  fmt::format("expects the text of a spec or of IR, but '{}' is a compiled model", path));
  return text;
}

/// The phases up to `last` as a list to read.
static std::string phaseNames(Phase last) {
  std::vector<std::string> names;
  for (Phase phase : allPhases())
    if (phase <= last)
      names.push_back(phaseName(phase).str());
  return fmt::format("{}", fmt::join(names, ", "));
}

Status CompileCommand::checkPhases(const CompileOptions &options) const {
  if (options.from == Phase::Artifact)
    return {StatusCode::usage, "--compile-from expects a phase that writes IR, but `artifact` is the last one"};
  if (!from.empty() && options.to < options.from)
    return {StatusCode::usage,
            fmt::format("expects --compile-to at or after --compile-from, but got `{}` and `{}`", to, from)};
  if ((report || budget) && !writesArtifact(options))
    return {StatusCode::usage, "--report and --memory-budget expect that an artifact is written, but only text is"};
  if (tools::isOfKernels(emit) && options.to < Phase::Kernels)
    return {StatusCode::usage,
            fmt::format("--emit={} expects kernels, but --compile-to={} stops before there are any", emit, to)};
  // IR that has its kernels already says itself for which machines.
  if (options.from < Phase::Kernels)
    BIFOCAL_RETURN_IF_ERROR(tools::checkEmitted(emit, target, options.phases));
  return {};
}

Status CompileCommand::readOptions(CompileOptions &options) {
  // Before the compilation, which takes its time.
  if (budget)
    BIFOCAL_RETURN_IF_ERROR(tools::parseBudget(*budget).status());
  BIFOCAL_RETURN_IF_ERROR(tools::parseShape(shape).status());
  if (!shape.empty() && !report && !budget)
    return {StatusCode::usage, "--shape expects --report or --memory-budget, which it is for"};
  options.dumpDirectory = dumpDirectory;
  options.phases.remarks = remarks || report;
  BIFOCAL_RETURN_IF_ERROR(tools::readTargets(target, options.phases));
  auto phaseOf = [](const std::string &text, Phase &phase) -> Status {
    std::optional<Phase> parsed = parsePhase(text);
    if (!parsed)
      return {StatusCode::usage,
              fmt::format("expects one of the phases {}, but got `{}`", phaseNames(Phase::Artifact), text)};
    phase = *parsed;
    return {};
  };
  if (!from.empty())
    BIFOCAL_RETURN_IF_ERROR(phaseOf(from, options.from));
  if (!to.empty())
    BIFOCAL_RETURN_IF_ERROR(phaseOf(to, options.to));
  BIFOCAL_RETURN_IF_ERROR(checkPhases(options));
  if (!mlirFlags.empty()) {
    // MLIR registers its own flags with LLVM's parser, which wants a program name first.
    mlir::registerPassManagerCLOptions();
    mlir::registerDefaultTimingManagerCLOptions();
    std::vector<const char *> arguments{"bifocal compile"};
    for (const std::string &flag : mlirFlags)
      arguments.push_back(flag.c_str());
    if (!llvm::cl::ParseCommandLineOptions(static_cast<int>(arguments.size()), arguments.data(), "", &llvm::errs()))
      return {StatusCode::usage, "expects flags that MLIR knows after --mlir-"};
  }
  return {};
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> CompileCommand::readInput(mlir::MLIRContext &context) {
  std::string text, name = preset.empty() ? input == "-" ? "<stdin>" : input : "<preset>";
  if (!preset.empty()) {
    text = fmt::format("preset = \"{}\"\n", preset);
  } else {
    Result<std::string> read = readSource(input, from.empty() ? mostSpecBytes : mostIrBytes);
    if (!read.ok())
      return read.status();
    text = read.take();
  }
  if (!from.empty()) {
    auto module = parseModule(text, name, context);
    // Where and why stands on stderr already.
    return module.ok()
               ? std::move(module)
               : Status(module.status().code(), fmt::format("`{}` is not IR as the phase `{}` writes it", name, from));
  }
  Result<Spec> spec = parseSpec(text, name);
  if (!spec.ok())
    return spec.status();
  if (!precision.empty())
    spec->training.precision = precision;
  return importSpec(*spec, context);
}

Result<std::string> CompileCommand::emitText(mlir::ModuleOp module, const CompileOptions &options) {
  return tools::isOfKernels(emit) && options.to >= Phase::Kernels ? tools::emitKernels(module, emit)
                                                                  : printModule(module);
}

Status CompileCommand::write(const std::string &bytes, const std::string &suffix) {
  std::string path = output;
  if (path.empty() && suffix.empty())
    path = "-";
  if (path.empty()) {
    std::string stem = !preset.empty() ? preset : input == "-" ? "model" : input.substr(input.find_last_of('/') + 1);
    path = stem.substr(0, stem.find_last_of('.')) + suffix;
  }
  if (path == "-") {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0)
      return {StatusCode::cannotRead, "cannot write to stdout"};
    return {};
  }
  return writeFileAtomically(path, std::as_bytes(std::span(bytes)));
}

Status CompileCommand::say(const Artifact &artifact, const tools::Fusions &fusions, const tools::Places &places) const {
  // The artifact may go to stdout; then the report must not.
  std::FILE *stream = output == "-" ? stderr : stdout;
  const Result<tools::Shape> given = tools::parseShape(shape);
  if (!given.ok())
    return given.status();
  const Result<tools::Shape> values = tools::completeShape(*given, artifact);
  if (!values.ok())
    return values.status();
  if (report)
    fmt::print(stream, "{}", tools::describeCompilation(artifact, *values, fusions, places));
  if (!budget)
    return {};
  const Result<int64_t> bytes = tools::parseBudget(*budget);
  if (!bytes.ok())
    return bytes.status();
  const tools::MemoryBudget limit(artifact, *values, *bytes);
  if (Status status = limit.check(); !status.ok())
    return report ? status : Status(status.code(), status.message() + limit.describePeak(places));
  fmt::print(stream, "{}{}", report ? "\n" : "", limit.describe());
  return {};
}

Status CompileCommand::finishArtifact(const std::string &bytes, const tools::Fusions &fusions,
                                      const tools::Places &places) {
  // What the runtime would refuse is not written: the input may be IR that was edited by hand.
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(std::as_bytes(std::span(bytes)));
  if (!artifact.ok())
    return artifact.status();
  if (report || budget)
    BIFOCAL_RETURN_IF_ERROR(say(**artifact, fusions, places));
  return write(bytes, ".bifocal");
}

Status CompileCommand::run() {
  if (input.empty() == preset.empty())
    return {StatusCode::usage,
            fmt::format("expects either a spec or --preset, but got {}", input.empty() ? "none" : "both")};
  if (from.empty() && input.ends_with(".mlir"))
    return {StatusCode::usage, "expects --compile-from=PHASE with an .mlir file, the phase that wrote it"};
  if (!from.empty() && !precision.empty())
    return {StatusCode::usage, "--precision expects a spec, but the input of --compile-from has its precision already"};
  if (Status status = precision.empty() ? Status() : checkPrecision(precision); !status.ok())
    return {status.code(), "--precision: " + status.message()};
  CompileOptions options;
  BIFOCAL_RETURN_IF_ERROR(readOptions(options));
  mlir::MLIRContext context;
  prepareContext(context);
  // The place in the spec says more than the op would.
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler handler(sources, &context, llvm::errs());
  FusionCounter fusions(context, remarks);
  mlir::DefaultTimingManager timing;
  if (!mlirFlags.empty())
    mlir::applyDefaultTimingManagerCLOptions(timing);
  mlir::TimingScope scope = timing.getRootScope();
  options.configure = [&](mlir::PassManager &manager) {
    if (!mlirFlags.empty())
      (void)mlir::applyPassManagerCLOptions(manager);
    manager.enableTiming(scope);
  };
  auto module = readInput(context);
  if (!module.ok())
    return module.status();
  if (!writesArtifact(options)) {
    BIFOCAL_RETURN_IF_ERROR(runPhases(**module, options));
    Result<std::string> text = emitText(**module, options);
    return text.ok() ? write(*text, "") : text.status();
  }
  options.to = Phase::Kernels;
  BIFOCAL_RETURN_IF_ERROR(runPhases(**module, options));
  if ((*module)->getOps<plan::EntryOp>().empty())
    return {StatusCode::diagnostics,
            fmt::format("expects entry points in `{}`, as the phase `{}` writes them, but there are none", input,
                        from.empty() ? "import" : from)};
  mlir::TimingScope packing = scope.nest("artifact");
  Result<std::string> bytes = writeArtifact(**module);
  packing.stop();
  if (!bytes.ok())
    return bytes.status();
  tools::Places places;
  if (report || budget)
    for (auto entry : (*module)->getOps<plan::EntryOp>())
      places[entry.getSymName().str()] = arenaPlaces(entry);
  return finishArtifact(*bytes, fusions.counts, places);
}

Result<std::string> tools::compileSpecFile(const std::string &path, const std::string &device) {
  CompileOptions options;
  options.phases.cpu = device == "cpu";
  options.phases.cuda = device != "cpu";
  if (device == "cuda")
    options.phases.cudaArchitectures = {"sm_80", "sm_90"};
  Result<std::string> text = readSource(path, mostSpecBytes);
  return text.ok() ? compileSpec(*text, path, options) : text.status();
}

void tools::addCompile(CLI::App &app, int &exitCode) {
  auto command = std::make_shared<CompileCommand>();
  CLI::App *verb = app.add_subcommand("compile", "Compile a model spec into an artifact");
  verb->add_option("spec", command->input, "Spec (.toml), or IR (.mlir) with --compile-from; - is stdin");
  verb->add_option("--preset", command->preset, "Compile a preset instead of a spec")
      ->check(CLI::IsMember(presetNames()));
  verb->add_option("-o,--output", command->output,
                   "Where the result goes; - is stdout; default: <spec>.bifocal, other than models to stdout");
  verb->add_option("--target", command->target,
                   "Machines to write kernels for, with commas: cpu (all levels), cpu:native, cpu:x86-64-v3, "
                   "cpu:x86-64-v4, cpu:x86-64-v4-dot; cuda:sm_80, cuda:sm_90; cuda-emu (the emulator alone)")
      ->take_last()
      ->capture_default_str();
  verb->add_option("--precision", command->precision,
                   "f32; bf16: activations in 16 bits; int8, int8_weight_only: inference with products of 8 bits; "
                   "default: what the spec says");
  verb->add_option("--emit", command->emit,
                   "What to write: the compiled model, or text: mlir, the IR of the last phase; llvm, the IR of all "
                   "kernels; asm, those of CPUs; ptx, those of GPUs; or cubin, the machine code of one cuda:sm_..")
      ->check(CLI::IsMember(tools::emittedForms()))
      ->capture_default_str();
  verb->add_option("--compile-to", command->to,
                   "Stop after this phase and write its IR: " + phaseNames(Phase::Artifact))
      ->group("Phases");
  verb->add_option("--compile-from", command->from,
                   "Go on after this phase, which wrote the input: " + phaseNames(Phase::Kernels))
      ->group("Phases");
  verb->add_option("--dump-ir-dir", command->dumpDirectory, "Folder for the IR after each phase")->group("Phases");
  verb->add_flag("--remarks", command->remarks, "Say where optimisations fire, and why not")->group("Reports");
  verb->add_flag("--report", command->report,
                 "Print parameters, fusions, and steps, peak memory and largest buffers of every entry point")
      ->group("Reports");
  verb->add_option("--shape", command->shape,
                   "Sizes for the report and the budget, e.g. B=32,S=40,T=40; default: the spec's max_tokens in "
                   "sentences of 32 tokens")
      ->group("Reports");
  verb->add_option("--memory-budget", command->budget,
                   "Most memory for a training step, e.g. 8GiB: prints the largest batch that fits; exit code 6 if the "
                   "shape does not")
      ->group("Reports");
  verb->footer("MLIR's own flags work too: --mlir-timing, --mlir-print-ir-after-all, ...");
  verb->allow_extras();
  verb->callback([command, verb, &exitCode] {
    for (const std::string &extra : verb->remaining()) {
      if (!extra.starts_with("--mlir-")) {
        exitCode = report(Status(StatusCode::usage, fmt::format("unknown argument `{}`", extra)));
        return;
      }
      command->mlirFlags.push_back(extra);
    }
    exitCode = report(command->run());
  });
}
