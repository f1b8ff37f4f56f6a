// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/PlanBuilder.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/RowSchedule.h"
#include "runtime/core/ArtifactFormat.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace bifocal {

/// A class that holds constant sizes has the value 1, which is rounded up to this.
constexpr int64_t unitRounding = 16;

std::string elementName(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << getElementTypeOrSelf(type);
  return text;
}

/// The text of `kernel`, a copy of `op`, with the names of states and parameters replaced by their types: equal for
/// kernels that differ in nothing but which states or parameters they serve.
static std::string structuralKey(plan::KernelOp kernel, Operation *op) {
  Operation *copy = &kernel.getBody().front().front();
  SmallVector<NamedAttribute> names;
  for (NamedAttribute attribute : copy->getAttrs())
    if (isa<FlatSymbolRefAttr>(attribute.getValue()) || attribute.getName() == "params")
      names.push_back(attribute);
  for (NamedAttribute attribute : names) {
    std::string type;
    auto symbol = dyn_cast<FlatSymbolRefAttr>(attribute.getValue());
    if (!symbol) { // the parameters of an optimizer: a kernel knows of them no more than their number of elements
      copy->setAttr(attribute.getName(), ArrayAttr::get(op->getContext(), {}));
      continue;
    }
    if (auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(op, symbol))
      llvm::raw_string_ostream(type) << state.getType();
    copy->setAttr(attribute.getName(), FlatSymbolRefAttr::get(op->getContext(), type));
  }
  std::string key;
  llvm::raw_string_ostream stream(key);
  kernel->print(stream, OpPrintingFlags().enableDebugInfo(false).useLocalScope().assumeVerified());
  for (NamedAttribute attribute : names)
    copy->setAttr(attribute.getName(), attribute.getValue());
  return key;
}

/// The row strides of the operands and results of `op` in `buffers`; null where all rows are adjacent.
static DenseI64ArrayAttr rowStrides(Operation *op, ValueRange buffers) {
  SmallVector<int64_t> strides;
  for (Value buffer : buffers.take_front(std::min<size_t>(buffers.size(), op->getNumOperands() + op->getNumResults())))
    strides.push_back(plan::rowStrideOf(buffer));
  if (llvm::all_of(strides, [](int64_t stride) { return stride == 0; }))
    return {};
  return DenseI64ArrayAttr::get(op->getContext(), strides);
}

plan::KernelOp KernelTable::kernelFor(Operation *op, const KernelSchedule &schedule, ValueRange buffers,
                                      bool accumulate) {
  OpBuilder builder(module.getContext());
  OwningOpRef<plan::KernelOp> kernel = builder.create<plan::KernelOp>(
      op->getLoc(), "", schedule.stages.size(), schedule.family, /*sites=*/0, rowStrides(op, buffers));
  if (accumulate)
    (*kernel)->setAttr("accumulate", builder.getUnitAttr());
  Block *body = builder.createBlock(&kernel->getBody());
  Operation *copy = op->clone();
  for (OpOperand &operand : copy->getOpOperands())
    operand.set(body->addArgument(operand.get().getType(), op->getLoc()));
  builder.insert(copy);
  SmallVector<Operation *> drawing = drawingOps(copy);
  for (auto [number, inner] : llvm::enumerate(drawing))
    inner->setAttr("site", builder.getI32IntegerAttr(static_cast<int32_t>(number)));
  kernel->setSites(static_cast<int64_t>(drawing.size()));
  builder.create<plan::ReturnOp>(op->getLoc(), copy->getResults());

  auto [place, isNew] = kernels.insert({structuralKey(*kernel, op), nullptr});
  if (isNew) {
    // Entry points may have such names, too.
    std::string name;
    do
      name = schedule.family + "_" + std::to_string(numbers[schedule.family]++);
    while (SymbolTable::lookupSymbolIn(module, name));
    kernel->setSymName(name);
    place->second = *kernel;
    module.push_back(kernel.release());
  }
  return place->second;
}

PlanBuilder::PlanBuilder(func::FuncOp function, const ParameterLayout &layout, KernelTable &kernels)
    : builder(function), layout(layout), kernels(kernels), function(function), context(function.getContext()),
      dims(function) {}

FailureOr<DictionaryAttr> PlanBuilder::describe(Value value, Attribute name) {
  SmallVector<Attribute> sizes;
  for (AffineExpr dim : dimsOf(value)) {
    if (auto constant = dyn_cast<AffineConstantExpr>(dim))
      sizes.push_back(builder.getI64IntegerAttr(constant.getValue()));
    else if (auto named = dyn_cast<AffineSymbolExpr>(dim))
      sizes.push_back(builder.getStringAttr(dims.names()[named.getPosition()]));
    else
      return function.emitOpError("expects every axis of an input or output to be a size or a symbol"), failure();
  }
  return builder.getDictionaryAttr(
      {{builder.getStringAttr("name"), name ? name : builder.getStringAttr("")},
       {builder.getStringAttr("dtype"), builder.getStringAttr(elementName(value.getType()))},
       {builder.getStringAttr("dims"), builder.getArrayAttr(sizes)}});
}

LogicalResult PlanBuilder::start() {
  if (failed(dims.infer()))
    return failure();
  SmallVector<Attribute> inputs, outputs;
  for (BlockArgument argument : function.getArguments()) {
    auto text = describe(argument, function.getArgAttr(argument.getArgNumber(), "bifocal.name"));
    if (failed(text))
      return failure();
    inputs.push_back(*text);
  }
  for (OpOperand &value : function.front().getTerminator()->getOpOperands()) {
    auto text = describe(value.get(), function.getResultAttr(value.getOperandNumber(), "bifocal.name"));
    if (failed(text))
      return failure();
    outputs.push_back(*text);
  }
  SmallVector<StringRef> names(dims.names().begin(), dims.names().end());
  entry = builder.create<plan::EntryOp>(function.getLoc(), builder.getStringAttr(function.getName()),
                                        builder.getStrArrayAttr(names), builder.getArrayAttr(inputs),
                                        builder.getArrayAttr(outputs), builder.getArrayAttr({}),
                                        builder.getDenseI64ArrayAttr({}));
  builder.createBlock(&entry.getBody());
  classes.push_back(getAffineConstantExpr(1, context));
  return success();
}

void PlanBuilder::finish() {
  entry.setClassesAttr(mapsOf(classes));
  entry.setPeak(SmallVector<int64_t>(classes.size(), 0));
}

AffineMap PlanBuilder::mapOf(AffineExpr expression, unsigned extraSymbols) const {
  return AffineMap::get(0, symbolCount() + extraSymbols, expression);
}

ArrayAttr PlanBuilder::mapsOf(ArrayRef<AffineExpr> expressions, unsigned extraSymbols) const {
  SmallVector<Attribute> maps;
  for (AffineExpr expression : expressions)
    maps.push_back(AffineMapAttr::get(mapOf(expression, extraSymbols)));
  return ArrayAttr::get(context, maps);
}

Value PlanBuilder::makeBuffer(Location location, plan::Region region, int64_t sizeClass, int64_t offset, int64_t size,
                              StringRef dtype, IntegerAttr index, StringAttr name) {
  // All buffers stand before the steps, in the order in which the steps first need them.
  OpBuilder::InsertionGuard guard(builder);
  if (lastBuffer)
    builder.setInsertionPointAfter(lastBuffer);
  else
    builder.setInsertionPointToStart(&entry.getBody().front());
  auto buffer = builder.create<plan::BufferOp>(location, plan::BufferType::get(context), region, sizeClass, offset,
                                               size, dtype, index, name);
  lastBuffer = buffer;
  return buffer;
}

/// Splits a product into its constant factor and the rest.
static std::pair<int64_t, AffineExpr> splitConstant(AffineExpr product) {
  if (auto constant = dyn_cast<AffineConstantExpr>(product))
    return {constant.getValue(), getAffineConstantExpr(1, product.getContext())};
  auto binary = dyn_cast<AffineBinaryOpExpr>(product);
  if (!binary || binary.getKind() != AffineExprKind::Mul)
    return {1, product};
  auto [left, leftRest] = splitConstant(binary.getLHS());
  auto [right, rightRest] = splitConstant(binary.getRHS());
  return {left * right, leftRest * rightRest};
}

Value PlanBuilder::arenaBuffer(Location location, AffineExpr units, int64_t bytesPerUnit, StringRef dtype) {
  auto [factor, unit] = splitConstant(units);
  int64_t bytes = factor * bytesPerUnit;
  if (isa<AffineConstantExpr>(unit))
    bytes = llvm::divideCeil(bytes, unitRounding);
  auto *place = llvm::find(classes, unit);
  int64_t sizeClass = place - classes.begin();
  if (place == classes.end())
    classes.push_back(unit);
  return makeBuffer(location, plan::Region::arena, sizeClass, -1, bytes, dtype);
}

Value PlanBuilder::panelBuffer(Location location, Value b, bool transposed, StringRef factor, AffineExpr n,
                               AffineExpr k) {
  Value &buffer = panels[{b, transposed, factor}];
  if (!buffer) {
    int64_t columns = cast<AffineConstantExpr>(n).getValue(), inner = cast<AffineConstantExpr>(k).getValue();
    int64_t bytes = format::gemmWorkspace(columns, inner, /*quantized=*/factor == "i8") * 4;
    buffer = makeBuffer(location, plan::Region::panels, 0, panelBytes, bytes, "f32");
    panelBytes += bytes;
  }
  return buffer;
}

Value PlanBuilder::bufferOf(Value value) {
  if (Value buffer = buffers.lookup(value))
    return buffer;
  Value buffer;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    buffer = inputBuffer(argument.getArgNumber());
  } else if (auto reference = value.getDefiningOp<ParamRefOp>()) {
    const PlacedParameter *parameter = layout.find(reference.getParam());
    buffer = slabBuffer(plan::Region::parameter, parameter->offset, parameter->elements);
  } else if (auto read = value.getDefiningOp<StateReadOp>()) {
    buffer = stateBuffer(SymbolTable::lookupNearestSymbolFrom<StateOp>(read, read.getStateAttr()));
  } else if (auto split = value.getDefiningOp<SplitOp>()) {
    int64_t column = 0;
    for (Value before : split.getOutputs().take_front(cast<OpResult>(value).getResultNumber()))
      column += lastAxis(before);
    buffer = viewOf(bufferOf(split.getInput()), split.getInput(), value, column);
  } else {
    buffer = arenaBuffer(value.getLoc(), elementCount(dimsOf(value), context), elementBytes(value.getType()),
                         elementName(value.getType()));
  }
  buffers[value] = buffer;
  return buffer;
}

Value PlanBuilder::viewOf(Value whole, Value tensor, Value part, int64_t column) {
  int64_t width = lastAxis(part), row = lastAxis(tensor);
  if (auto view = whole.getDefiningOp<plan::ViewOp>()) {
    column += static_cast<int64_t>(view.getColumn());
    row = static_cast<int64_t>(view.getRow());
    whole = view.getWhole();
  }
  Value &known = views[{whole, column, width}];
  if (!known) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(lastBuffer);
    auto view = builder.create<plan::ViewOp>(whole.getLoc(), plan::BufferType::get(context), whole, column, width, row);
    lastBuffer = view;
    known = view;
  }
  return known;
}

Value PlanBuilder::denseBufferOf(Value value) {
  Value buffer = bufferOf(value);
  if (plan::rowStrideOf(buffer) == 0)
    return buffer;
  Value &copy = dense[value];
  if (!copy) {
    copy = arenaBuffer(value.getLoc(), elementCount(dimsOf(value), context), elementBytes(value.getType()),
                       elementName(value.getType()));
    copyRows(value, buffer, copy);
  }
  return copy;
}

void PlanBuilder::copyRows(Value value, Value from, Value to) {
  Block scratch;
  Location location = value.getLoc();
  auto type = RankedTensorType::get({ShapedType::kDynamic, lastAxis(value)}, getElementTypeOrSelf(value));
  OpBuilder ops(context);
  ops.setInsertionPointToStart(&scratch);
  auto map = ops.create<MapOp>(location, TypeRange(type), ValueRange(scratch.addArgument(type, location)));
  Block *body = ops.createBlock(&map.getBody());
  // Inside of a map all floats are f32.
  Value row = body->addArgument(type.clone(ops.getF32Type()), location);
  ops.create<YieldOp>(location, row);
  launch(map, {from, to}, {rowsOf(value), rowsOf(value)});
}

Value PlanBuilder::inputBuffer(unsigned index) {
  Value argument = function.getArgument(index);
  return makeBuffer(argument.getLoc(), plan::Region::input, 0, 0, 0, elementName(argument.getType()),
                    builder.getI64IntegerAttr(index));
}

Value PlanBuilder::outputBuffer(unsigned index, Value value) {
  return makeBuffer(value.getLoc(), plan::Region::output, 0, 0, 0, elementName(value.getType()),
                    builder.getI64IntegerAttr(index));
}

Value PlanBuilder::stateBuffer(StateOp state) {
  Value &buffer = states[state.getSymName()];
  if (!buffer)
    buffer = makeBuffer(state.getLoc(), plan::Region::state, 0, 0, 0, elementName(state.getType()), {},
                        state.getSymNameAttr());
  return buffer;
}

Value PlanBuilder::slabBuffer(plan::Region region, int64_t first, int64_t count) {
  return makeBuffer(function.getLoc(), region, 0, first * 4, count * 4, "f32");
}

SmallVector<AffineExpr> PlanBuilder::launchSizes(Operation *op) {
  SmallVector<AffineExpr> sizes;
  auto append = [&](Type type, const Dims &valueDims) {
    for (auto [size, dim] : llvm::zip_equal(cast<ShapedType>(type).getShape(), valueDims))
      if (ShapedType::isDynamic(size))
        sizes.push_back(dim);
  };
  for (Value operand : op->getOperands())
    append(operand.getType(), dimsOf(operand));
  for (Value result : op->getResults())
    append(result.getType(), dimsOf(result));
  for (FlatSymbolRefAttr name : namedStates(op)) {
    auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(op, name);
    append(state.getType(), dims.named(state.getType(), state.getDims()));
  }
  for (Operation *drawing : drawingOps(op))
    sizes.push_back(getAffineConstantExpr(drawing->getAttrOfType<IntegerAttr>("site").getInt(), context));
  return sizes;
}

SmallVector<Value> PlanBuilder::launchBuffers(Operation *op) {
  SmallVector<Value> result;
  for (OpOperand &operand : op->getOpOperands())
    result.push_back(readsByRows(op, operand.getOperandNumber()) ? bufferOf(operand.get())
                                                                 : denseBufferOf(operand.get()));
  for (Value value : op->getResults())
    result.push_back(bufferOf(value));
  for (FlatSymbolRefAttr name : namedStates(op))
    result.push_back(stateBuffer(SymbolTable::lookupNearestSymbolFrom<StateOp>(op, name)));
  return result;
}

SmallVector<Value> PlanBuilder::scratchBuffers(Location location, const KernelSchedule &schedule,
                                               ArrayRef<AffineExpr> sizes) {
  SmallVector<Value> result;
  for (const KernelScratch &scratch : schedule.scratch)
    result.push_back(arenaBuffer(location, scratch.units.replaceSymbols(sizes), scratch.bytesPerUnit, "f32"));
  return result;
}

void PlanBuilder::launch(Operation *op, ArrayRef<Value> buffers, ArrayRef<AffineExpr> sizes) {
  KernelSchedule schedule = scheduleKernel(op);
  plan::KernelOp kernel = kernels.kernelFor(op, schedule, buffers);
  SmallVector<Value> all(buffers);
  llvm::append_range(all, scratchBuffers(op->getLoc(), schedule, sizes));
  SmallVector<AffineExpr> stages;
  for (AffineExpr stage : schedule.stages)
    stages.push_back(stage.replaceSymbols(sizes));
  builder.create<plan::LaunchOp>(op->getLoc(), FlatSymbolRefAttr::get(kernel.getSymNameAttr()), all, mapsOf(sizes),
                                 mapsOf(stages), DenseI64ArrayAttr());
}

} // namespace bifocal
