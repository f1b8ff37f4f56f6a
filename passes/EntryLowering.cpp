// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/EntryLowering.h"

using namespace mlir;

namespace bifocal {

/// Whether an op of this function writes `value`: arguments and parameters have their place already.
static bool isComputed(Value value) {
  Operation *producer = value.getDefiningOp();
  return producer && !isa<ParamRefOp, StateReadOp>(producer);
}

LogicalResult EntryLowering::run() {
  splitActivations();
  if (failed(plan.start()))
    return failure();
  placeGradients();
  placeStates();
  placeOutputs();
  placeInitials();
  placeConcats();
  for (auto [value, result] : inPlace)
    plan.bind(value, plan.bufferOf(result));
  chooseEpilogues();
  for (Operation &op : function.front().without_terminator())
    if (failed(lower(&op)))
      return failure();
  lowerReturn(function.front().getTerminator());
  plan.finish();
  return success();
}

void EntryLowering::placeOutputs() {
  for (OpOperand &value : function.front().getTerminator()->getOpOperands())
    if (isComputed(value.get()) && !plan.isBound(value.get()))
      plan.bind(value.get(), plan.outputBuffer(value.getOperandNumber(), value.get()));
}

/// Whether the producer of `gradient` can add it to `slab` instead of writing it somewhere else first.
bool EntryLowering::accumulateInPlace(Value gradient, Value slab) {
  if (!isComputed(gradient) || !gradient.hasOneUse() || plan.isBound(gradient))
    return false;
  auto scatter = gradient.getDefiningOp<EmbeddingGradOp>();
  if (!scatter && !isa<LinearWeightGradOp, ProjectedCrossEntropyOp>(gradient.getDefiningOp()))
    return false;
  if (scatter && scatter.getInitial() && !accumulateInPlace(scatter.getInitial(), slab))
    return false;
  plan.bind(gradient, slab);
  if (!scatter || !scatter.getInitial())
    accumulated.insert(gradient);
  return true;
}

void EntryLowering::placeGradients() {
  llvm::DenseMap<Attribute, unsigned> stores;
  for (auto store : function.front().getOps<StoreGradientOp>())
    ++stores[store.getParamAttr()];
  for (auto store : function.front().getOps<StoreGradientOp>()) {
    Value gradient = store.getGradient();
    if (stores[store.getParamAttr()] != 1)
      continue;
    const PlacedParameter *parameter = plan.layout.find(store.getParam());
    Value slab = plan.slabBuffer(plan::Region::gradient, parameter->offset, parameter->elements);
    bool placed =
        store.getAccumulate() ? accumulateInPlace(gradient, slab) : isComputed(gradient) && !plan.isBound(gradient);
    if (!placed)
      continue;
    plan.bind(gradient, slab);
    direct.insert(store);
  }
}

/// A state that no other op of the entry touches is written by the producer of its value.
void EntryLowering::placeStates() {
  llvm::DenseMap<Attribute, unsigned> uses;
  for (Operation &op : function.front())
    for (FlatSymbolRefAttr state : namedStates(&op))
      ++uses[state];
  for (auto write : function.front().getOps<StateWriteOp>()) {
    if (uses[write.getStateAttr()] != 1 || !isComputed(write.getValue()) || plan.isBound(write.getValue()))
      continue;
    auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(write, write.getStateAttr());
    plan.bind(write.getValue(), plan.stateBuffer(state));
    direct.insert(write);
  }
}

void EntryLowering::placeInitials() {
  // The scatter of a table's gradient starts from the sum so far, where it lies.
  for (Operation &op : llvm::reverse(function.front()))
    if (auto scatter = dyn_cast<EmbeddingGradOp>(op))
      if (Value initial = scatter.getInitial();
          initial && isComputed(initial) && initial.hasOneUse() && !plan.isBound(initial))
        plan.bind(initial, plan.bufferOf(scatter.getTableGrad()));
}

LogicalResult EntryLowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<ParamRefOp, StateReadOp>([](auto) { return success(); })
      .Case<LinearOp, LinearInputGradOp, LinearWeightGradOp>([&](auto product) {
        if (!epilogueOf.contains(product))
          emit(productOf(product));
        return success();
      })
      .Case([&](MapOp map) {
        if (Operation *product = productFor.lookup(map))
          emit(productOf(product), map);
        else
          plan.launch(map);
        return success();
      })
      .Case([&](ProjectedCrossEntropyOp loss) { return lowerProjectedLoss(loss), success(); })
      .Case([&](StoreGradientOp store) { return lowerStore(store), success(); })
      .Case([&](GlobalNormOp norm) { return lowerNorm(norm); })
      .Case([&](OptimizerOpInterface update) { return lowerUpdate(update), success(); })
      .Case([&](EmbeddingGradOp scatter) { return lowerScatter(scatter), success(); })
      .Case([&](SplitOp split) { return lowerSplit(split), success(); })
      .Case([&](ConcatOp concat) { return lowerConcat(concat), success(); })
      .Case([&](StateWriteOp write) {
        if (direct.contains(write))
          return success();
        auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(write, write.getStateAttr());
        Value value = plan.denseBufferOf(write.getValue());
        plan.builder.create<plan::CopyOp>(write.getLoc(), value, plan.stateBuffer(state));
        return success();
      })
      .Default([&](Operation *other) { return plan.launch(other), success(); });
}

/// A scatter that adds to a slab starts from what the slab holds.
void EntryLowering::lowerScatter(EmbeddingGradOp scatter) {
  if (!accumulated.contains(scatter.getTableGrad()))
    return plan.launch(scatter);
  Value table = scatter.getTableGrad(), slab = plan.bufferOf(table);
  Block scratch;
  Location location = scatter.getLoc();
  Value ids = scratch.addArgument(scatter.getIds().getType(), location);
  Value gradient = scratch.addArgument(scatter.getOutputGrad().getType(), location);
  Value initial = scratch.addArgument(table.getType(), location);
  OpBuilder builder(scatter.getContext());
  builder.setInsertionPointToStart(&scratch);
  auto op = builder.create<EmbeddingGradOp>(location, table.getType(), ids, gradient, initial, scatter.getScaleAttr(),
                                            scatter.getPadAttr());
  plan.launch(op, {plan.bufferOf(scatter.getIds()), plan.denseBufferOf(scatter.getOutputGrad()), slab, slab},
              plan.launchSizes(scatter));
}

void EntryLowering::lowerStore(StoreGradientOp store) {
  if (direct.contains(store))
    return;
  const PlacedParameter *parameter = plan.layout.find(store.getParam());
  Value slab = plan.slabBuffer(plan::Region::gradient, parameter->offset, parameter->elements);
  Value gradient = plan.denseBufferOf(store.getGradient());
  if (store.getAccumulate())
    plan.launch(store, {gradient, slab}, getAffineConstantExpr(parameter->elements, store.getContext()));
  else
    plan.builder.create<plan::CopyOp>(store.getLoc(), gradient, slab);
}

/// Cuts a list of parameters into runs of neighbours in the slab: the first element of each run, and its parameters.
SmallVector<std::pair<int64_t, SmallVector<Attribute>>> EntryLowering::findRuns(ArrayAttr parameters) {
  SmallVector<const PlacedParameter *> places;
  for (Attribute name : parameters)
    places.push_back(plan.layout.find(cast<FlatSymbolRefAttr>(name).getValue()));
  llvm::sort(places, [](auto *a, auto *b) { return a->offset < b->offset; });
  SmallVector<std::pair<int64_t, SmallVector<Attribute>>> runs;
  const PlacedParameter *previous = nullptr;
  for (const PlacedParameter *place : places) {
    if (!previous || place->offset != previous->end())
      runs.push_back({place->offset, {}});
    runs.back().second.push_back(FlatSymbolRefAttr::get(ParamOp(place->op).getSymNameAttr()));
    previous = place;
  }
  return runs;
}

int64_t EntryLowering::runElements(ArrayRef<Attribute> run) const {
  return plan.layout.find(cast<FlatSymbolRefAttr>(run.back()).getValue())->end() -
         plan.layout.find(cast<FlatSymbolRefAttr>(run.front()).getValue())->offset;
}

LogicalResult EntryLowering::lowerNorm(GlobalNormOp norm) {
  auto runs = findRuns(norm.getParams());
  if (runs.size() != 1)
    return norm.emitOpError("expects parameters that are neighbours in the slab, but got ")
           << runs.size() << " runs of them";
  int64_t elements = runElements(runs[0].second);
  plan.launch(norm,
              {plan.bufferOf(norm.getCount()), plan.bufferOf(norm.getNorm()),
               plan.slabBuffer(plan::Region::gradient, runs[0].first, elements)},
              getAffineConstantExpr(elements, norm.getContext()));
  return success();
}

void EntryLowering::lowerUpdate(OptimizerOpInterface update) {
  SmallVector<std::pair<int64_t, SmallVector<Attribute>>> runs;
  if (update.isElementwise())
    runs = findRuns(update.getParams());
  else
    for (Attribute name : update.getParams())
      runs.push_back({plan.layout.find(cast<FlatSymbolRefAttr>(name).getValue())->offset, {name}});
  const plan::Region regions[] = {plan::Region::parameter, plan::Region::gradient, plan::Region::moment1,
                                  plan::Region::moment2};
  for (auto &[first, parameters] : runs) {
    // With the gaps behind parameters, which are zero and stay zero.
    int64_t elements = runElements(parameters);
    SmallVector<Value> buffers;
    for (Value operand : update->getOperands())
      buffers.push_back(plan.bufferOf(operand));
    for (plan::Region region : ArrayRef(regions).take_front(2 + update.getMoments()))
      buffers.push_back(plan.slabBuffer(region, first, elements));
    update.setParamsAttr(ArrayAttr::get(update.getContext(), parameters));
    plan.launch(update, buffers, getAffineConstantExpr(elements, update.getContext()));
  }
}

void EntryLowering::lowerReturn(Operation *terminator) {
  for (OpOperand &value : terminator->getOpOperands()) {
    auto bound = plan.denseBufferOf(value.get()).getDefiningOp<plan::BufferOp>();
    bool inPlace = bound.getRegion() == plan::Region::output && bound.getIndex() == value.getOperandNumber();
    if (!inPlace)
      plan.builder.create<plan::CopyOp>(terminator->getLoc(), bound,
                                        plan.outputBuffer(value.getOperandNumber(), value.get()));
  }
}

} // namespace bifocal
