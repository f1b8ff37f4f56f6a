// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "dialect/bifocal/BifocalOps.h"
#include "dialect/plan/PlanOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/KernelCalls.h"
#include "passes/KernelSchedule.h"
#include "passes/Passes.h"
#include "runtime/core/ArtifactFormat.h"

using namespace mlir;

namespace bifocal {
#define GEN_PASS_DEF_VERIFYDIFFERENTIATEINPUTPASS
#define GEN_PASS_DEF_VERIFYOPTIMIZEINPUTPASS
#define GEN_PASS_DEF_VERIFYSCHEDULEINPUTPASS
#define GEN_PASS_DEF_VERIFYKERNELSINPUTPASS
#include "passes/Passes.h.inc"

namespace {

constexpr StringLiteral nameAttr = "bifocal.name", dimsAttr = "bifocal.dims";

LogicalResult verifyOneBlock(func::FuncOp function) {
  if (function.getBody().hasOneBlock())
    return success();
  return function.emitOpError("expects one block, but got ") << function.getBody().getBlocks().size();
}

/// `dims` has one entry per axis of `type`; with `named`, every dynamic axis has a name.
LogicalResult verifyDims(func::FuncOp function, const Twine &what, Type type, Attribute dims, bool named) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return function.emitOpError("expects tensors, but ") << what << " is " << type;
  auto names = dyn_cast_or_null<ArrayAttr>(dims);
  if (dims && !names)
    return function.emitOpError("expects an array of strings in 'bifocal.dims', but ") << what << " has " << dims;
  for (Attribute name : names ? names.getValue() : ArrayRef<Attribute>())
    if (!isa<StringAttr>(name))
      return function.emitOpError("expects strings in 'bifocal.dims', \"\" for a static axis, but ")
             << what << " has " << name;
  if (names && static_cast<int64_t>(names.size()) != tensor.getRank())
    return function.emitOpError("expects one entry of 'bifocal.dims' per axis, but ")
           << what << " has rank " << tensor.getRank() << " and " << names.size() << " entries";
  for (int64_t axis = 0; named && axis < tensor.getRank(); ++axis) {
    if (tensor.isDynamicDim(axis) && (!names || cast<StringAttr>(names[axis]).empty()))
      return function.emitOpError("expects a name in 'bifocal.dims' for every dynamic axis, but axis ")
             << axis << " of " << what << " has none";
  }
  return success();
}

LogicalResult verifySignature(func::FuncOp function, bool named) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (failed(verifyDims(function, "argument " + Twine(i), function.getArgumentTypes()[i],
                          function.getArgAttr(i, dimsAttr), named)))
      return failure();
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (failed(verifyDims(function, "result " + Twine(i), function.getResultTypes()[i],
                          function.getResultAttr(i, dimsAttr), /*named=*/false)))
      return failure();
  return success();
}

/// The settings of the optimizer of 'bifocal.train' are the f32 attributes of its op.
LogicalResult verifyOptimizer(func::FuncOp loss, DictionaryAttr settings) {
  auto optimizer = settings.getAs<StringAttr>("optimizer");
  auto op = optimizer ? RegisteredOperationName::lookup(("bifocal." + optimizer.getValue()).str(), loss.getContext())
                      : std::nullopt;
  if (!op || !op->hasInterface<OptimizerOpInterface>())
    return loss.emitOpError("expects the mnemonic of an optimizer as 'optimizer' in 'bifocal.train'");
  for (StringAttr name : op->getAttributeNames()) {
    // Bounds are a parameter's.
    if (name == "params" || name == "clear_gradients" || name == "bounds")
      continue;
    auto setting = settings.getAs<FloatAttr>(name);
    if (!setting || !setting.getType().isF32())
      return loss.emitOpError("expects the f32 setting '") << name.getValue() << "' in 'bifocal.train'";
  }
  return success();
}

LogicalResult verifyLoss(func::FuncOp loss) {
  auto settings = loss->getAttrOfType<DictionaryAttr>("bifocal.train");
  if (!settings)
    return loss.emitOpError("expects the dictionary 'bifocal.train'");
  if (failed(verifyOptimizer(loss, settings)))
    return failure();
  for (StringRef name : {"loss", "count"}) {
    bool found = false;
    for (unsigned i = 0; i < loss.getNumResults(); ++i) {
      auto tensor = dyn_cast<RankedTensorType>(loss.getResultTypes()[i]);
      auto given = loss.getResultAttrOfType<StringAttr>(i, nameAttr);
      found |= given && given == name && tensor && tensor.getRank() == 0 && tensor.getElementType().isF32();
    }
    if (!found)
      return loss.emitOpError("expects a result tensor<f32> with the 'bifocal.name' \"") << name << "\"";
  }
  return success();
}

struct VerifyDifferentiateInput : impl::VerifyDifferentiateInputPassBase<VerifyDifferentiateInput> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(verifyOneBlock(function)) || failed(verifySignature(function, /*named=*/false)) ||
          (function.getName() == "loss" && failed(verifyLoss(function))))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

struct VerifyOptimizeInput : impl::VerifyOptimizeInputPassBase<VerifyOptimizeInput> {
  LogicalResult verify(func::FuncOp function) {
    if (failed(verifyOneBlock(function)))
      return failure();
    if (function.getName() == "loss")
      return function.emitOpError("expects the phase 'differentiate' to have replaced '@loss'");
    if (function->hasAttr("bifocal.gradient"))
      return function.emitOpError("expects the phase 'differentiate' to have removed 'bifocal.gradient'");
    return success();
  }
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(verify(function)))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

/// Parameters and their gradients are f32, as updates are; a product has at most one type of 16 bits.
LogicalResult verifyElements(Operation &op) {
  SmallVector<Type> types(op.getOperandTypes()), wide;
  llvm::append_range(types, op.getResultTypes());
  if (isa<ParamRefOp, StoreGradientOp>(op))
    wide = types;
  else if (auto loss = dyn_cast<ProjectedCrossEntropyOp>(op); loss && loss.getWeightGrad())
    // The windows of the loss add to it one after the other.
    wide = {loss.getWeightGrad().getType()};
  for (Type type : wide)
    if (isNarrow(type))
      return op.emitOpError("expects f32, but got ") << type;
  if (!isa<LinearOp, LinearInputGradOp, LinearWeightGradOp, ProjectedCrossEntropyOp>(op))
    return success();
  Type narrow;
  for (Type type : llvm::make_filter_range(types, isNarrow)) {
    Type element = getElementTypeOrSelf(type);
    if (narrow && narrow != element)
      return op.emitOpError("expects one type of 16 bits, but got ") << narrow << " and " << element;
    narrow = element;
  }
  return success();
}

struct VerifyScheduleInput : impl::VerifyScheduleInputPassBase<VerifyScheduleInput> {
  LogicalResult verify(func::FuncOp function) {
    if (failed(verifyOneBlock(function)) || failed(verifySignature(function, /*named=*/true)))
      return failure();
    for (Operation &op : function.front().without_terminator())
      if (!isa<BifocalDialect>(op.getDialect()))
        return op.emitOpError("expects only bifocal ops in an entry point");
      else if (failed(verifyElements(op)))
        return failure();
    return success();
  }
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(verify(function)))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

/// The sizes that are known here; the runtime checks all.
LogicalResult verifyWorkspace(plan::EntryOp entry, plan::GemmOp gemm) {
  auto buffer = gemm.getWorkspace() ? gemm.getWorkspace().getDefiningOp<plan::BufferOp>() : plan::BufferOp();
  auto columns = dyn_cast<AffineConstantExpr>(gemm.getN().getResult(0));
  if (!buffer || !columns || buffer.getClassIndex() >= entry.getClasses().size())
    return success();
  AffineExpr inner = gemm.getK().getResult(0);
  AffineExpr unit = cast<AffineMapAttr>(entry.getClasses()[buffer.getClassIndex()]).getValue().getResult(0);
  auto steps = dyn_cast<AffineConstantExpr>(inner), units = dyn_cast<AffineConstantExpr>(unit);
  const bool quantized = gemm.getQuantization() != plan::Quantization::none;
  int64_t bytes = static_cast<int64_t>(buffer.getSize()), needed = 0;
  if (steps && buffer.getRegion() == plan::Region::panels) {
    needed = format::gemmWorkspace(columns.getValue(), steps.getValue(), quantized) * 4;
  } else if (steps && units) {
    bytes *= format::roundUpToClass(units.getValue());
    needed = format::gemmWorkspace(columns.getValue(), steps.getValue(), quantized) * 4;
  } else if (unit == inner) {
    needed = format::gemmWorkspacePerStep(columns.getValue()) * 4;
  }
  if (bytes < needed)
    return gemm.emitOpError("expects a workspace of ")
           << needed << (units ? " bytes" : " bytes per unit of its class") << ", but got " << bytes;
  return success();
}

struct VerifyKernelsInput : impl::VerifyKernelsInputPassBase<VerifyKernelsInput> {
  LogicalResult verify(Operation &op) {
    if (!isa<ParamOp, StateOp, plan::EntryOp, plan::KernelOp>(op))
      return op.emitOpError("expects only parameters, states, 'plan.entry' and 'plan.kernel' in the module");
    WalkResult placed = op.walk([](plan::BufferOp buffer) {
      if (static_cast<int64_t>(buffer.getOffset()) >= 0)
        return WalkResult::advance();
      buffer.emitOpError("expects a place in its region, but the offset is ")
          << static_cast<int64_t>(buffer.getOffset());
      return WalkResult::interrupt();
    });
    auto entry = dyn_cast<plan::EntryOp>(op);
    if (placed.wasInterrupted() || !entry)
      return failure(placed.wasInterrupted());
    WalkResult sized = op.walk([&](plan::GemmOp gemm) {
      return failed(verifyWorkspace(entry, gemm)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    return sized.wasInterrupted() ? failure() : verifyKernelCalls(entry);
  }
  void runOnOperation() override {
    for (Operation &op : getOperation().getOps())
      if (failed(verify(op)))
        return signalPassFailure();
    markAllAnalysesPreserved();
  }
};

} // namespace
} // namespace bifocal
