// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/decode/SessionStepper.h"

#include "runtime/core/Json.h"
#include "runtime/core/MemorySettings.h"
#include "runtime/data/Vocabulary.h"
#include "runtime/decode/ShortList.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace bifocal {
namespace {

/// The extent of the last axis of an entry's first output.
Result<int64_t> outputWidth(const Plan &plan, std::string_view entryName) {
  const EntryPlan *entry = plan.find(entryName);
  if (!entry)
    return Status(StatusCode::unsupported,
                  fmt::format("decoding expects a model with the entry '{}', which this one does not have", entryName));
  if (entry->outputs.empty() || entry->outputs[0].dims.empty() || !entry->outputs[0].dims.back().constant())
    return Status(StatusCode::malformed,
                  fmt::format("entry '{}' expects an output whose last axis is fixed", entryName));
  return *entry->outputs[0].dims.back().constant();
}

/// The model does not change what it reads.
int32_t *readOnly(std::span<const int32_t> ids) { return const_cast<int32_t *>(ids.data()); }

} // namespace

Result<SessionStepper> SessionStepper::create(Session &session) {
  const Artifact &artifact = session.artifact();
  JsonReader model(artifact.manifest().model, "model");
  const bool readsSource = model.string("kind", "translation") != "language_model";
  const Result<int64_t> width = readsSource ? outputWidth(artifact.plan(), "encode") : Result<int64_t>(int64_t{0});
  if (!width.ok())
    return width.status();
  const Result<int64_t> vocabulary = outputWidth(artifact.plan(), "decode_step");
  if (!vocabulary.ok())
    return vocabulary.status();
  SessionStepper stepper(session);
  stepper.readsSource_ = readsSource;
  stepper.encoderWidth_ = *width;
  stepper.vocabularySize_ = *vocabulary;
  if (!session.sharesHostMemory() && artifact.plan().find("decode_candidates")) {
    const Result<int64_t> candidates = outputWidth(artifact.plan(), "decode_candidates");
    if (!candidates.ok())
      return candidates.status();
    stepper.candidateCount_ = *candidates;
  }
  if (artifact.plan().find("decode_short_list")) {
    const Result<int64_t> listed = outputWidth(artifact.plan(), "decode_short_list");
    if (!listed.ok())
      return listed.status();
    if (*listed < leastShortList || *listed > *vocabulary)
      return Status(StatusCode::malformed,
                    fmt::format("entry 'decode_short_list' expects from {} to {} tokens, but got {}", leastShortList,
                                *vocabulary, *listed));
    stepper.shortListSize_ = *listed;
  }
  stepper.maxSteps_ = model.integer("max_positions");
  if (!model.status().ok())
    return model.status();
  if (MemorySettings::isUsed(artifact.manifest()))
    BIFOCAL_RETURN_IF_ERROR(stepper.readMemory(artifact.manifest()));
  return stepper;
}

/// A token sees as much as in evaluation with segments of one token.
Status SessionStepper::readMemory(const Manifest &manifest) {
  const Result<MemorySettings> settings = MemorySettings::read(manifest);
  if (!settings.ok())
    return settings.status();
  if (settings->hasSpans()) {
    int64_t reach = 0;
    const std::span<const float> parameters = session_->parameters();
    for (size_t layer = 0; layer < settings->spans.size(); ++layer)
      for (int64_t head = 0; head < settings->spans[layer].heads; ++head)
        reach = std::max(reach, settings->reachOf(settings->spanOf(layer, head, parameters)));
    window_ = reach + 1;
    beginsWithZeros_ = true;
    return {};
  }
  const int64_t clamp = settings->clampLength;
  clampLength_ = clamp > 0 ? std::min(clamp, maxSteps_) : maxSteps_;
  if (settings->evaluationSteps > 0)
    window_ = settings->evaluationSteps + (settings->sameLength ? 0 : 1);
  return {};
}

int64_t SessionStepper::cacheSteps(int64_t tokens) const { return forgets() ? window_ : std::min(tokens, maxSteps_); }

void SessionStepper::setSource(std::vector<int32_t> ids, int64_t sentences, int64_t steps) {
  source_ = std::move(ids);
  sentences_ = sentences;
  sourceSteps_ = steps;
}

Status SessionStepper::begin(int64_t rows, int64_t steps) {
  if (!readsSource_) {
    BIFOCAL_RETURN_IF_ERROR(session_->sizeStates({{"R", rows}, {"N", rows}, {"P", steps}}, beginsWithZeros_));
    // Before it are as many zeros as the caches have steps.
    firstStep_ = beginsWithZeros_ ? steps : 0;
    return clampLength_ ? encodeDistances(steps) : Status();
  }
  if (static_cast<int64_t>(source_.size()) != sentences_ * sourceSteps_)
    return Status(StatusCode::usage,
                  fmt::format("expects {} x {} source ids, but got {}", sentences_, sourceSteps_, source_.size()));
  BIFOCAL_RETURN_IF_ERROR(
      session_->sizeStates({{"B", sentences_}, {"S", sourceSteps_}, {"R", rows}, {"N", rows}, {"P", steps}}));
  encoderOutput_.resize(static_cast<size_t>(sentences_ * sourceSteps_ * encoderWidth_));
  const TensorView inputs[] = {TensorView(ElementType::i32, {sentences_, sourceSteps_}, source_.data())};
  const TensorView outputs[] = {
      TensorView(ElementType::f32, {sentences_, sourceSteps_, encoderWidth_}, encoderOutput_.data())};
  return session_->run("encode", inputs, outputs);
}

/// Those of all steps that may be cached.
Status SessionStepper::encodeDistances(int64_t steps) {
  std::vector<int32_t> distances(static_cast<size_t>(steps));
  for (int64_t distance = 0; distance < steps; ++distance)
    distances[static_cast<size_t>(distance)] = static_cast<int32_t>(std::min(distance, *clampLength_));
  const TensorView inputs[] = {TensorView(ElementType::i32, {steps}, distances.data())};
  return session_->run("encode_distances", inputs, {});
}

Status SessionStepper::run(const char *entry, const Rows &rows, std::span<const TensorView> outputs) {
  const auto count = static_cast<int64_t>(rows.tokens.size());
  // Models that forget have no table of positions.
  positions_.assign(rows.tokens.size(), static_cast<int32_t>(token::pad + 1 + (forgets() ? 0 : rows.step)));
  auto step = static_cast<int32_t>(firstStep_ + rows.step);
  std::array<TensorView, 6> inputs;
  size_t used = 0;
  inputs[used++] = TensorView(ElementType::i32, {count}, readOnly(rows.tokens));
  inputs[used++] = TensorView(ElementType::i32, {count}, positions_.data());
  if (readsSource_)
    inputs[used++] = TensorView(ElementType::i32, {count}, readOnly(rows.sentences));
  inputs[used++] = TensorView(ElementType::i32, {count, rows.stride}, readOnly(rows.ancestors));
  inputs[used++] = TensorView(ElementType::i32, {}, &step);
  if (!shortList_.empty())
    inputs[used++] = TensorView(ElementType::i32, {static_cast<int64_t>(shortList_.size())}, readOnly(shortList_));
  return session_->run(entry, std::span(inputs).first(used), outputs);
}

Status SessionStepper::step(const Rows &rows, std::span<float> logProbabilities) {
  const auto count = static_cast<int64_t>(rows.tokens.size());
  const TensorView outputs[] = {TensorView(ElementType::f32, {count, columns()}, logProbabilities.data())};
  return run(shortList_.empty() ? "decode_step" : "decode_short_list", rows, outputs);
}

Status SessionStepper::candidates(const Rows &rows, std::span<float> logProbabilities, std::span<int32_t> tokens) {
  const auto count = static_cast<int64_t>(rows.tokens.size());
  const TensorView outputs[] = {TensorView(ElementType::f32, {count, candidateCount_}, logProbabilities.data()),
                                TensorView(ElementType::i32, {count, candidateCount_}, tokens.data())};
  return run("decode_candidates", rows, outputs);
}

} // namespace bifocal
