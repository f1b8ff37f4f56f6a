// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cpu/CpuKernels.h"

#include "codegen/cpu/GemmKernels.h"
#include "codegen/cpu/Lowering.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/RowSchedule.h"
#include "runtime/core/ArtifactFormat.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace bifocal {

static Type storedElement(Type tensor) {
  Type element = getElementTypeOrSelf(tensor);
  return element.isInteger(1) ? IntegerType::get(element.getContext(), 8) : element;
}

Array KernelTask::operand(Value value) {
  if (!value)
    return {};
  return builder.buffer(cast<BlockArgument>(value).getArgNumber(), storedElement(value.getType()));
}
Array KernelTask::operand(int64_t index) { return operand(op->getOperand(index)); }

Array KernelTask::result(int64_t index) {
  return builder.buffer(kernel.getBody().getNumArguments() + index, storedElement(op->getResult(index).getType()));
}

int64_t KernelTask::rowStride(Value argument) {
  return rowStrideAt(cast<BlockArgument>(argument).getArgNumber(), argument);
}

int64_t KernelTask::resultRowStride(int64_t index) {
  return rowStrideAt(kernel.getBody().getNumArguments() + index, op->getResult(index));
}

int64_t KernelTask::rowStrideAt(int64_t position, Value tensor) {
  const int64_t stride = kernel.getRowStrides() ? (*kernel.getRowStrides())[position] : 0;
  return stride == 0 ? lastAxis(tensor) : stride;
}

Array KernelTask::behindResults(int64_t index, Type element) {
  return builder.buffer(kernel.getBody().getNumArguments() + op->getNumResults() + index, element);
}

Array KernelTask::state(int64_t index) {
  auto state = SymbolTable::lookupNearestSymbolFrom<StateOp>(kernel, namedStates(op)[index]);
  return behindResults(index, storedElement(state.getType()));
}

Array KernelTask::scratch(int64_t index, Type element) {
  return behindResults(namedStates(op).size() + index, element);
}

static constexpr KernelGenerator generators[] = {
    generateConv,     generateAttention, generateDiffAttention, generateDiffAttentionRows,
    generateRotary,   generateRows,      generateSoftmax,       generateEmbedding,
    generateLoss,     generateOptim,     generateSearch,        generateAdaptive,
    generateRecurrent};

static LogicalResult generateKernel(plan::KernelOp kernel, ModuleOp functions, const VectorTarget &target,
                                    ArrayRef<KernelGenerator> preferred) {
  Operation *op = &kernel.getBody().front().front();
  for (Value operand : op->getOperands())
    if (!isa<BlockArgument>(operand))
      return op->emitOpError("expects the arguments of its kernel as operands");
  KernelBuilder builder(functions, op->getLoc(), target);
  if (kernel.getSites() > 0)
    builder.readSites(dynamicDims(op));
  KernelTask task{kernel, op, builder};
  for (KernelGenerator generator : llvm::concat<const KernelGenerator>(preferred, ArrayRef(generators))) {
    FailureOr<bool> done = generator(task);
    if (failed(done))
      return failure();
    if (*done)
      return builder.verifyStack();
  }
  return op->emitOpError("has no CPU kernel");
}

static StringRef elementOf(Value matrix) { return plan::wholeOf(matrix).getDtype(); }

std::string productKernel(plan::GemmOp gemm) {
  if (gemm.getQuantization() != plan::Quantization::none)
    return std::string(format::quantizedKernels[gemm.getQuantization() == plan::Quantization::factors ? 1 : 0]);
  return format::gemmKernel(gemm.getTransA(), gemm.getTransB(), elementOf(gemm.getA()), elementOf(gemm.getB()),
                            elementOf(gemm.getC()));
}

static GemmForm formOf(plan::GemmOp gemm) {
  auto typeOf = [&](Value matrix) { return parseType(elementOf(matrix), gemm.getContext()); };
  return {gemm.getTransA(),    gemm.getTransB(),    typeOf(gemm.getA()),
          typeOf(gemm.getB()), typeOf(gemm.getC()), gemm.getQuantization()};
}

/// The kernels of the products that the entries hold, each once.
static LogicalResult writeProducts(ModuleOp module, ModuleOp functions, const VectorTarget &target) {
  llvm::StringSet<> written;
  bool broken = false;
  module.walk([&](plan::GemmOp gemm) {
    const std::string name = productKernel(gemm);
    if (written.insert(name).second)
      broken |= failed(writeGemm(functions, gemm.getLoc(), target, name, formOf(gemm)));
  });
  return failure(broken);
}

/// Whether a level with instructions for dot products gives other kernels than the one without.
static bool hasDotProducts(ModuleOp module) {
  return module
      .walk([](plan::GemmOp gemm) {
        const bool isPaired = formOf(gemm).factor().isBF16() || gemm.getQuantization() == plan::Quantization::factors;
        return isPaired ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

LogicalResult writeKernels(ModuleOp module, ModuleOp functions, const VectorTarget &target,
                           ArrayRef<KernelGenerator> preferred) {
  bool broken = false;
  for (auto kernel : module.getOps<plan::KernelOp>())
    broken |= failed(generateKernel(kernel, functions, target, preferred));
  return failure(broken);
}

LogicalResult generateCpuKernels(ModuleOp module, const VectorTarget &target) {
  OpBuilder builder(module.getContext());
  builder.setInsertionPointToEnd(module.getBody());
  auto functions = builder.create<ModuleOp>(module.getLoc(), target.level);
  bool broken = failed(writeKernels(module, functions, target));
  broken |= failed(writeProducts(module, functions, target));
  return failure(broken);
}

namespace {

struct GenerateCpuKernels : PassWrapper<GenerateCpuKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(GenerateCpuKernels)

  GenerateCpuKernels() = default;
  GenerateCpuKernels(const GenerateCpuKernels &other) : PassWrapper(other) { levels = other.levels; }

  StringRef getArgument() const override { return "bifocal-generate-cpu-kernels"; }
  StringRef getDescription() const override { return "write the functions of all kernels for levels of CPUs"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }
  void runOnOperation() override {
    // What one module needs says nothing of the next one.
    std::vector<std::string> wanted(levels.begin(), levels.end());
    if (wanted.empty()) {
      wanted = {"x86-64-v3", "x86-64-v4"};
      if (hasDotProducts(getOperation()))
        wanted.push_back("x86-64-v4-dot");
    }
    for (const std::string &level : wanted) {
      std::optional<VectorTarget> target = VectorTarget::find(level);
      if (!target) {
        getOperation().emitError(unknownLevel(level));
        return signalPassFailure();
      }
      if (failed(generateCpuKernels(getOperation(), *target)))
        return signalPassFailure();
    }
  }

  ListOption<std::string> levels{
      *this, "levels", llvm::cl::desc("levels of CPUs, e.g. x86-64-v3,x86-64-v4; without: those whose kernels differ")};
};

} // namespace

std::unique_ptr<Pass> createGenerateCpuKernelsPass(ArrayRef<std::string> levels) {
  auto pass = std::make_unique<GenerateCpuKernels>();
  for (const std::string &level : levels)
    pass->levels.push_back(level);
  return pass;
}

void registerCpuCodegenPasses() {
  registerPass([] { return createGenerateCpuKernelsPass(); });
}

} // namespace bifocal
