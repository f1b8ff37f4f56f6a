// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "test/Codegen/KernelHarness.h"

#include "codegen/cpu/CpuKernels.h"
#include "codegen/cpu/GemmKernels.h"
#include "codegen/cpu/Lowering.h"
#include "codegen/cuda/CudaKernels.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include "passes/KernelSchedule.h"
#include "runtime/core/ArtifactFormat.h"
#include "test/Codegen/StagedKernel.h"
#include "llvm/Support/FileSystem.h"
#include <algorithm>
#include <chrono>
#include <cstring>
#include <dlfcn.h>

using namespace mlir;

namespace bifocal::test {

struct KernelHarness::State {
  MLIRContext context;
  OwningOpRef<ModuleOp> module, functions;
  KernelSchedule schedule;
  std::string level;
  void *library = nullptr;
  std::vector<KernelFunction> stages;
  /// In place of the library at the level `warp`.
  std::unique_ptr<StagedKernel> onWarps;

  std::string link();
  std::string runOnWarps(KernelHarness &harness, const std::vector<void *> &buffers, const std::vector<int64_t> &sizes,
                         size_t given);
  std::vector<std::vector<char>> addScratch(std::vector<void *> &buffers, const std::vector<int64_t> &sizes);
};

static int64_t evaluate(AffineExpr expr, const std::vector<int64_t> &sizes) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue();
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return sizes.at(symbol.getPosition());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  int64_t lhs = evaluate(binary.getLHS(), sizes), rhs = evaluate(binary.getRHS(), sizes);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs + rhs;
  case AffineExprKind::Mul:
    return lhs * rhs;
  case AffineExprKind::Mod:
    return lhs % rhs;
  case AffineExprKind::FloorDiv:
    return lhs / rhs;
  default:
    return (lhs + rhs - 1) / rhs;
  }
}

KernelHarness::KernelHarness() : state(std::make_unique<State>()) {}
KernelHarness::~KernelHarness() {
  if (state->library)
    dlclose(state->library);
}

static std::string load(const std::string &bytes, void *&library) {
  llvm::SmallString<128> path;
  int descriptor = -1;
  if (llvm::sys::fs::createTemporaryFile("kernel-harness", "so", descriptor, path))
    return "cannot make a temporary file";
  llvm::raw_fd_ostream(descriptor, true) << bytes;
  library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  llvm::sys::fs::remove(path);
  return library ? "" : dlerror();
}

std::string KernelHarness::State::link() {
  auto object = emitSharedObject(*functions, level);
  if (!object)
    return llvm::toString(object.takeError());
  if (std::string error = load(*object, library); !error.empty())
    return error;
  for (size_t stage = 0; stage < schedule.stages.size(); ++stage) {
    std::string name = "k." + std::to_string(stage);
    stages.push_back(reinterpret_cast<KernelFunction>(dlsym(library, name.c_str())));
    if (!stages.back())
      return "expects a function " + name;
  }
  return "";
}

std::unique_ptr<KernelHarness> KernelHarness::create(std::string_view source, std::string_view level,
                                                     std::string &error, std::string_view instructions) {
  std::unique_ptr<KernelHarness> harness(new KernelHarness);
  State &state = *harness->state;
  state.level = instructions.empty() ? level : instructions;
  state.context.loadDialect<BifocalDialect, plan::PlanDialect, DLTIDialect>();
  ScopedDiagnosticHandler handler(&state.context, [&](Diagnostic &diagnostic) { error += diagnostic.str() + "\n"; });
  state.module = parseSourceString<ModuleOp>(source, ParserConfig(&state.context));
  if (level == "warp")
    return harness->createForWarps(error) ? std::move(harness) : nullptr;
  std::optional<VectorTarget> target = VectorTarget::find(level);
  if (!state.module || !target || failed(generateCpuKernels(*state.module, *target)))
    return error += "cannot be generated", nullptr;
  auto kernel = *state.module->getOps<plan::KernelOp>().begin();
  state.schedule = scheduleKernel(&kernel.getBody().front().front());
  state.functions = cast<ModuleOp>((*state.module->getOps<ModuleOp>().begin())->clone());
  error += state.link();
  return error.empty() ? std::move(harness) : nullptr;
}

bool KernelHarness::createForWarps(std::string &error) {
  FailureOr<gpu::GPUModuleOp> kernels = failure();
  if (state->module)
    kernels = generateCudaKernels(*state->module);
  if (failed(kernels))
    return error += "cannot be generated", false;
  auto kernel = *state->module->getOps<plan::KernelOp>().begin();
  state->schedule = scheduleKernel(&kernel.getBody().front().front());
  state->onWarps = StagedKernel::create(*kernels, error);
  return state->onWarps != nullptr;
}

/// Buffers of tensors are as large as these say; the elements of a slab are the launch's next size.
std::string KernelHarness::State::runOnWarps(KernelHarness &harness, const std::vector<void *> &buffers,
                                             const std::vector<int64_t> &sizes, size_t given) {
  size_t results = 0, size = 0;
  std::vector<StagedKernel::Buffer> memory;
  for (const KernelTensor &tensor : harness.tensors(results)) {
    const size_t bits =
        static_cast<size_t>(std::stoi(tensor.element.substr(tensor.element.find_first_of("0123456789"))));
    size_t elements = 1, last = 1;
    for (int64_t dim : tensor.dims) {
      last = static_cast<size_t>(dim < 0 ? sizes.at(size++) : dim);
      elements *= last;
    }
    if (tensor.stride > 0 && elements > 0)
      elements = (elements / last - 1) * static_cast<size_t>(tensor.stride) + last;
    memory.push_back({buffers[memory.size()], std::max<size_t>(1, bits / 8) * elements});
  }
  for (size_t slab = memory.size(); slab < given; ++slab)
    memory.push_back({buffers[slab], static_cast<size_t>(sizes.at(size)) * sizeof(float)});
  for (const KernelScratch &piece : schedule.scratch)
    memory.push_back({buffers[memory.size()], static_cast<size_t>(evaluate(piece.units, sizes) * piece.bytesPerUnit)});
  std::vector<int64_t> tiles;
  for (AffineExpr stage : schedule.stages)
    tiles.push_back(evaluate(stage, sizes));
  return onWarps->run(memory, sizes, tiles);
}

std::unique_ptr<KernelHarness> KernelHarness::write(const std::function<void(KernelBuilder &)> &write,
                                                    std::string_view level, std::string &error) {
  std::unique_ptr<KernelHarness> harness(new KernelHarness);
  State &state = *harness->state;
  state.level = level;
  Location location = UnknownLoc::get(&state.context);
  state.functions = ModuleOp::create(location);
  KernelBuilder builder(*state.functions, location, *VectorTarget::find(level));
  write(builder);
  state.schedule.stages = {getAffineConstantExpr(1, &state.context)};
  error += state.link();
  return error.empty() ? std::move(harness) : nullptr;
}

/// An instruction of AVX-512 as two of AVX2, for machines without the former.
static void splitPairSums(ModuleOp functions) {
  SmallVector<LLVM::CallIntrinsicOp> wide;
  functions.walk([&](LLVM::CallIntrinsicOp call) {
    if (call.getIntrin() == "llvm.x86.avx512.pmaddw.d.512")
      wide.push_back(call);
  });
  for (LLVM::CallIntrinsicOp call : wide) {
    OpBuilder builder(call);
    Location location = call.getLoc();
    auto type = cast<VectorType>(call.getResult(0).getType());
    Value whole = builder.create<arith::ConstantOp>(location, builder.getZeroAttr(type));
    const int64_t lanes = type.getDimSize(0) / 2;
    for (int64_t half : {0, 1}) {
      SmallVector<Value> parts;
      for (Value operand : call.getArgs())
        parts.push_back(
            builder.create<vector::ExtractStridedSliceOp>(location, operand, 2 * lanes * half, 2 * lanes, 1));
      Value sums = builder
                       .create<LLVM::CallIntrinsicOp>(location, Type(VectorType::get({lanes}, builder.getI32Type())),
                                                      "llvm.x86.avx2.pmadd.wd", parts)
                       .getResult(0);
      whole = builder.create<vector::InsertStridedSliceOp>(location, sums, whole, lanes * half, 1);
    }
    call.getResult(0).replaceAllUsesWith(whole);
    call.erase();
  }
}

std::unique_ptr<KernelHarness> KernelHarness::products(std::string_view level, std::string &error,
                                                       std::string_view instructions,
                                                       const std::array<std::string_view, 3> &elements) {
  std::unique_ptr<KernelHarness> harness(new KernelHarness);
  State &state = *harness->state;
  state.level = instructions.empty() ? level : instructions;
  Location location = UnknownLoc::get(&state.context);
  state.functions = ModuleOp::create(location);
  auto type = [&](std::string_view name) { return parseType(StringRef(name), &state.context); };
  for (bool transA : {false, true})
    for (bool transB : {false, true})
      if (failed(writeGemm(*state.functions, location, *VectorTarget::find(level), format::gemmKernel(transA, transB),
                           {transA, transB, type(elements[0]), type(elements[1]), type(elements[2])})))
        error += "cannot be written";
  const bool wide = std::ranges::all_of(elements, [](std::string_view element) { return element == "f32"; });
  for (auto quantization : {plan::Quantization::weights, plan::Quantization::factors})
    if (const Type f32 = Float32Type::get(&state.context);
        wide && failed(writeGemm(*state.functions, location, *VectorTarget::find(level),
                                 format::quantizedKernels[quantization == plan::Quantization::factors ? 1 : 0],
                                 {false, true, f32, f32, f32, quantization})))
      error += "cannot be written";
  if (state.level != level)
    splitPairSums(*state.functions);
  error += state.link();
  return error.empty() ? std::move(harness) : nullptr;
}

KernelFunction KernelHarness::find(const std::string &name) const {
  return reinterpret_cast<KernelFunction>(dlsym(state->library, name.c_str()));
}

constexpr size_t guardBytes = 256;

std::vector<std::vector<char>> KernelHarness::State::addScratch(std::vector<void *> &buffers,
                                                                const std::vector<int64_t> &sizes) {
  std::vector<std::vector<char>> scratch;
  for (const KernelScratch &piece : schedule.scratch)
    scratch.emplace_back(evaluate(piece.units, sizes) * piece.bytesPerUnit + guardBytes + 64, char(0xFF));
  for (auto &piece : scratch)
    buffers.push_back(reinterpret_cast<void *>((reinterpret_cast<uintptr_t>(piece.data()) + 63) / 64 * 64));
  return scratch;
}

std::string KernelHarness::run(std::vector<void *> buffers, const std::vector<int64_t> &sizes, unsigned repeat) {
  size_t given = buffers.size();
  std::vector<std::vector<char>> scratch = state->addScratch(buffers, sizes);
  for (unsigned round = 0; state->onWarps && round < repeat; ++round)
    if (std::string found = state->runOnWarps(*this, buffers, sizes, given); !found.empty() || round + 1 == repeat)
      return found;
  for (unsigned round = 0; round < repeat; ++round)
    for (auto [stage, function] : llvm::enumerate(state->stages))
      for (int64_t tile = evaluate(state->schedule.stages[stage], sizes); tile-- > 0;)
        function(buffers.data(), sizes.data(), tile, tile + 1);
  for (auto [index, piece] : llvm::enumerate(scratch)) {
    size_t bytes = piece.size() - guardBytes - 64;
    const char *end = static_cast<const char *>(buffers[given + index]) + bytes;
    for (size_t at = 0; at < guardBytes; ++at)
      if (end[at] != char(0xFF))
        return "writes " + std::to_string(at) + " bytes behind scratch buffer " + std::to_string(index);
  }
  return "";
}

double KernelHarness::time(std::vector<void *> buffers, const std::vector<int64_t> &sizes, unsigned repeat) {
  std::vector<std::vector<char>> scratch = state->addScratch(buffers, sizes);
  double best = 1e30;
  for (unsigned round = 0; round < repeat; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (auto [stage, function] : llvm::enumerate(state->stages))
      function(buffers.data(), sizes.data(), 0, evaluate(state->schedule.stages[stage], sizes));
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

const std::string &KernelHarness::family() const { return state->schedule.family; }

std::vector<KernelTensor> KernelHarness::tensors(size_t &results) const {
  std::vector<KernelTensor> tensors;
  auto add = [&](Type type) {
    auto shaped = cast<ShapedType>(type);
    KernelTensor tensor;
    llvm::raw_string_ostream(tensor.element) << shaped.getElementType();
    for (int64_t size : shaped.getShape())
      tensor.dims.push_back(ShapedType::isDynamic(size) ? -1 : size);
    tensors.push_back(tensor);
  };
  auto kernel = *state->module->getOps<plan::KernelOp>().begin();
  Operation *op = &kernel.getBody().front().front();
  for (Type type : kernel.getBody().getArgumentTypes())
    add(type);
  results = tensors.size();
  for (Type type : op->getResultTypes())
    add(type);
  for (auto [tensor, stride] : llvm::zip(tensors, kernel.getRowStrides().value_or(ArrayRef<int64_t>())))
    tensor.stride = stride;
  for (FlatSymbolRefAttr name : namedStates(op))
    add(SymbolTable::lookupNearestSymbolFrom<StateOp>(op, name).getType());
  return tensors;
}

std::string KernelHarness::assembly() const {
  auto text = emitKernelText(*state->functions, state->level, KernelText::Assembly);
  return text ? *text : llvm::toString(text.takeError());
}

std::string kernelSource(const std::string &arguments, const std::string &op, const std::string &results,
                         const std::string &attributes) {
  std::string stages = attributes.empty() ? "" : " attributes {" + attributes + "}";
  return "plan.kernel @k \"test\" stages 1" + stages + " {\n^bb0(" + arguments + "):\n  " + op + "\n  plan.return " +
         results + "\n}\n";
}

} // namespace bifocal::test
