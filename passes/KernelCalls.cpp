// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/KernelCalls.h"

#include "mlir/IR/SymbolTable.h"
#include "passes/KernelSchedule.h"

using namespace mlir;

namespace bifocal {

namespace {

/// What a kernel's code counts on.
struct KernelNeeds {
  KernelSchedule schedule;
  size_t buffers, sizes;
};

} // namespace

static std::string textOf(AffineExpr expression) {
  std::string text;
  llvm::raw_string_ostream(text) << expression;
  return text;
}

/// Slabs of parameters, gradients and moments that ops name instead of taking them as operands.
static size_t namedSlabs(Operation *op) {
  if (auto update = dyn_cast<OptimizerOpInterface>(op))
    return 2 + static_cast<size_t>(update.getMoments());
  return isa<GlobalNormOp, StoreGradientOp>(op) ? 1 : 0;
}

static FailureOr<KernelNeeds> needsOf(plan::KernelOp kernel) {
  Operation *op = &kernel.getBody().front().front();
  KernelNeeds needs{scheduleKernel(op), 0, 0};
  if (needs.schedule.stages.size() != kernel.getStages())
    return kernel.emitOpError("expects ")
           << needs.schedule.stages.size() << " stages, as its op has, but got " << kernel.getStages();
  const size_t slabs = namedSlabs(op);
  needs.buffers =
      op->getNumOperands() + op->getNumResults() + namedStates(op).size() + slabs + needs.schedule.scratch.size();
  // An op on slabs has their number of elements as its only size.
  needs.sizes = slabs ? 1 : dynamicDims(op) + kernel.getSites();
  return needs;
}

static LogicalResult verifyCounts(Operation *step, const KernelNeeds &needs, size_t buffers, size_t sizes) {
  if (buffers != needs.buffers)
    return step->emitOpError("expects the ") << needs.buffers << " buffers of its kernel, but got " << buffers;
  if (sizes != needs.sizes)
    return step->emitOpError("expects the ") << needs.sizes << " sizes of its kernel, but got " << sizes;
  return success();
}

static LogicalResult verifyLaunch(plan::LaunchOp launch, const KernelNeeds &needs) {
  if (failed(verifyCounts(launch, needs, launch.getBuffers().size(), launch.getSizes().size())))
    return failure();
  SmallVector<AffineExpr> sizes;
  for (auto size : launch.getSizes().getAsRange<AffineMapAttr>())
    sizes.push_back(size.getValue().getResult(0));
  for (auto [index, stage] : llvm::enumerate(launch.getStages().getAsRange<AffineMapAttr>())) {
    AffineExpr tiles = needs.schedule.stages[index].replaceSymbols(sizes);
    if (stage.getValue().getResult(0) != tiles)
      return launch.emitOpError("expects ") << textOf(tiles) << " tiles in stage " << index
                                            << ", as its kernel has, but got " << textOf(stage.getValue().getResult(0));
  }
  return success();
}

static LogicalResult verifyEpilogue(plan::GemmOp gemm, const KernelNeeds &needs) {
  if (failed(verifyCounts(gemm, needs, gemm.getEpilogueBuffers().size(), gemm.getEpilogueSizes()->size())))
    return failure();
  if (auto rows = static_cast<int64_t>(gemm.getRowsPerTile()); rows != needs.schedule.rowsPerTile)
    return gemm.emitOpError("expects ") << needs.schedule.rowsPerTile << " rows per tile, as its epilogue has, but got "
                                        << rows;
  return success();
}

/// Every expression of a step is one over the symbols of its entry, and the rows of the window inside slabs.
static LogicalResult verifySymbols(Operation *step, size_t symbols) {
  bool fits = true;
  step->getAttrDictionary().walk([&](AffineMapAttr map) { fits &= map.getValue().getNumSymbols() <= symbols; });
  if (!fits)
    return step->emitOpError("expects expressions over at most ") << symbols << " symbols";
  return success();
}

static LogicalResult verifyStep(Operation *step, SymbolTable &kernels, size_t symbols) {
  if (failed(verifySymbols(step, symbols + (isa<plan::SlabsOp>(step->getParentOp()) ? 1 : 0))))
    return failure();
  auto launch = dyn_cast<plan::LaunchOp>(step);
  auto gemm = dyn_cast<plan::GemmOp>(step);
  if (!launch && !(gemm && gemm.getEpilogue()))
    return success();
  auto kernel = kernels.lookup<plan::KernelOp>(launch ? launch.getKernel() : *gemm.getEpilogue());
  if (!kernel)
    return step->emitOpError("expects the name of a 'plan.kernel'");
  FailureOr<KernelNeeds> needs = needsOf(kernel);
  if (failed(needs))
    return failure();
  return launch ? verifyLaunch(launch, *needs) : verifyEpilogue(gemm, *needs);
}

LogicalResult verifyKernelCalls(plan::EntryOp entry) {
  SymbolTable kernels(entry->getParentOfType<ModuleOp>());
  WalkResult result = entry->walk([&](Operation *step) {
    if (!isa<plan::LaunchOp, plan::GemmOp, plan::SlabsOp>(step))
      return WalkResult::advance();
    return failed(verifyStep(step, kernels, entry.getSymbols().size())) ? WalkResult::interrupt()
                                                                        : WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

} // namespace bifocal
