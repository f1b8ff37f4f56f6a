// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/TrainingAttributes.h"

using namespace bifocal;
using namespace mlir;

namespace {
/// Attributes by name, of what a spec has for values.
class Named {
public:
  explicit Named(Builder &builder) : builder(builder) {}
  NamedAttribute operator()(StringRef name, Attribute value) const { return builder.getNamedAttr(name, value); }
  NamedAttribute operator()(StringRef name, double value) const {
    return (*this)(name, builder.getF64FloatAttr(value));
  }
  NamedAttribute operator()(StringRef name, int64_t value) const {
    return (*this)(name, builder.getI64IntegerAttr(value));
  }
  NamedAttribute operator()(StringRef name, const std::string &value) const {
    return (*this)(name, builder.getStringAttr(value));
  }

private:
  Builder &builder;
};
} // namespace

/// What the runtime has to know of the optimizer: its name, and what it makes of the learning rate.
static DictionaryAttr optimizerAttribute(const OptimizerSpec &optimizer, Builder &builder) {
  const Named named(builder);
  SmallVector<NamedAttribute> settings{named("name", optimizer.name), named("weight_decay", optimizer.weightDecay)};
  if (optimizer.name == "adam")
    settings.push_back(named("betas", builder.getF64ArrayAttr({optimizer.beta1, optimizer.beta2})));
  if (optimizer.name == "adagrad")
    settings.push_back(named("lr_decay", optimizer.lrDecay));
  return builder.getDictionaryAttr(settings);
}

DictionaryAttr bifocal::updateAttribute(const OptimizerSpec &optimizer, Builder &builder) {
  const Named named(builder);
  auto f32 = [&](StringRef name, double value) {
    return named(name, builder.getF32FloatAttr(static_cast<float>(value)));
  };
  SmallVector<NamedAttribute> settings{named("optimizer", optimizer.name), f32("weight_decay", optimizer.weightDecay)};
  if (optimizer.name == "adam")
    llvm::append_values(settings, f32("beta1", optimizer.beta1), f32("beta2", optimizer.beta2));
  if (optimizer.name == "adam" || optimizer.name == "adagrad")
    settings.push_back(f32("epsilon", optimizer.epsilon));
  if (optimizer.name == "adagrad")
    settings.push_back(f32("clip", optimizer.clip));
  if (optimizer.name == "nag" || optimizer.name == "sgd")
    settings.push_back(f32("momentum", optimizer.momentum));
  return builder.getDictionaryAttr(settings);
}

DictionaryAttr bifocal::trainingAttribute(const Spec &spec, Builder &builder) {
  const Named named(builder);
  const TrainingSpec &training = spec.training;
  const ScheduleSpec &schedule = training.schedule;
  Attribute criterion = builder.getDictionaryAttr(
      {named("name", training.criterion.name), named("smoothing", training.criterion.smoothing)});
  Attribute rates = builder.getDictionaryAttr(
      {named("name", schedule.name), named("lr", schedule.lr), named("warmup_updates", schedule.warmupUpdates),
       named("warmup_init_lr", schedule.warmupInitLr), named("min_lr", schedule.minLr),
       named("period_updates", schedule.periodUpdates), named("period_mult", schedule.periodMult),
       named("shrink", schedule.shrink), named("end_lr", schedule.endLr), named("power", schedule.power),
       named("total_updates", schedule.totalUpdates)});
  SmallVector<NamedAttribute> settings = {named("criterion", criterion),
                                          named("optimizer", optimizerAttribute(training.optimizer, builder)),
                                          named("schedule", rates),
                                          named("max_tokens", training.maxTokens),
                                          named("max_sentences", training.maxSentences),
                                          named("batch_multiple", training.batchMultiple),
                                          named("validate_every", training.validateEvery),
                                          named("save_every", training.saveEvery),
                                          named("patience", training.patience),
                                          named("update_freq", training.updateFreq),
                                          named("clip_norm", training.clipNorm),
                                          named("max_update", training.maxUpdate),
                                          named("max_epoch", training.maxEpoch),
                                          named("seed", training.seed),
                                          named("precision", training.precision),
                                          named("recompute", training.recompute)};
  if (spec.isLanguageModel())
    settings.append(
        {named("tokens_per_sample", training.tokensPerSample), named("sample_break_mode", training.sampleBreakMode)});
  return builder.getDictionaryAttr(settings);
}
