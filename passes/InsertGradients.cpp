// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/NamedDims.h"
#include "passes/Passes.h"
#include "passes/ReverseMode.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_INSERTGRADIENTSPASS
#include "passes/Passes.h.inc"

namespace {

constexpr StringLiteral nameAttr = "bifocal.name", dimsAttr = "bifocal.dims", trainAttr = "bifocal.train",
                        gradientAttr = "bifocal.gradient";

RankedTensorType scalarType(MLIRContext *context) { return RankedTensorType::get({}, Float32Type::get(context)); }

bool isFloat(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

DictionaryAttr named(Builder &builder, StringRef name, Attribute dims = {}) {
  SmallVector<NamedAttribute> attributes{{builder.getStringAttr(nameAttr), builder.getStringAttr(name)}};
  if (dims)
    attributes.emplace_back(builder.getStringAttr(dimsAttr), dims);
  return builder.getDictionaryAttr(attributes);
}

/// Adds arguments and results to a function; the caller has changed the terminator.
void addArgument(func::FuncOp function, Type type, DictionaryAttr attributes) {
  function.insertArgument(function.getNumArguments(), type, attributes, function.getLoc());
}
void addResult(func::FuncOp function, Value value, DictionaryAttr attributes) {
  Operation *terminator = function.front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), value);
  function.insertResult(function.getNumResults(), value.getType(), attributes);
}

/// The operand of the terminator that is returned under `name`.
Value returned(func::FuncOp function, StringRef name) {
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto attribute = function.getResultAttrOfType<StringAttr>(i, nameAttr); attribute && attribute == name)
      return function.front().getTerminator()->getOperand(i);
  return {};
}

/// The names of the axes of every result: as the function has them, or as they follow from those of its arguments. Null
/// where neither says them.
SmallVector<Attribute> resultDims(func::FuncOp function) {
  NamedDims dims(function);
  bool complete = llvm::all_of(function.getArguments(), [&](BlockArgument argument) {
    return cast<ShapedType>(argument.getType()).hasStaticShape() ||
           function.getArgAttr(argument.getArgNumber(), dimsAttr);
  });
  bool inferred = complete && succeeded(dims.infer());
  SmallVector<Attribute> result;
  for (OpOperand &value : function.front().getTerminator()->getOpOperands()) {
    Attribute given = function.getResultAttr(value.getOperandNumber(), dimsAttr);
    result.push_back(!given && inferred ? dims.namesOf(dims.of(value.get())) : given);
  }
  return result;
}

class InsertGradients : public impl::InsertGradientsPassBase<InsertGradients> {
public:
  void runOnOperation() override {
    SmallVector<func::FuncOp> marked;
    func::FuncOp loss;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(gradientAttr))
        marked.push_back(function);
      if (function.getName() == "loss")
        loss = function;
    }
    for (func::FuncOp function : marked)
      if (failed(buildSibling(function)))
        return signalPassFailure();
    if (loss && failed(buildTraining(loss)))
      return signalPassFailure();
  }

private:
  func::FuncOp cloneAs(func::FuncOp function, const Twine &name);
  LogicalResult buildSibling(func::FuncOp function);
  LogicalResult buildTraining(func::FuncOp loss);
  LogicalResult writeBackward(func::FuncOp function, bool accumulate);
  Value writeUpdate(OpBuilder &builder, Location location, Value count, Value hyper, DictionaryAttr settings,
                    bool clearGradients);
  void buildApply(func::FuncOp loss, DictionaryAttr settings);
  SmallVector<ParamOp> trainedParameters();
};

SmallVector<ParamOp> InsertGradients::trainedParameters() {
  SmallVector<ParamOp> parameters;
  for (auto parameter : getOperation().getOps<ParamOp>())
    if (isTrained(parameter))
      parameters.push_back(parameter);
  return parameters;
}

func::FuncOp InsertGradients::cloneAs(func::FuncOp function, const Twine &name) {
  func::FuncOp clone = function.clone();
  clone.setName(name.str());
  clone->removeAttr(gradientAttr);
  clone->removeAttr(trainAttr);
  function->getBlock()->getOperations().insert(Block::iterator(function), clone);
  return clone;
}

LogicalResult InsertGradients::buildSibling(func::FuncOp function) {
  function->removeAttr(gradientAttr);
  func::FuncOp sibling = cloneAs(function, function.getName() + "_gradient");
  sibling->moveAfter(function);
  Builder builder(&getContext());
  Block &body = sibling.front();
  SmallVector<Value> sources;
  for (Value argument : body.getArguments())
    if (isFloat(argument.getType()))
      sources.push_back(argument);

  ReverseMode reverse(body, sources, /*parameters=*/false);
  SmallVector<Value> outputs(body.getTerminator()->getOperands());
  SmallVector<unsigned> integers;
  SmallVector<Attribute> outputDims = resultDims(function);
  for (auto [i, output] : llvm::enumerate(outputs)) {
    auto name = function.getResultAttrOfType<StringAttr>(i, nameAttr);
    if (!isFloat(output.getType())) {
      integers.push_back(i);
      continue;
    }
    addArgument(sibling, output.getType(),
                named(builder, (name ? name.getValue() : "result").str() + "_grad", outputDims[i]));
    reverse.addGradient(output, body.getArguments().back());
  }
  if (failed(reverse.run()))
    return failure();
  for (unsigned i : llvm::reverse(integers)) {
    body.getTerminator()->eraseOperand(i);
    sibling.eraseResult(i);
  }
  for (Value source : sources) {
    Value gradient = reverse.gradientOf(source);
    auto argument = cast<BlockArgument>(source);
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nameAttr);
    std::string text = name ? name.str() : "argument";
    if (!gradient)
      return function.emitError("expects every float argument to reach a result, but no gradient reaches '")
             << text << "'";
    addResult(sibling, gradient,
              named(builder, text + "_grad", function.getArgAttr(argument.getArgNumber(), dimsAttr)));
  }
  eraseUnread(body);
  return success();
}

LogicalResult InsertGradients::writeBackward(func::FuncOp function, bool accumulate) {
  Block &body = function.front();
  OpBuilder builder(body.getTerminator());
  Value loss = returned(function, "loss");
  ReverseMode reverse(body, {}, /*parameters=*/true);
  auto one = DenseElementsAttr::get(scalarType(&getContext()), 1.0f);
  reverse.addGradient(loss, builder.create<arith::ConstantOp>(loss.getLoc(), one));
  if (failed(reverse.run()))
    return failure();
  for (ParamOp parameter : trainedParameters()) {
    auto symbol = FlatSymbolRefAttr::get(parameter.getSymNameAttr());
    Value gradient = reverse.gradientOfParameter(symbol);
    if (!gradient)
      return parameter.emitOpError("expects a gradient for every trained parameter, but none reaches this one");
    builder.setInsertionPointAfterValue(gradient);
    builder.create<StoreGradientOp>(gradient.getLoc(), gradient, symbol,
                                    accumulate ? builder.getUnitAttr() : UnitAttr());
  }
  eraseUnread(body);
  return success();
}

Value InsertGradients::writeUpdate(OpBuilder &builder, Location location, Value count, Value hyper,
                                   DictionaryAttr settings, bool clearGradients) {
  SmallVector<Attribute> symbols;
  for (ParamOp parameter : trainedParameters())
    symbols.push_back(FlatSymbolRefAttr::get(parameter.getSymNameAttr()));
  Value norm = builder.create<GlobalNormOp>(location, count.getType(), count, builder.getArrayAttr(symbols));
  Value factor = builder.create<ClipOp>(location, count.getType(), norm, count, hyper);
  auto optimizer = settings.getAs<StringAttr>("optimizer");
  NamedAttrList attributes(settings);
  attributes.erase("optimizer");
  if (clearGradients)
    attributes.set("clear_gradients", builder.getUnitAttr());
  for (ParamOp parameter : trainedParameters()) {
    attributes.set("params", builder.getArrayAttr(FlatSymbolRefAttr::get(parameter.getSymNameAttr())));
    attributes.erase("bounds");
    if (parameter.getBoundsAttr())
      attributes.set("bounds", parameter.getBoundsAttr());
    OperationState update(parameter.getLoc(), ("bifocal." + optimizer.getValue()).str(), ValueRange{factor, hyper}, {},
                          attributes);
    builder.create(update);
  }
  return norm;
}

void InsertGradients::buildApply(func::FuncOp loss, DictionaryAttr settings) {
  OpBuilder builder(loss);
  auto apply = builder.create<func::FuncOp>(loss.getLoc(), "apply_gradients", builder.getFunctionType({}, {}));
  Block *body = apply.addEntryBlock();
  builder.setInsertionPointToStart(body);
  builder.create<func::ReturnOp>(loss.getLoc());
  addArgument(apply, scalarType(&getContext()), named(builder, "count"));
  addArgument(apply, RankedTensorType::get({4}, builder.getF32Type()), named(builder, "hyper"));
  builder.setInsertionPoint(body->getTerminator());
  Value norm = writeUpdate(builder, loss.getLoc(), body->getArgument(0), body->getArgument(1), settings,
                           /*clearGradients=*/true);
  addResult(apply, norm, named(builder, "gradient_norm"));
}

LogicalResult InsertGradients::buildTraining(func::FuncOp loss) {
  auto settings = loss->getAttrOfType<DictionaryAttr>(trainAttr);
  func::FuncOp step = cloneAs(loss, "train_step");
  if (failed(writeBackward(step, /*accumulate=*/false)))
    return failure();
  func::FuncOp accumulate = cloneAs(loss, "accumulate_gradients");
  if (failed(writeBackward(accumulate, /*accumulate=*/true)))
    return failure();

  OpBuilder builder(step.front().getTerminator());
  addArgument(step, RankedTensorType::get({4}, builder.getF32Type()), named(builder, "hyper"));
  Value norm = writeUpdate(builder, loss.getLoc(), returned(step, "count"), step.getArguments().back(), settings,
                           /*clearGradients=*/false);
  addResult(step, norm, named(builder, "gradient_norm"));
  buildApply(loss, settings);
  loss.erase();
  return success();
}

} // namespace
} // namespace bifocal
