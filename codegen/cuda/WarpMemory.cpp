// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of the threads of a warp: addresses of their lanes, masks, and order.
#include "codegen/cuda/WarpWriter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace bifocal {

void WarpWriter::synchronise(Operation &access) {
  if (sync.needsSync(access))
    builder.create<NVVM::SyncWarpOp>(loc, constant(builder.getI32Type(), -1));
}

void WarpWriter::writeGep(LLVM::GEPOp op) {
  // The slots of buffers and sizes are parameters.
  auto argument = dyn_cast<BlockArgument>(op.getBase());
  if (argument && argument.getOwner() == &function.getBody().front())
    return;
  // Addresses of lanes of which a thread has several are made where they are read.
  Type type = op.getType();
  if (LLVM::isCompatibleVectorType(type) && LLVM::getVectorNumElements(type).getFixedValue() > warpLanes)
    return;
  Value base = mapped(op.getBase());
  SmallVector<LLVM::GEPArg> indices;
  for (auto index : op.getIndices()) {
    if (auto value = dyn_cast<Value>(index))
      indices.push_back(mapped(value));
    else
      indices.push_back(static_cast<int32_t>(cast<IntegerAttr>(index).getInt()));
  }
  map.map(op.getResult(), builder.create<LLVM::GEPOp>(loc, base.getType(), op.getElemType(), base, indices));
}

Value WarpWriter::laneAddress(Value base, Type type) {
  auto vector = cast<VectorType>(type);
  int64_t own = std::max<int64_t>(1, vector.getNumElements() / warpLanes);
  Value first = lane(builder.getI64Type());
  if (own > 1)
    first = builder.create<arith::MulIOp>(loc, first, constant(builder.getI64Type(), own));
  return builder.create<LLVM::GEPOp>(loc, base.getType(), vector.getElementType(), base, ArrayRef<LLVM::GEPArg>{first});
}

Value WarpWriter::loadWhere(Value condition, Type type, Value address, unsigned alignment) {
  if (!condition)
    return builder.create<LLVM::LoadOp>(loc, type, address, alignment);
  auto branch = builder.create<scf::IfOp>(loc, TypeRange{type}, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(branch.thenBlock());
  builder.create<scf::YieldOp>(loc, ValueRange{builder.create<LLVM::LoadOp>(loc, type, address, alignment)});
  builder.setInsertionPointToEnd(branch.elseBlock());
  Value zero = builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(builder.getZeroAttr(type)));
  builder.create<scf::YieldOp>(loc, ValueRange{zero});
  return branch.getResult(0);
}

void WarpWriter::storeWhere(Value condition, Value value, Value address, unsigned alignment) {
  OpBuilder::InsertionGuard guard(builder);
  if (condition) {
    auto branch = builder.create<scf::IfOp>(loc, condition, /*withElseRegion=*/false);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  }
  builder.create<LLVM::StoreOp>(loc, value, address, alignment);
}

/// Vectors longer than a warp lie at multiples of their lanes, so a thread's lanes are one access.
static unsigned alignmentOf(Type type, std::optional<uint64_t> ofElement) {
  auto vector = dyn_cast<VectorType>(type);
  int64_t own = vector ? std::max<int64_t>(1, vector.getNumElements() / warpLanes) : 1;
  return static_cast<unsigned>(ofElement.value_or(0) * own);
}

void WarpWriter::writeLoad(LLVM::LoadOp op) {
  synchronise(*op);
  Value address = mapped(op.getAddr());
  Type type = op.getType();
  unsigned alignment = alignmentOf(type, op.getAlignment());
  Value loaded = isa<VectorType>(type)
                     ? loadWhere(hasLanes(type), distributed(type), laneAddress(address, type), alignment)
                     : builder.create<LLVM::LoadOp>(loc, type, address, alignment).getResult();
  map.map(op.getResult(), loaded);
}

void WarpWriter::writeStore(LLVM::StoreOp op) {
  synchronise(*op);
  Value address = mapped(op.getAddr()), value = mapped(op.getValue());
  Type type = op.getValue().getType();
  unsigned alignment = alignmentOf(type, op.getAlignment());
  if (isa<VectorType>(type))
    return storeWhere(hasLanes(type), value, laneAddress(address, type), alignment);
  Value isFirst =
      builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, threadInWarp, constant(builder.getI32Type(), 0));
  storeWhere(isFirst, value, address, alignment);
}

void WarpWriter::writeMaskedLoad(LLVM::MaskedLoadOp op) {
  synchronise(*op);
  Type type = op.getRes().getType();
  Value mask = andMask(hasLanes(type), mapped(op.getMask()));
  map.map(op.getRes(), loadWhere(mask, distributed(type), laneAddress(mapped(op.getData()), type), op.getAlignment()));
}

/// Its addresses, one of each lane, are those of the threads; of a thread with several lanes, one behind the other.
void WarpWriter::writeGather(LLVM::masked_gather op) {
  synchronise(*op);
  Type type = op.getRes().getType(), own = distributed(type);
  Value mask = andMask(hasLanes(type), mapped(op.getMask()));
  const unsigned alignment = op.getAlignment();
  const int64_t lanes = cast<VectorType>(type).getNumElements() / warpLanes;
  if (lanes <= 1) {
    map.map(op.getRes(), loadWhere(mask, own, mapped(op.getPtrs()), alignment));
    return;
  }
  auto places = op.getPtrs().getDefiningOp<LLVM::GEPOp>();
  Value base = mapped(places.getBase()), indices = mapped(cast<Value>(places.getIndices()[0]));
  Value result = builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(builder.getZeroAttr(own)));
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value index = builder.create<vector::ExtractOp>(loc, indices, lane);
    Value address = builder.create<LLVM::GEPOp>(loc, base.getType(), places.getElemType(), base, index);
    Value isThere = builder.create<vector::ExtractOp>(loc, mask, lane);
    Value element = loadWhere(isThere, getElementTypeOrSelf(type), address, alignment);
    result = builder.create<vector::InsertOp>(loc, element, result, lane);
  }
  map.map(op.getRes(), result);
}

void WarpWriter::writeMaskedStore(LLVM::MaskedStoreOp op) {
  synchronise(*op);
  Type type = op.getValue().getType();
  Value mask = andMask(hasLanes(type), mapped(op.getMask()));
  storeWhere(mask, mapped(op.getValue()), laneAddress(mapped(op.getData()), type), op.getAlignment());
}

} // namespace bifocal
