// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/cuda/WarpKernels.h"

#include "codegen/common/KernelBuilder.h"
#include "codegen/cuda/CudaTarget.h"
#include "codegen/cuda/WarpWriter.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "runtime/core/ArtifactFormat.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace bifocal {

/// Of a block, on sm_90; more than 48 KiB is dynamic.
static constexpr int64_t mostShared = 227 << 10;
/// Two blocks fit a multiprocessor.
static constexpr int64_t wantedShared = mostShared / 2;
static constexpr int64_t mostWarps = 4;

WarpWriter::WarpWriter(func::FuncOp function, gpu::GPUModuleOp target)
    : function(function), target(target), builder(target.getContext()), loc(function.getLoc()), sync(function) {}

/// The number of an argument's slot that `load` reads, e.g. buffer 3; nothing for other loads.
static std::optional<int64_t> slotOf(LLVM::LoadOp load, unsigned argument) {
  auto gep = load.getAddr().getDefiningOp<LLVM::GEPOp>();
  auto base = gep ? dyn_cast<BlockArgument>(gep.getBase()) : nullptr;
  if (!base || base.getArgNumber() != argument || !isa<func::FuncOp>(base.getOwner()->getParentOp()))
    return std::nullopt;
  return gep.getRawConstantIndices()[0];
}

void WarpWriter::findArguments() {
  llvm::SetVector<int64_t> buffers, sizes;
  for (auto load : function.getBody().front().getOps<LLVM::LoadOp>()) {
    if (std::optional<int64_t> slot = slotOf(load, 0))
      buffers.insert(*slot);
    if (std::optional<int64_t> slot = slotOf(load, 1))
      sizes.insert(*slot);
  }
  kernel.buffers.assign(buffers.begin(), buffers.end());
  kernel.sizes.assign(sizes.begin(), sizes.end());
  llvm::sort(kernel.buffers);
  llvm::sort(kernel.sizes);
}

void WarpWriter::placeStackArrays() {
  function.walk([&](LLVM::AllocaOp array) {
    APInt count;
    matchPattern(array.getArraySize(), m_ConstantInt(&count));
    int64_t bytes = count.getSExtValue() * std::max(1u, array.getElemType().getIntOrFloatBitWidth() / 8);
    stackOffsets[array] = stackBytes;
    stackBytes = llvm::alignTo(stackBytes + bytes, 16);
  });
  kernel.warps = mostWarps;
  while (kernel.warps > 1 && kernel.warps * stackBytes > wantedShared)
    kernel.warps /= 2;
  kernel.sharedBytes = kernel.warps * stackBytes;
}

/// The dynamic shared memory of a block: an array without elements, which the launch makes large enough.
Value WarpWriter::declareShared() {
  constexpr StringLiteral name = "bifocal_shared";
  constexpr unsigned space = static_cast<unsigned>(NVVM::NVVMMemorySpace::kSharedMemorySpace);
  auto global = target.lookupSymbol<LLVM::GlobalOp>(name);
  if (!global) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(target.getBody());
    global = builder.create<LLVM::GlobalOp>(loc, LLVM::LLVMArrayType::get(builder.getI8Type(), 0), /*isConstant=*/false,
                                            LLVM::Linkage::External, name, Attribute(), /*alignment=*/16, space);
  }
  return builder.create<LLVM::AddressOfOp>(loc, global);
}

FailureOr<gpu::GPUFuncOp> WarpWriter::write() {
  kernel.name = function.getSymName().str();
  if (auto tiles = function->getAttrOfType<AffineMapAttr>(KernelBuilder::tilesName))
    kernel.tiles = tiles.getValue();
  if (kernel.tiles && kernel.tiles.getNumSymbols() > format::launchSizeNames().size())
    return function.emitOpError("expects a number of tiles by the first ")
           << format::launchSizeNames().size() << " sizes of the launch, but it needs " << kernel.tiles.getNumSymbols();
  findArguments();
  placeStackArrays();
  if (kernel.sharedBytes > mostShared)
    return function.emitOpError("expects at most ")
           << mostShared << " bytes of shared memory for a tile, but needs " << stackBytes;
  gpu::GPUFuncOp written = writeFunction();
  kernel.describe(written);
  for (Operation &op : function.getBody().front())
    if (failed(writeOp(op)))
      return failure();
  return written;
}

gpu::GPUFuncOp WarpWriter::writeFunction() {
  // Names of PTX are letters, digits and underscores.
  std::string name = function.getSymName().str();
  std::replace_if(
      name.begin(), name.end(), [](char letter) { return !llvm::isAlnum(letter); }, '_');
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext(),
                                            static_cast<unsigned>(NVVM::NVVMMemorySpace::kGlobalMemorySpace));
  SmallVector<Type> types(kernel.buffers.size(), pointer);
  types.append(kernel.sizes.size() + 1, builder.getI64Type());
  builder.setInsertionPoint(target.getBody()->getTerminator());
  auto written = builder.create<gpu::GPUFuncOp>(loc, name, builder.getFunctionType(types, {}));
  written->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), builder.getUnitAttr());
  written->setAttr("known_block_size",
                   builder.getDenseI32ArrayAttr({static_cast<int32_t>(warpLanes * kernel.warps), 1, 1}));
  // ptxas would rather spill than give a thread what fewer blocks on a multiprocessor need.
  written->setAttr("nvvm.maxnreg", builder.getI32IntegerAttr(CudaTarget::registersPerThread));
  Block &entry = written.getBody().front();
  builder.setInsertionPointToStart(&entry);
  Value thread = builder.create<arith::IndexCastOp>(loc, builder.getI32Type(),
                                                    builder.create<gpu::ThreadIdOp>(loc, gpu::Dimension::x));
  threadInWarp = builder.create<arith::AndIOp>(loc, thread, constant(builder.getI32Type(), warpLanes - 1));
  Value warp = builder.create<arith::ExtUIOp>(
      loc, builder.getI64Type(),
      builder.create<arith::ShRUIOp>(loc, thread, constant(builder.getI32Type(), llvm::Log2_64(warpLanes))));
  if (stackBytes > 0) {
    Value base = declareShared();
    Value own = builder.create<arith::MulIOp>(loc, warp, constant(builder.getI64Type(), stackBytes));
    for (auto [array, offset] : stackOffsets) {
      Value place = builder.create<arith::AddIOp>(loc, own, constant(builder.getI64Type(), offset));
      map.map(
          cast<LLVM::AllocaOp>(array).getResult(),
          builder.create<LLVM::GEPOp>(loc, base.getType(), builder.getI8Type(), base, ArrayRef<LLVM::GEPArg>{place}));
    }
  }
  for (auto load : function.getBody().front().getOps<LLVM::LoadOp>())
    for (auto [argument, slots, first] :
         {std::tuple(0u, &kernel.buffers, size_t{0}), std::tuple(1u, &kernel.sizes, kernel.buffers.size())})
      if (std::optional<int64_t> slot = slotOf(load, argument))
        map.map(load.getResult(), entry.getArgument(first + (llvm::find(*slots, *slot) - slots->begin())));
  Value block = builder.create<arith::IndexCastOp>(loc, builder.getI64Type(),
                                                   builder.create<gpu::BlockIdOp>(loc, gpu::Dimension::x));
  Value tile = builder.create<arith::AddIOp>(
      loc, builder.create<arith::MulIOp>(loc, block, constant(builder.getI64Type(), kernel.warps)), warp);
  // The warp's tile stands for the range that the function has.
  map.map(function.getArgument(2), tile);
  map.map(function.getArgument(3), entry.getArgument(entry.getNumArguments() - 1));
  builder.create<gpu::ReturnOp>(loc);
  builder.setInsertionPoint(entry.getTerminator());
  return written;
}

bool WarpWriter::writeTileOp(Operation &op) {
  auto combine = [&](auto rows, auto make) { writeTileRows(rows.getValues(), rows.getResult(), make); };
  if (auto load = dyn_cast<tile::LoadOp>(op))
    writeTileLoad(load);
  else if (auto store = dyn_cast<tile::StoreOp>(op))
    writeTileStore(store);
  else if (auto copy = dyn_cast<tile::CopyOp>(op))
    writeTileCopy(copy);
  else if (isa<tile::WaitOp>(op))
    writeTileWait();
  else if (auto load = dyn_cast<tile::LoadFourOp>(op))
    writeTileLoadFour(load);
  else if (auto product = dyn_cast<tile::MultiplyOp>(op))
    writeTileMultiply(product);
  else if (auto sum = dyn_cast<tile::RowSumOp>(op))
    combine(sum, [&](Value a, Value b) { return builder.create<arith::AddFOp>(loc, a, b); });
  else if (auto maximum = dyn_cast<tile::RowMaximumOp>(op))
    combine(maximum, [&](Value a, Value b) { return builder.create<arith::MaxNumFOp>(loc, a, b); });
  else
    return false;
  return true;
}

LogicalResult WarpWriter::writeOp(Operation &op) {
  if (map.contains(op.getNumResults() ? op.getResult(0) : Value()))
    return success();
  if (isa<func::ReturnOp, scf::YieldOp, LLVM::Prefetch, LLVM::AllocaOp, LLVM::ConstantOp>(op))
    return success();
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return writeConstant(constant);
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return writeFor(loop);
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return writeIf(branch);
  if (auto shuffle = dyn_cast<vector::ShuffleOp>(op))
    return writeShuffle(shuffle);
  if (isa<arith::DivFOp>(op))
    return writeRounded(op, "llvm.nvvm.div.rn");
  if (isa<math::SqrtOp>(op))
    return writeRounded(op, "llvm.nvvm.sqrt.rn");
  if (op.hasTrait<OpTrait::Elementwise>() && op.getNumRegions() == 0)
    return writeElementwise(op);
  if (auto splat = dyn_cast<vector::SplatOp>(op))
    writeSplat(splat);
  else if (auto extract = dyn_cast<vector::ExtractOp>(op))
    writeExtract(extract);
  else if (auto insert = dyn_cast<vector::InsertOp>(op))
    writeInsert(insert);
  else if (auto interleave = dyn_cast<vector::InterleaveOp>(op))
    writeInterleave(interleave);
  else if (auto deinterleave = dyn_cast<vector::DeinterleaveOp>(op))
    writeDeinterleave(deinterleave);
  else if (auto gep = dyn_cast<LLVM::GEPOp>(op))
    writeGep(gep);
  else if (auto load = dyn_cast<LLVM::LoadOp>(op))
    writeLoad(load);
  else if (auto store = dyn_cast<LLVM::StoreOp>(op))
    writeStore(store);
  else if (auto load = dyn_cast<LLVM::MaskedLoadOp>(op))
    writeMaskedLoad(load);
  else if (auto store = dyn_cast<LLVM::MaskedStoreOp>(op))
    writeMaskedStore(store);
  else if (auto gather = dyn_cast<LLVM::masked_gather>(op))
    writeGather(gather);
  else if (!writeTileOp(op))
    return op.emitOpError("has no form for the threads of a warp");
  return success();
}

void WarpKernel::describe(gpu::GPUFuncOp function) const {
  Builder builder(function.getContext());
  function->setAttr("bifocal.kernel", builder.getStringAttr(name));
  function->setAttr("bifocal.warps", builder.getI64IntegerAttr(warps));
  function->setAttr("bifocal.shared_bytes", builder.getI64IntegerAttr(sharedBytes));
  function->setAttr("bifocal.buffers", builder.getDenseI64ArrayAttr(buffers));
  function->setAttr("bifocal.sizes", builder.getDenseI64ArrayAttr(sizes));
  if (tiles)
    function->setAttr(KernelBuilder::tilesName, AffineMapAttr::get(tiles));
}

std::optional<WarpKernel> WarpKernel::of(gpu::GPUFuncOp function) {
  auto name = function->getAttrOfType<StringAttr>("bifocal.kernel");
  auto warps = function->getAttrOfType<IntegerAttr>("bifocal.warps");
  auto shared = function->getAttrOfType<IntegerAttr>("bifocal.shared_bytes");
  auto buffers = function->getAttrOfType<DenseI64ArrayAttr>("bifocal.buffers");
  auto sizes = function->getAttrOfType<DenseI64ArrayAttr>("bifocal.sizes");
  if (!name || !warps || !shared || !buffers || !sizes)
    return std::nullopt;
  auto tiles = function->getAttrOfType<AffineMapAttr>(KernelBuilder::tilesName);
  return WarpKernel{name.str(),
                    warps.getInt(),
                    shared.getInt(),
                    llvm::to_vector(buffers.asArrayRef()),
                    llvm::to_vector(sizes.asArrayRef()),
                    tiles ? tiles.getValue() : AffineMap()};
}

FailureOr<gpu::GPUFuncOp> distributeToWarp(func::FuncOp function, gpu::GPUModuleOp target) {
  target.getContext()->loadDialect<gpu::GPUDialect, NVVM::NVVMDialect>();
  return WarpWriter(function, target).write();
}

} // namespace bifocal
