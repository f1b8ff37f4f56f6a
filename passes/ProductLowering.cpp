// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/EntryLowering.h"
#include "passes/RowSchedule.h"
#include "runtime/core/ArtifactFormat.h"

using namespace mlir;

namespace bifocal {

/// Rows of logits that live at a time.
constexpr int64_t slabRows = 512;

static AffineExpr lastDim(const Dims &dims) { return dims.back(); }

/// linear(x, w) bias b activation f -> map(linear(x, w)) {add_bias, f}: the map is the epilogue of the product, and its
/// first result of the product's width takes the place of the product.
void EntryLowering::splitActivations() {
  for (LinearOp linear : llvm::to_vector(function.front().getOps<LinearOp>())) {
    Activation activation = linear.getActivation();
    if (!linear.getBias() && activation == Activation::none)
      continue;
    OpBuilder builder(linear);
    Location location = linear.getLoc();
    Type wide = linear.getPreactivation() ? linear.getPreactivation().getType()
                                          : (isGated(activation) ? Type() : linear.getOutput().getType());
    if (!wide) {
      auto narrow = cast<RankedTensorType>(linear.getOutput().getType());
      SmallVector<int64_t> shape(narrow.getShape());
      shape.back() = cast<ShapedType>(linear.getWeight().getType()).getDimSize(0);
      wide = RankedTensorType::get(shape, narrow.getElementType());
    }
    Value sums = builder
                     .create<LinearOp>(location, wide, Type(), linear.getInput(), linear.getWeight(), Value(),
                                       linear.getMask(), Activation::none, linear.getQuantization())
                     .getOutput();
    SmallVector<Value> inputs{sums};
    if (linear.getBias())
      inputs.push_back(linear.getBias());
    auto map = builder.create<MapOp>(location, linear->getResultTypes(), inputs);
    Block *body = builder.createBlock(&map.getBody());
    Value value = body->addArgument(wide, location);
    if (linear.getBias())
      value = builder.create<AddBiasOp>(location, wide, value, body->addArgument(linear.getBias().getType(), location));
    SmallVector<Value> results{value};
    if (activation == Activation::relu)
      results[0] = builder.create<ReluOp>(location, wide, value);
    else if (isGated(activation))
      results[0] = builder.create<GluOp>(location, linear.getOutput().getType(), value, gateOf(activation));
    if (linear.getPreactivation())
      results.push_back(value);
    builder.create<YieldOp>(location, results);
    linear.replaceAllUsesWith(map.getResults());
    linear.erase();
    if (!isGated(activation) || map.getNumResults() == 2)
      inPlace.push_back({sums, map.getResults().back()});
  }
}

/// A product whose first reader is a map without sums over rows waits for it; the map's last such product is chosen.
void EntryLowering::chooseEpilogues() {
  for (auto map : function.front().getOps<MapOp>()) {
    KernelSchedule schedule = scheduleKernel(map);
    std::optional<RowShape> shape = describeRows(map);
    if (!shape || schedule.rowsPerTile <= 0 || schedule.stages.size() != 1 || !schedule.scratch.empty())
      continue;
    AffineExpr rows = shape->rows.replaceSymbols(plan.launchSizes(map));
    Operation *chosen = nullptr;
    for (Value input : map.getInputs()) {
      Operation *product = input.getDefiningOp();
      if (!isa_and_present<LinearOp, LinearInputGradOp>(product) || epilogueOf.contains(product) ||
          plan.rowsOf(input) != rows)
        continue;
      bool first =
          llvm::all_of(input.getUsers(), [&](Operation *user) { return user == map || map->isBeforeInBlock(user); });
      if (first && (!chosen || chosen->isBeforeInBlock(product)))
        chosen = product;
    }
    if (!chosen)
      continue;
    epilogueOf[chosen] = map;
    productFor[map] = chosen;
  }
}

static plan::Quantization planned(Quantization quantization) {
  switch (quantization) {
  case Quantization::none:
    return plan::Quantization::none;
  case Quantization::weights:
    return plan::Quantization::weights;
  case Quantization::factors:
    return plan::Quantization::factors;
  }
  llvm_unreachable("no other quantization");
}

EntryLowering::Product EntryLowering::productOf(Operation *op) {
  Value result = op->getResult(0);
  Value left = op->getOperand(0), right = op->getOperand(1);
  AffineExpr rows = plan.rowsOf(left), leftColumns = lastDim(plan.dimsOf(left)), columns = lastDim(plan.dimsOf(result));
  Product product{op->getLoc(), plan.bufferOf(left), plan.bufferOf(right), plan.bufferOf(result), rows,
                  columns,      leftColumns};
  product.transB = isa<LinearOp>(op);
  if (auto linear = dyn_cast<LinearOp>(op))
    product.quantization = planned(linear.getQuantization());
  Value mask = llvm::TypeSwitch<Operation *, Value>(op).Case<LinearOp, LinearInputGradOp, LinearWeightGradOp>(
      [](auto linear) { return linear.getMask(); });
  product.mask = mask ? plan.bufferOf(mask) : Value();
  if (isa<LinearWeightGradOp>(op)) {
    product.m = leftColumns;
    product.k = rows;
    product.transA = true;
    product.accumulate = accumulated.contains(result);
  }
  return product;
}

/// Memory for the panels of B. One of the two sizes at least is that of a parameter.
Value EntryLowering::workspaceOf(Location location, AffineExpr columns, AffineExpr inner) {
  auto fixedColumns = dyn_cast<AffineConstantExpr>(columns), fixedInner = dyn_cast<AffineConstantExpr>(inner);
  if (fixedColumns && fixedInner)
    return plan.arenaBuffer(location, getAffineConstantExpr(1, location.getContext()),
                            format::gemmWorkspace(fixedColumns.getValue(), fixedInner.getValue()) * 4, "f32");
  // The values of size classes are rounded up as the inner axis of panels is.
  static_assert(format::classAlignment % format::gemmInnerUnit == 0);
  return fixedColumns
             ? plan.arenaBuffer(location, inner, format::gemmWorkspacePerStep(fixedColumns.getValue()) * 4, "f32")
             : Value();
}

/// Whether the panels of B are worth memory of their own: a step of decoding has few rows, so that packing a weight
/// takes a large part of its product, and the same weights come again at the next step. Panels of bytes are small, and
/// take longer to write.
bool EntryLowering::keepsPanels(const Product &product) {
  auto b = product.b.getDefiningOp<plan::BufferOp>();
  bool updates = !function.front().getOps<OptimizerOpInterface>().empty();
  bool quantized = product.quantization != plan::Quantization::none;
  return (isa<AffineSymbolExpr>(product.m) || quantized) && !updates && b && b.getRegion() == plan::Region::parameter;
}

/// What the panels of a product hold.
StringRef EntryLowering::factorOf(const Product &product) {
  if (product.quantization != plan::Quantization::none)
    return "i8";
  auto elementOf = [](Value matrix) { return plan::wholeOf(matrix).getDtype(); };
  return format::gemmFactor<StringRef>(elementOf(product.a), elementOf(product.b), elementOf(product.c), "f32");
}

void EntryLowering::emit(const Product &product, MapOp epilogue) {
  FlatSymbolRefAttr kernelName;
  SmallVector<Value> buffers;
  ArrayAttr sizes;
  int64_t rows = 0;
  if (epilogue) {
    KernelSchedule schedule = scheduleKernel(epilogue);
    buffers = plan.launchBuffers(epilogue);
    kernelName = FlatSymbolRefAttr::get(plan.kernels.kernelFor(epilogue, schedule, buffers).getSymNameAttr());
    sizes = plan.mapsOf(plan.launchSizes(epilogue));
    rows = schedule.rowsPerTile;
  }
  OpBuilder &builder = plan.builder;
  auto flag = [&](bool on) { return on ? builder.getUnitAttr() : UnitAttr(); };
  Value workspace = keepsPanels(product) ? plan.panelBuffer(product.location, product.b, product.transB,
                                                            factorOf(product), product.n, product.k)
                                         : workspaceOf(product.location, product.n, product.k);
  builder.create<plan::GemmOp>(product.location, product.a, product.b, product.c, product.mask, workspace,
                               AffineMapAttr::get(plan.mapOf(product.m)), AffineMapAttr::get(plan.mapOf(product.n)),
                               AffineMapAttr::get(plan.mapOf(product.k)), flag(product.transA), flag(product.transB),
                               plan::QuantizationAttr::get(builder.getContext(), product.quantization),
                               builder.getF32FloatAttr(product.accumulate ? 1.0f : 0.0f), DenseI64ArrayAttr(),
                               kernelName, buffers, sizes, builder.getI64IntegerAttr(rows));
}

void EntryLowering::lowerProjectedLoss(ProjectedCrossEntropyOp op) {
  OpBuilder &builder = plan.builder;
  Location location = op.getLoc();
  auto zero = builder.getF32FloatAttr(0.0f);
  for (Value sum : {op.getLoss(), op.getNll(), op.getCount()})
    builder.create<plan::FillOp>(location, plan.bufferOf(sum), zero);
  Value weightGrad = op.getWeightGrad();
  if (weightGrad && !accumulated.contains(weightGrad))
    builder.create<plan::FillOp>(location, plan.bufferOf(weightGrad), zero);

  AffineExpr window = getAffineSymbolExpr(plan.symbolCount(), op.getContext());
  AffineExpr classes = plan.dimsOf(op.getWeight())[0], channels = plan.dimsOf(op.getWeight())[1];
  Value logits = plan.arenaBuffer(location, classes, slabRows * 4, "f32");
  auto slabs = builder.create<plan::SlabsOp>(location, AffineMapAttr::get(plan.mapOf(plan.rowsOf(op.getInput()))),
                                             builder.getI64IntegerAttr(slabRows));
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&slabs.getBody());
  Product product{location, plan.denseBufferOf(op.getInput()), plan.bufferOf(op.getWeight()), logits, window, classes,
                  channels};
  product.mask = op.getMask() ? plan.bufferOf(op.getMask()) : Value();
  emitWindow(op, product, window);
}

void EntryLowering::emitWindow(ProjectedCrossEntropyOp op, const Product &product, AffineExpr window) {
  OpBuilder &builder = plan.builder;
  Location location = op.getLoc();
  int64_t channels = cast<ShapedType>(op.getWeight().getType()).getDimSize(1);
  auto rowBytes = [&](Value rows) { return rows ? channels * elementBytes(rows.getType()) : 0; };
  auto map = [&](AffineExpr expression) { return AffineMapAttr::get(plan.mapOf(expression, 1)); };
  auto gemm = [&](Value a, Value b, Value c, AffineExpr m, AffineExpr n, AffineExpr k, bool transA, bool transB,
                  float beta, ArrayRef<int64_t> moved) {
    // A byte of the mask for each row.
    SmallVector<int64_t> windowed(moved);
    windowed.append(product.mask ? 1 : 0, 1);
    Value workspace = workspaceOf(location, n, k == window ? getAffineConstantExpr(slabRows, op.getContext()) : k);
    builder.create<plan::GemmOp>(location, a, b, c, product.mask, workspace, map(m), map(n), map(k),
                                 transA ? builder.getUnitAttr() : UnitAttr(),
                                 transB ? builder.getUnitAttr() : UnitAttr(), plan::QuantizationAttr(),
                                 builder.getF32FloatAttr(beta), builder.getDenseI64ArrayAttr(windowed),
                                 FlatSymbolRefAttr(), ValueRange(), ArrayAttr(), builder.getI64IntegerAttr(0));
  };
  gemm(product.a, product.b, product.c, window, product.n, product.k, false, true, 0.0f,
       {rowBytes(op.getInput()), 0, 0});

  // The kernels see one window: rank 2 logits and rank 1 targets.
  Block scratch;
  int64_t classes = cast<ShapedType>(op.getWeight().getType()).getDimSize(0);
  auto logitsType = RankedTensorType::get({ShapedType::kDynamic, classes}, builder.getF32Type());
  auto targetsType = RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  Value logits = scratch.addArgument(logitsType, location), targets = scratch.addArgument(targetsType, location);
  OpBuilder ops(op.getContext());
  ops.setInsertionPointToStart(&scratch);
  auto launch = [&](Operation *kernelOp, ArrayRef<Value> results, ArrayRef<AffineExpr> sizes, bool accumulate) {
    KernelSchedule schedule = scheduleKernel(kernelOp);
    SmallVector<Value> buffers{product.c, plan.bufferOf(op.getTargets())};
    llvm::append_range(buffers, results);
    llvm::append_range(buffers, plan.scratchBuffers(location, schedule, sizes));
    SmallVector<AffineExpr> stages;
    for (AffineExpr stage : schedule.stages)
      stages.push_back(stage.replaceSymbols(sizes));
    SmallVector<int64_t> windowed(buffers.size(), 0);
    windowed[1] = 4;
    plan::KernelOp kernel = plan.kernels.kernelFor(kernelOp, schedule, buffers, accumulate);
    builder.create<plan::LaunchOp>(location, FlatSymbolRefAttr::get(kernel.getSymNameAttr()), buffers,
                                   plan.mapsOf(sizes, 1), plan.mapsOf(stages, 1),
                                   builder.getDenseI64ArrayAttr(windowed));
  };
  Type scalar = op.getLoss().getType();
  launch(ops.create<CrossEntropyOp>(location, scalar, scalar, scalar, logits, targets, op.getSmoothing(),
                                    op.getIgnoreIndex()),
         {plan.bufferOf(op.getLoss()), plan.bufferOf(op.getNll()), plan.bufferOf(op.getCount())}, {window, window},
         true);
  if (!op.getInputGrad())
    return;
  launch(ops.create<CrossEntropyGradOp>(location, logitsType, logits, targets, Value(), op.getSmoothing(),
                                        op.getIgnoreIndex()),
         {product.c}, {window, window, window}, false);
  gemm(product.c, product.b, plan.bufferOf(op.getInputGrad()), window, product.k, product.n, false, false, 0.0f,
       {0, 0, rowBytes(op.getInputGrad())});
  gemm(product.c, product.a, plan.bufferOf(op.getWeightGrad()), product.n, product.k, window, true, false, 1.0f,
       {0, rowBytes(op.getInput()), 0});
}

} // namespace bifocal
