// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Import.h"

#include "frontend/GraphBuilder.h"
#include "frontend/Parameters.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace bifocal;
using namespace mlir;

namespace {
/// Tokens that `decode_candidates` gives for every row: enough for a beam of 14 without rules for repeats.
constexpr int64_t mostCandidates = 32;

/// One argument of an entry function.
struct Argument {
  StringRef name;
  Type element;
  SmallVector<StringRef> dims; ///< symbols; empty where the axis is static
  SmallVector<int64_t> shape;
};

class Importer {
public:
  Importer(const Spec &spec, MLIRContext &context) : spec(spec), builder(&context) {}
  OwningOpRef<ModuleOp> run();

private:
  void declareParameters();
  void declareStates();
  void declareState(const std::string &name, Type element, ArrayRef<int64_t> shape, ArrayRef<StringRef> dims,
                    StringRef path);
  void setAttributes();
  DictionaryAttr trainingAttribute();
  DictionaryAttr optimizerAttribute();
  /// The optimizer's op and its attributes.
  DictionaryAttr updateAttribute();
  DictionaryAttr modelAttribute();

  void buildLoss();
  void buildEvaluate();
  void buildForward();
  void buildEncode();
  void buildDecodeStep(bool candidates);
  func::FuncOp begin(StringRef name, ArrayRef<Argument> arguments, StringRef path);
  void finish(func::FuncOp function, ValueRange results, ArrayRef<StringRef> names);

  Argument tokens(StringRef name, ArrayRef<StringRef> dims) {
    return {name, builder.getI32Type(), SmallVector<StringRef>(dims),
            SmallVector<int64_t>(dims.size(), ShapedType::kDynamic)};
  }
  Location locationOf(std::string_view path) {
    Position where = spec.whereOf(path);
    return FileLineColLoc::get(builder.getContext(), spec.fileName, where.line, where.column);
  }
  NamedAttribute named(StringRef name, Attribute value) { return builder.getNamedAttr(name, value); }
  NamedAttribute named(StringRef name, double value) { return named(name, builder.getF64FloatAttr(value)); }
  NamedAttribute named(StringRef name, int64_t value) { return named(name, builder.getI64IntegerAttr(value)); }
  NamedAttribute named(StringRef name, const std::string &value) { return named(name, builder.getStringAttr(value)); }

  const Spec &spec;
  OpBuilder builder;
  ModuleOp module;
  llvm::StringMap<RankedTensorType> parameterTypes;
  SmallVector<NamedAttribute> cacheSteps;
};
} // namespace

void Importer::declareParameters() {
  for (const ParameterSpec &parameter : listParameters(spec)) {
    auto type = RankedTensorType::get(parameter.shape, builder.getF32Type());
    SmallVector<NamedAttribute> init{named("kind", parameter.init.kind)};
    if (parameter.init.kind == "xavier_uniform")
      init.push_back(named("gain", parameter.init.value));
    else if (parameter.init.kind == "normal")
      init.push_back(named("std", parameter.init.value));
    else if (parameter.init.kind == "uniform")
      init.push_back(named("bound", parameter.init.value));
    else if (parameter.init.kind == "sinusoidal")
      init.push_back(named("pad", padId));
    if (parameter.init.zeroRow >= 0)
      init.push_back(named("zero_row", parameter.init.zeroRow));
    SmallVector<StringRef> aliases(parameter.aliases.begin(), parameter.aliases.end());
    builder.create<ParamOp>(locationOf(parameter.specPath), parameter.name, type, builder.getDictionaryAttr(init),
                            builder.getStrArrayAttr(aliases), /*frozen=*/parameter.constant,
                            /*transient=*/parameter.constant);
    parameterTypes[parameter.name] = type;
  }
}

void Importer::declareState(const std::string &name, Type element, ArrayRef<int64_t> shape, ArrayRef<StringRef> dims,
                            StringRef path) {
  builder.create<StateOp>(locationOf(std::string_view(path)), name, RankedTensorType::get(shape, element),
                          builder.getStrArrayAttr(dims));
}

void Importer::declareStates() {
  constexpr int64_t any = ShapedType::kDynamic;
  Type f32 = builder.getF32Type();
  int64_t dim = spec.model.dim;
  const StackSpec &stack = spec.decoder;
  declareState("source_mask", builder.getI1Type(), {any, any}, {"B", "S"}, "encoder");
  for (int64_t layer = 0; layer < stack.layers; ++layer) {
    std::string prefix = layerPrefix(true, layer);
    for (const MixerPart &part : mixerParts(spec, true, layer)) {
      if (part.kind == Mixer::attention) {
        declareState(part.prefix + "keys", f32, {any, any, part.dim}, {"P", "R", ""}, part.specPath);
        declareState(part.prefix + "values", f32, {any, any, part.dim}, {"P", "R", ""}, part.specPath);
        continue;
      }
      declareState(part.tapsPrefix + "input", f32, {part.taps, any, part.dim}, {"", "R", ""}, part.tapsPath);
      cacheSteps.push_back(named(part.tapsPrefix + "input", part.taps));
    }
    declareState(prefix + "encoder_attn.keys", f32, {any, any, dim}, {"B", "S", ""}, "decoder.heads");
    declareState(prefix + "encoder_attn.values", f32, {any, any, dim}, {"B", "S", ""}, "decoder.heads");
  }
}

DictionaryAttr Importer::modelAttribute() {
  const ModelSpec &model = spec.model;
  return builder.getDictionaryAttr(
      {named("kind", std::string("translation")), named("pad", padId), named("bos", bosId), named("eos", eosId),
       named("unk", unkId), named("source_vocabulary", model.sourceVocabulary),
       named("target_vocabulary", model.targetVocabulary), named("max_positions", model.maxPositions),
       named("cache_steps", builder.getDictionaryAttr(cacheSteps))});
}

/// What the runtime has to know of the optimizer: its name, and what it makes of the learning rate.
DictionaryAttr Importer::optimizerAttribute() {
  const OptimizerSpec &optimizer = spec.training.optimizer;
  SmallVector<NamedAttribute> settings{named("name", optimizer.name), named("weight_decay", optimizer.weightDecay)};
  if (optimizer.name == "adam")
    settings.push_back(named("betas", builder.getF64ArrayAttr({optimizer.beta1, optimizer.beta2})));
  if (optimizer.name == "adagrad")
    settings.push_back(named("lr_decay", optimizer.lrDecay));
  return builder.getDictionaryAttr(settings);
}

DictionaryAttr Importer::updateAttribute() {
  const OptimizerSpec &optimizer = spec.training.optimizer;
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

DictionaryAttr Importer::trainingAttribute() {
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
  return builder.getDictionaryAttr(
      {named("criterion", criterion), named("optimizer", optimizerAttribute()), named("schedule", rates),
       named("max_tokens", training.maxTokens), named("max_sentences", training.maxSentences),
       named("batch_multiple", training.batchMultiple), named("validate_every", training.validateEvery),
       named("save_every", training.saveEvery), named("patience", training.patience),
       named("update_freq", training.updateFreq), named("clip_norm", training.clipNorm),
       named("max_update", training.maxUpdate), named("max_epoch", training.maxEpoch), named("seed", training.seed),
       named("precision", training.precision), named("recompute", training.recompute)});
}

void Importer::setAttributes() {
  module->setAttr("bifocal.spec", builder.getStringAttr(printSpec(spec)));
  module->setAttr("bifocal.model", modelAttribute());
  module->setAttr("bifocal.training", trainingAttribute());
}

func::FuncOp Importer::begin(StringRef name, ArrayRef<Argument> arguments, StringRef path) {
  SmallVector<Type> types;
  for (const Argument &argument : arguments)
    types.push_back(RankedTensorType::get(argument.shape, argument.element));
  Location loc = locationOf(std::string_view(path));
  builder.setInsertionPointToEnd(module.getBody());
  auto function = builder.create<func::FuncOp>(loc, name, builder.getFunctionType(types, {}));
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    function.setArgAttr(index, "bifocal.name", builder.getStringAttr(argument.name));
    function.setArgAttr(index, "bifocal.dims", builder.getStrArrayAttr(argument.dims));
  }
  builder.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

void Importer::finish(func::FuncOp function, ValueRange results, ArrayRef<StringRef> names) {
  builder.create<func::ReturnOp>(function.getLoc(), results);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), results.getTypes()));
  for (auto [index, name] : llvm::enumerate(names))
    function.setResultAttr(index, "bifocal.name", builder.getStringAttr(name));
}

void Importer::buildLoss() {
  Argument rng{"rng", builder.getI64Type(), {""}, {2}};
  func::FuncOp function =
      begin("loss", {tokens("source", {"B", "S"}), tokens("previous", {"B", "T"}), tokens("target", {"B", "T"}), rng},
            "training");
  function->setAttr("bifocal.train", updateAttribute());
  GraphBuilder graph(spec, builder, parameterTypes, function.getArgument(3));
  Value mask = graph.sourceMask(function.getArgument(0));
  Value encoded = graph.encoder(function.getArgument(0), mask);
  Value targets = graph.targetMask(function.getArgument(2));
  Value logits = graph.project(graph.decoder(function.getArgument(1), encoded, mask, targets), targets);
  finish(function, graph.crossEntropy(logits, function.getArgument(2)), {"loss", "nll", "count"});
}

void Importer::buildEvaluate() {
  func::FuncOp function =
      begin("evaluate", {tokens("source", {"B", "S"}), tokens("previous", {"B", "T"}), tokens("target", {"B", "T"})},
            "training");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  Value mask = graph.sourceMask(function.getArgument(0));
  Value encoded = graph.encoder(function.getArgument(0), mask);
  Value targets = graph.targetMask(function.getArgument(2));
  Value logits = graph.project(graph.decoder(function.getArgument(1), encoded, mask, targets), targets);
  finish(function, graph.crossEntropy(logits, function.getArgument(2)), {"loss", "nll", "count"});
}

void Importer::buildForward() {
  func::FuncOp function = begin("forward", {tokens("source", {"B", "S"}), tokens("previous", {"B", "T"})}, "model");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  Value mask = graph.sourceMask(function.getArgument(0));
  Value encoded = graph.encoder(function.getArgument(0), mask);
  finish(function, graph.project(graph.decoder(function.getArgument(1), encoded, mask, Value()), Value()), {"logits"});
}

void Importer::buildEncode() {
  func::FuncOp function = begin("encode", {tokens("source", {"B", "S"})}, "encoder");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  Value mask = graph.sourceMask(function.getArgument(0));
  Value encoded = graph.encoder(function.getArgument(0), mask);
  graph.writeEncoderStates(encoded, mask);
  finish(function, encoded, {"encoder_output"});
}

/// A step of decoding gives the log-probabilities of all tokens, or the likeliest tokens with theirs.
void Importer::buildDecodeStep(bool candidates) {
  func::FuncOp function = begin(candidates ? "decode_candidates" : "decode_step",
                                {tokens("tokens", {"N"}), tokens("positions", {"N"}), tokens("sentences", {"N"}),
                                 tokens("ancestors", {"N", "P"}), tokens("step", {})},
                                "decoder");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  GraphBuilder::Step step{function.getArgument(2), function.getArgument(3), function.getArgument(4)};
  Value logits = graph.project(graph.decoderStep(function.getArgument(0), function.getArgument(1), step), Value());
  auto all = builder.create<LogSoftmaxOp>(graph.loc(), logits.getType(), logits);
  if (!candidates)
    return finish(function, all.getOutput(), {"log_probabilities"});
  const int64_t vocabulary = cast<RankedTensorType>(logits.getType()).getShape().back();
  const int64_t k = std::min(mostCandidates, vocabulary);
  auto best =
      builder.create<TopKOp>(graph.loc(), RankedTensorType::get({ShapedType::kDynamic, k}, builder.getF32Type()),
                             RankedTensorType::get({ShapedType::kDynamic, k}, builder.getI32Type()), all, k);
  finish(function, best.getResults(), {"log_probabilities", "candidates"});
}

OwningOpRef<ModuleOp> Importer::run() {
  module = ModuleOp::create(FileLineColLoc::get(builder.getContext(), spec.fileName, 1, 1));
  builder.setInsertionPointToEnd(module.getBody());
  declareParameters();
  declareStates();
  setAttributes();
  buildLoss();
  buildEvaluate();
  buildForward();
  buildEncode();
  buildDecodeStep(/*candidates=*/false);
  buildDecodeStep(/*candidates=*/true);
  return module;
}

OwningOpRef<ModuleOp> bifocal::importSpec(const Spec &spec, MLIRContext &context) {
  context.loadDialect<BifocalDialect, func::FuncDialect>();
  return Importer(spec, context).run();
}
