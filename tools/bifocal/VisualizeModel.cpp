// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/bifocal/VisualizeModel.h"

#include "codegen/Compiler.h"
#include "frontend/Import.h"
#include "frontend/Views.h"
#include "runtime/core/File.h"
#include "runtime/core/MemorySettings.h"
#include "runtime/core/Weights.h"
#include "runtime/train/RecurrentMemory.h"

#include <algorithm>
#include <fmt/format.h>

namespace bifocal::tools {
namespace {

constexpr size_t mostSpecBytes = 1 << 24;

// A page knows nothing of the frontend.
using Kind = LayerView::Kind;
static_assert(static_cast<int>(ViewKind::attention) == static_cast<int>(Kind::attention) &&
              static_cast<int>(ViewKind::difference) == static_cast<int>(Kind::difference) &&
              static_cast<int>(ViewKind::taps) == static_cast<int>(Kind::taps) &&
              static_cast<int>(ViewKind::tokenTaps) == static_cast<int>(Kind::tokenTaps) &&
              static_cast<int>(ViewKind::lambda) == static_cast<int>(Kind::lambda));

/// Kernels of one device, and of a CPU for the level that runs.
CompileOptions optionsFor(const DeviceOptions &device) {
  CompileOptions options;
  options.phases.cpu = device.device == "cpu";
  options.phases.cuda = !options.phases.cpu;
  if (device.device == "cuda")
    options.phases.cudaArchitectures = {"sm_80", "sm_90"};
  options.phases.cpuLevels = {device.cpu.level.empty() ? nativeLevel() : device.cpu.level};
  return options;
}

/// A value of one-hot rows; all steps of a memory have their one in the last channel of a group.
std::vector<float> oneHotRows(const IdentityArgument &identity, int64_t steps, int64_t columns) {
  const int64_t channels = identity.heads * columns;
  std::vector<float> values(static_cast<size_t>(steps * channels), 0.0f);
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t head = 0; head < identity.heads; ++head)
      values[static_cast<size_t>(step * channels + head * columns + (identity.memory < 0 ? step : columns - 1))] = 1;
  return values;
}

/// One run of the entry: owns what goes in and comes out.
class Run {
public:
  Run(Session &session, const Views &views, int64_t columns) : session_(session), views_(views), columns_(columns) {}
  Status run(ReadTexts &texts);
  std::vector<LayerView> results(const ReadTexts &texts) const;

private:
  Status addMemory(int64_t steps);
  void addIdentities(const ReadTexts &texts);
  void read(const View &view, const std::vector<float> &output, LayerView &result) const;
  void readSpans(const View &view, LayerView &result) const;

  Session &session_;
  const Views &views_;
  const int64_t columns_;
  std::vector<TensorView> inputs_;
  std::optional<RecurrentMemory> memory_;
  std::vector<std::vector<float>> identities_, outputs_;
  size_t firstMemory_ = 0;
};

TensorView tokensOf(std::vector<int32_t> &ids) {
  return {ElementType::i32, {1, static_cast<int64_t>(ids.size())}, ids.data()};
}

Status Run::addMemory(int64_t steps) {
  firstMemory_ = inputs_.size();
  const Manifest &manifest = session_.artifact().manifest();
  if (!MemorySettings::isUsed(manifest))
    return {};
  Result<RecurrentMemory> memory = RecurrentMemory::create(manifest, RecurrentMemory::Use::evaluation);
  if (!memory.ok())
    return memory.status();
  memory_.emplace(memory.take());
  memory_->reset(1, session_.parameters());
  return memory_->addInputs(1, steps, inputs_);
}

void Run::addIdentities(const ReadTexts &texts) {
  for (const IdentityArgument &identity : views_.identities) {
    int64_t steps = static_cast<int64_t>((identity.ofSource ? texts.source : texts.previous).size());
    if (identity.memory >= 0)
      steps = inputs_[firstMemory_ + static_cast<size_t>(identity.memory)].extents[1];
    identities_.push_back(oneHotRows(identity, steps, columns_));
    inputs_.emplace_back(ElementType::f32, std::initializer_list<int64_t>{1, steps, identity.heads * columns_},
                         identities_.back().data());
  }
}

Status Run::run(ReadTexts &texts) {
  if (!texts.source.empty())
    inputs_.push_back(tokensOf(texts.source));
  inputs_.push_back(tokensOf(texts.previous));
  BIFOCAL_RETURN_IF_ERROR(addMemory(static_cast<int64_t>(texts.previous.size())));
  addIdentities(texts);
  const std::string entry(viewsEntry);
  const auto shapes = session_.outputShapes(entry, inputs_);
  if (!shapes.ok())
    return shapes.status();
  std::vector<TensorView> outputs;
  for (const std::vector<int64_t> &shape : *shapes) {
    TensorView output(ElementType::f32, {}, nullptr);
    for (const int64_t extent : shape)
      output.extents[output.rank++] = extent;
    outputs_.emplace_back(static_cast<size_t>(output.elements()));
    output.data = outputs_.back().data();
    outputs.push_back(output);
  }
  return session_.run(entry, inputs_, outputs);
}

void Run::readSpans(const View &view, LayerView &result) const {
  const std::vector<Parameter> &parameters = session_.artifact().manifest().parameters;
  const auto found = std::ranges::find(parameters, view.span, &Parameter::name);
  if (view.span.empty() || found == parameters.end())
    return;
  for (const float part :
       session_.parameters().subspan(static_cast<size_t>(found->offset), static_cast<size_t>(found->elements())))
    result.spans.push_back(MemorySettings::spanOf(part, view.spanUnit));
  // Heads may share one.
  result.spans.resize(static_cast<size_t>(view.heads), result.spans.front());
  result.longestSpan = view.spanUnit;
  result.ramp = view.ramp;
}

/// Outputs are [rows, heads, columns], with the memory's column last.
void Run::read(const View &view, const std::vector<float> &output, LayerView &result) const {
  const bool isMap = view.kind == ViewKind::attention || view.kind == ViewKind::difference;
  const int64_t stride = isMap ? columns_ : result.columns;
  const auto at = [&](int64_t row, int64_t head, int64_t column) {
    return output[static_cast<size_t>((row * view.heads + head) * stride + column)];
  };
  for (int64_t head = 0; head < view.heads; ++head)
    for (int64_t row = 0; row < result.rows; ++row) {
      if (result.remembers)
        result.values.push_back(at(row, head, columns_ - 1));
      for (int64_t column = 0; column < result.columns - (result.remembers ? 1 : 0); ++column)
        result.values.push_back(at(row, head, column));
    }
}

std::vector<LayerView> Run::results(const ReadTexts &texts) const {
  std::vector<LayerView> results;
  const auto stepsOf = [&](bool source) {
    return static_cast<int64_t>((source ? texts.source : texts.previous).size());
  };
  for (size_t i = 0; i < views_.views.size(); ++i) {
    const View &view = views_.views[i];
    LayerView result;
    result.kind = static_cast<Kind>(view.kind);
    result.layer = view.layer;
    result.ofSource = view.ofSource;
    result.keysOfSource = view.keysOfSource;
    // Transformer-XL begins without a step to remember.
    result.remembers = view.remembers && !view.span.empty();
    result.heads = view.heads;
    if (view.kind != ViewKind::taps && view.kind != ViewKind::lambda)
      result.rows = stepsOf(view.ofSource);
    if (view.kind == ViewKind::attention || view.kind == ViewKind::difference)
      result.columns = stepsOf(view.keysOfSource) + (result.remembers ? 1 : 0);
    else
      result.columns = std::max<int64_t>(view.kernelSize, 1);
    result.padding = view.padding;
    result.normalized = view.normalized;
    result.initialLambda = view.initialLambda;
    readSpans(view, result);
    read(view, outputs_[i], result);
    results.push_back(std::move(result));
  }
  return results;
}

} // namespace

Result<Spec> specOf(const ModelOptions &options) {
  if (!options.model.ends_with(".toml")) {
    const Result<std::shared_ptr<const Artifact>> artifact = options.openArtifact();
    return artifact.ok() ? parseSpec((*artifact)->manifest().spec, options.model) : artifact.status();
  }
  const Result<std::vector<std::byte>> bytes = readFile(options.model, mostSpecBytes);
  if (!bytes.ok())
    return bytes.status();
  return parseSpec(std::string_view(reinterpret_cast<const char *>(bytes->data()), bytes->size()), options.model);
}

Result<std::vector<LayerView>> viewLayers(Spec spec, const ModelOptions &options, ReadTexts texts) {
  spec.training.precision = "f32";
  // One column for what is remembered, and whole vectors.
  constexpr int64_t multiple = 16;
  const auto longest = static_cast<int64_t>(std::max(texts.source.size(), texts.previous.size()));
  const int64_t columns = (longest + 1 + multiple - 1) / multiple * multiple;
  mlir::MLIRContext context;
  prepareContext(context);
  mlir::OwningOpRef<mlir::ModuleOp> module = importSpec(spec, context);
  const Views views = insertViews(*module, columns);
  Result<std::string> bytes = compileModule(*module, optionsFor(options.device));
  if (!bytes.ok())
    return bytes.status();
  Result<std::shared_ptr<const Artifact>> artifact = Artifact::fromBytes(std::as_bytes(std::span(*bytes)));
  if (!artifact.ok())
    return artifact.status();
  Result<std::unique_ptr<Session>> session = options.openSession(*artifact, /*training=*/false);
  if (!session.ok())
    return session.status();
  BIFOCAL_RETURN_IF_ERROR(readParameters(**session, options.weights));
  Run run(**session, views, columns);
  BIFOCAL_RETURN_IF_ERROR(run.run(texts));
  return run.results(texts);
}

} // namespace bifocal::tools
