// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/LossEntry.h"

#include <cmath>
#include <numbers>

namespace bifocal {

double LossSums::perplexity() const { return std::exp(nllPerToken()); }

double LossSums::bitsPerCharacter() const { return nllPerToken() / std::numbers::ln2; }

Result<LossEntry> LossEntry::create(Session &session, const Manifest &manifest, RecurrentMemory::Use use,
                                    std::optional<int64_t> memorySteps) {
  LossEntry entry(session);
  if (MemorySettings::isUsed(manifest)) {
    Result<RecurrentMemory> memory = RecurrentMemory::create(manifest, use, memorySteps);
    if (!memory.ok())
      return memory.status();
    entry.memory_ = memory.take();
  } else if (memorySteps) {
    return Status(StatusCode::usage, "expects a model with a memory to give it a length, but this one has none");
  }
  return entry;
}

void LossEntry::begin(int64_t rows) {
  if (memory_)
    memory_->reset(rows, memory_->readsSpans() ? session_->parameters() : std::span<float>());
}

/// The texts of a batch, as entries take them; only those of a translation have a source.
static void addTexts(Batch &batch, std::vector<TensorView> &inputs) {
  const auto add = [&](std::vector<int32_t> &ids, int64_t steps) {
    inputs.emplace_back(ElementType::i32, std::initializer_list<int64_t>{batch.rows, steps}, ids.data());
  };
  if (batch.sourceSteps > 0)
    add(batch.source, batch.sourceSteps);
  add(batch.previous, batch.targetSteps);
  add(batch.target, batch.targetSteps);
}

Status LossEntry::run(std::string_view entry, Batch &batch, std::span<const TensorView> more, LossSums &sums,
                      float *gradientNorm) {
  const auto scalar = [](float &value) { return TensorView(ElementType::f32, {}, &value); };
  float loss = 0, nll = 0, count = 0;
  inputs_.clear();
  addTexts(batch, inputs_);
  if (memory_)
    BIFOCAL_RETURN_IF_ERROR(memory_->addInputs(batch.rows, batch.targetSteps, inputs_));
  inputs_.insert(inputs_.end(), more.begin(), more.end());
  outputs_ = {scalar(loss), scalar(nll), scalar(count)};
  if (memory_)
    memory_->addOutputs(outputs_);
  if (gradientNorm)
    outputs_.push_back(scalar(*gradientNorm));
  BIFOCAL_RETURN_IF_ERROR(session_->run(entry, inputs_, outputs_));
  if (memory_)
    memory_->advance();
  sums.add({loss, nll, count, memory_ ? memory_->spans() : std::nullopt});
  return {};
}

Result<LossSums> evaluateData(Session &session, const Manifest &manifest, const BatchSource &data,
                              std::optional<int64_t> memorySteps) {
  Result<LossEntry> entry = LossEntry::create(session, manifest, RecurrentMemory::Use::evaluation, memorySteps);
  if (!entry.ok())
    return entry.status();
  LossSums sums;
  Batch batch;
  for (int64_t i = 0; i < data.batches(); ++i) {
    data.fill(i, batch);
    if (i == 0)
      entry->begin(batch.rows);
    BIFOCAL_RETURN_IF_ERROR(entry->run("evaluate", batch, {}, sums));
  }
  return sums;
}

} // namespace bifocal
