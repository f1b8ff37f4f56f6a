// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "frontend/Import.h"

#include "frontend/GraphBuilder.h"
#include "frontend/Parameters.h"
#include "frontend/RecurrentImport.h"
#include "frontend/RecurrentSpec.h"
#include "frontend/TrainingAttributes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace bifocal;
using namespace mlir;

namespace {
/// Tokens that `decode_candidates` gives for every row: enough for a beam of 14 without rules for repeats.
constexpr int64_t mostCandidates = 32;

/// Tokens of the lists that `decode_short_list` takes, a quarter of the vocabulary: batches of sentences need about as
/// many. 0 where there is no such entry, because the product with the whole vocabulary is small or in bands already.
int64_t shortListSize(const ModelSpec &model) {
  constexpr int64_t share = 4, least = 512, most = 4096, multiple = 64;
  if (model.kind == ModelKind::languageModel || model.adaptiveSoftmax.isUsed() ||
      model.targetVocabulary < share * least)
    return 0;
  return std::min(model.targetVocabulary / share / multiple * multiple, most);
}

/// What a step of decoding gives: the log-probabilities of all tokens, the likeliest tokens with theirs, or those of
/// the tokens in a list, which share all of the probability.
enum class StepResult { all, candidates, shortList };

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
  DictionaryAttr modelAttribute();

  bool recurrent() const { return isRecurrent(spec.decoder.mixer); }
  void buildRecurrent(StringRef name, bool target, bool training);
  /// What an entry reads: of a translation `source` and `previous`, of a language model `previous` alone; of one with a
  /// memory this, too.
  SmallVector<Argument> readTexts(bool target);
  /// What the last layer gives at each step, and which steps are scored.
  struct Features {
    Value features, scored;
  };
  Features featuresOf(GraphBuilder &graph, func::FuncOp function, bool target);
  SmallVector<Value> lossOf(GraphBuilder &graph, func::FuncOp function);
  void buildLoss(bool training);
  void buildForward();
  void buildEncode();
  void buildEncodeDistances();
  void buildDecodeStep(StepResult result);
  Value stepLogProbabilities(GraphBuilder &graph, Value features, Value shortList);
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
    else if (parameter.init.kind == "constant")
      init.push_back(named("value", parameter.init.value));
    else if (parameter.init.kind == "sinusoidal")
      init.push_back(named("pad", padId));
    else if (parameter.init.kind.starts_with("rotary"))
      init.push_back(named("base", parameter.init.value));
    if (parameter.init.mean != 0)
      init.push_back(named("mean", parameter.init.mean));
    if (parameter.init.zeroRow >= 0)
      init.push_back(named("zero_row", parameter.init.zeroRow));
    SmallVector<StringRef> aliases(parameter.aliases.begin(), parameter.aliases.end());
    DenseF32ArrayAttr bounds = parameter.bounds ? builder.getDenseF32ArrayAttr(*parameter.bounds) : DenseF32ArrayAttr();
    builder.create<ParamOp>(locationOf(parameter.specPath), parameter.name, type, builder.getDictionaryAttr(init),
                            builder.getStrArrayAttr(aliases), bounds, /*frozen=*/parameter.constant,
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
  if (recurrent()) {
    for (const std::string &cache : recurrentCaches(spec))
      declareState(cache, f32, {any, any, dim}, {"P", "R", ""}, "decoder.heads");
    for (const std::string &positions : distanceStates(spec))
      declareState(positions, f32, {any, dim}, {"P", ""}, "decoder.memory");
    return;
  }
  if (!spec.isLanguageModel())
    declareState("source_mask", builder.getI1Type(), {any, any}, {"B", "S"}, "encoder");
  for (int64_t layer = 0; layer < stack.layers; ++layer) {
    std::string prefix = layerPrefix(true, layer);
    for (const MixerPart &part : mixerParts(spec, true, layer)) {
      if (part.attends()) {
        declareState(part.prefix + "keys", f32, {any, any, part.kvDim()}, {"P", "R", ""}, part.specPath);
        declareState(part.prefix + "values", f32, {any, any, part.kvDim()}, {"P", "R", ""}, part.specPath);
        continue;
      }
      declareState(part.tapsPrefix + "input", f32, {part.taps, any, part.dim}, {"", "R", ""}, part.tapsPath);
      cacheSteps.push_back(named(part.tapsPrefix + "input", part.taps));
    }
    if (spec.isLanguageModel())
      continue;
    declareState(prefix + "encoder_attn.keys", f32, {any, any, dim}, {"B", "S", ""}, "decoder.heads");
    declareState(prefix + "encoder_attn.values", f32, {any, any, dim}, {"B", "S", ""}, "decoder.heads");
  }
}

DictionaryAttr Importer::modelAttribute() {
  const ModelSpec &model = spec.model;
  SmallVector<NamedAttribute> settings{named("kind", std::string(name(model.kind))),
                                       named("pad", padId),
                                       named("bos", bosId),
                                       named("eos", eosId),
                                       named("unk", unkId),
                                       named("max_positions", model.maxPositions),
                                       named("cache_steps", builder.getDictionaryAttr(cacheSteps))};
  if (recurrent())
    settings.push_back(named("memory", memoryAttribute(spec, builder)));
  if (spec.isLanguageModel())
    settings.push_back(named("vocabulary", model.targetVocabulary));
  else
    settings.append(
        {named("source_vocabulary", model.sourceVocabulary), named("target_vocabulary", model.targetVocabulary)});
  return builder.getDictionaryAttr(settings);
}

void Importer::setAttributes() {
  module->setAttr("bifocal.spec", builder.getStringAttr(printSpec(spec)));
  module->setAttr("bifocal.model", modelAttribute());
  module->setAttr("bifocal.training", trainingAttribute(spec, builder));
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

SmallVector<Argument> Importer::readTexts(bool target) {
  SmallVector<Argument> texts;
  if (!spec.isLanguageModel())
    texts.push_back(tokens("source", {"B", "S"}));
  texts.push_back(tokens("previous", {"B", "T"}));
  if (target)
    texts.push_back(tokens("target", {"B", "T"}));
  if (recurrent())
    for (const MemoryArgument &memory : memoryArguments(spec, builder))
      texts.push_back({memory.name,
                       builder.getF32Type(),
                       {"B", memory.steps, ""},
                       {ShapedType::kDynamic, ShapedType::kDynamic, spec.model.dim}});
  return texts;
}

Importer::Features Importer::featuresOf(GraphBuilder &graph, func::FuncOp function, bool target) {
  if (spec.isLanguageModel()) {
    // A step that is not scored, such as the context of a window, is a step of the text all the same.
    Value previous = function.getArgument(0), scored = target ? graph.targetMask(function.getArgument(1)) : Value();
    Value read = target ? graph.targetMask(previous) : Value();
    return {graph.decoder(previous, Value(), Value(), read), scored};
  }
  Value mask = graph.sourceMask(function.getArgument(0));
  Value encoded = graph.encoder(function.getArgument(0), mask);
  Value scored = target ? graph.targetMask(function.getArgument(2)) : Value();
  return {graph.decoder(function.getArgument(1), encoded, mask, scored), scored};
}

SmallVector<Value> Importer::lossOf(GraphBuilder &graph, func::FuncOp function) {
  auto [features, scored] = featuresOf(graph, function, /*target=*/true);
  Value target = function.getArgument(spec.isLanguageModel() ? 1 : 2);
  if (spec.model.adaptiveSoftmax.isUsed())
    return graph.adaptiveLoss(features, target, scored);
  return SmallVector<Value>(graph.crossEntropy(graph.project(features, scored), target));
}

/// One of @loss, @evaluate and @forward of a model with a memory.
void Importer::buildRecurrent(StringRef name, bool target, bool training) {
  const RecurrentSpec &lengths = spec.decoder.recurrent;
  SmallVector<Argument> arguments = readTexts(target);
  if (training)
    arguments.push_back({"rng", builder.getI64Type(), {""}, {2}});
  func::FuncOp function = begin(name, arguments, target ? "training" : "model");
  if (training)
    function->setAttr("bifocal.train", updateAttribute(spec.training.optimizer, builder));
  GraphBuilder graph(spec, builder, parameterTypes, training ? Value(function.getArguments().back()) : Value());
  SmallVector<Value> states;
  Value features = graph.recurrentDecoder(function.getArgument(0),
                                          function.getArguments().slice(target ? 2 : 1, spec.decoder.layers),
                                          training ? lengths.training : lengths.evaluation, states);
  NamedResults results{{"logits"}, {}};
  if (target)
    results = {{"loss", "nll", "count"}, graph.recurrentLoss(features, function.getArgument(1))};
  else
    results.values = {graph.recurrentLogits(features)};
  results.addStates(states, builder);
  finish(function, results.values, results.names);
}

/// @loss of training, or @evaluate.
void Importer::buildLoss(bool training) {
  SmallVector<Argument> arguments = readTexts(/*target=*/true);
  if (training)
    arguments.push_back({"rng", builder.getI64Type(), {""}, {2}});
  func::FuncOp function = begin(training ? "loss" : "evaluate", arguments, "training");
  if (training)
    function->setAttr("bifocal.train", updateAttribute(spec.training.optimizer, builder));
  GraphBuilder graph(spec, builder, parameterTypes, training ? Value(function.getArguments().back()) : Value());
  finish(function, lossOf(graph, function), {"loss", "nll", "count"});
}

void Importer::buildForward() {
  func::FuncOp function = begin("forward", readTexts(/*target=*/false), "model");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  Value features = featuresOf(graph, function, /*target=*/false).features;
  const bool adaptive = spec.model.adaptiveSoftmax.isUsed();
  finish(function, adaptive ? graph.adaptiveLogProbabilities(features) : graph.project(features, Value()), {"logits"});
}

void Importer::buildEncode() {
  func::FuncOp function = begin("encode", {tokens("source", {"B", "S"})}, "encoder");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  Value mask = graph.sourceMask(function.getArgument(0));
  Value encoded = graph.encoder(function.getArgument(0), mask);
  graph.writeEncoderStates(encoded, mask);
  finish(function, encoded, {"encoder_output"});
}

/// Transformer-XL knows distances alone, whose projections all tokens and steps share.
void Importer::buildEncodeDistances() {
  func::FuncOp function = begin("encode_distances", {tokens("distances", {"P"})}, "decoder");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  graph.writeDistanceStates(function.getArgument(0));
  finish(function, {}, {});
}

/// Log-probabilities [N, V], or of the tokens in a list if there is one.
Value Importer::stepLogProbabilities(GraphBuilder &graph, Value features, Value shortList) {
  if (spec.model.adaptiveSoftmax.isUsed())
    return recurrent() ? graph.recurrentLogits(features) : graph.adaptiveLogProbabilities(features);
  Value logits = recurrent() ? graph.recurrentLogits(features)
                 : shortList ? graph.projectTo(features, shortList)
                             : graph.project(features, Value());
  return builder.create<LogSoftmaxOp>(graph.loc(), logits.getType(), logits);
}

void Importer::buildDecodeStep(StepResult result) {
  SmallVector<Argument> arguments{tokens("tokens", {"N"}), tokens("positions", {"N"})};
  if (!spec.isLanguageModel())
    arguments.push_back(tokens("sentences", {"N"}));
  arguments.append({tokens("ancestors", {"N", "P"}), tokens("step", {})});
  const bool listed = result == StepResult::shortList, candidates = result == StepResult::candidates;
  if (listed)
    arguments.push_back({"short_list", builder.getI32Type(), {""}, {shortListSize(spec.model)}});
  StringRef name = listed ? "decode_short_list" : candidates ? "decode_candidates" : "decode_step";
  func::FuncOp function = begin(name, arguments, "decoder");
  GraphBuilder graph(spec, builder, parameterTypes, Value());
  auto last = function.getArguments().drop_back(listed).take_back(3);
  GraphBuilder::Step step{spec.isLanguageModel() ? Value() : Value(last[0]), last[1], last[2]};
  Value features = recurrent() ? graph.recurrentStep(function.getArgument(0), step)
                               : graph.decoderStep(function.getArgument(0), function.getArgument(1), step);
  Value all = stepLogProbabilities(graph, features, listed ? Value(function.getArguments().back()) : Value());
  if (!candidates)
    return finish(function, all, {"log_probabilities"});
  const int64_t vocabulary = cast<RankedTensorType>(all.getType()).getShape().back();
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
  if (recurrent()) {
    buildRecurrent("loss", /*target=*/true, /*training=*/true);
    buildRecurrent("evaluate", /*target=*/true, /*training=*/false);
    buildRecurrent("forward", /*target=*/false, /*training=*/false);
  } else {
    buildLoss(/*training=*/true);
    buildLoss(/*training=*/false);
    buildForward();
  }
  if (!spec.isLanguageModel())
    buildEncode();
  if (!distanceStates(spec).empty())
    buildEncodeDistances();
  buildDecodeStep(StepResult::all);
  buildDecodeStep(StepResult::candidates);
  if (shortListSize(spec.model) > 0)
    buildDecodeStep(StepResult::shortList);
  return module;
}

OwningOpRef<ModuleOp> bifocal::importSpec(const Spec &spec, MLIRContext &context) {
  context.loadDialect<BifocalDialect, func::FuncDialect>();
  return Importer(spec, context).run();
}
