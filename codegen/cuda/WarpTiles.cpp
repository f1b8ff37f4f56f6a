// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the ops on tiles become for the threads of a warp.
#include "codegen/cuda/WarpWriter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace bifocal {

template <typename Op> WarpWriter::TilePlace WarpWriter::placeOfTile(Op op) {
  auto type = cast<VectorType>(op.getRows().getType());
  const int64_t own = type.getNumElements() / warpLanes, threads = static_cast<int64_t>(op.getWidth()) / own;
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Value row = builder.create<arith::DivUIOp>(loc, threadInWarp, constant(i32, threads));
  Value part = builder.create<arith::RemUIOp>(loc, threadInWarp, constant(i32, threads));
  row = builder.create<arith::ExtUIOp>(loc, i64, row);
  Value column = builder.create<arith::ExtUIOp>(loc, i64, builder.create<arith::MulIOp>(loc, part, constant(i32, own)));
  Value index =
      builder.create<arith::AddIOp>(loc, builder.create<arith::MulIOp>(loc, row, mapped(op.getStride())), column);
  Value base = mapped(op.getBase());
  TilePlace place;
  place.address =
      builder.create<LLVM::GEPOp>(loc, base.getType(), type.getElementType(), base, ArrayRef<LLVM::GEPArg>{index});
  if (op.getBounds().empty())
    return place;
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.create<arith::CmpIOp>(loc, predicate, a, mapped(b));
  };
  place.condition = andMask(compare(arith::CmpIPredicate::sge, row, op.getLow()),
                            andMask(compare(arith::CmpIPredicate::slt, row, op.getHigh()),
                                    compare(arith::CmpIPredicate::slt, column, op.getColumns())));
  return place;
}

void WarpWriter::writeTileLoad(tile::LoadOp op) {
  synchronise(*op);
  TilePlace place = placeOfTile(op);
  Type type = distributed(op.getRows().getType()), element = getElementTypeOrSelf(type);
  const auto alignment = static_cast<unsigned>(op.getAlignment());
  auto vector = dyn_cast<VectorType>(type);
  const int64_t lanes = vector ? vector.getNumElements() : 1;
  if (lanes * element.getIntOrFloatBitWidth() / 8 <= alignment) {
    map.map(op.getRows(), loadWhere(place.condition, type, place.address, alignment));
    return;
  }
  // The machine reads a vector at once only where it is aligned.
  SmallVector<Value> own;
  for (int32_t lane = 0; lane < lanes; ++lane) {
    Value address =
        builder.create<LLVM::GEPOp>(loc, place.address.getType(), element, place.address, ArrayRef<LLVM::GEPArg>{lane});
    own.push_back(loadWhere(place.condition, element, address, element.getIntOrFloatBitWidth() / 8));
  }
  map.map(op.getRows(), builder.create<vector::FromElementsOp>(loc, vector, own));
}

void WarpWriter::writeTileStore(tile::StoreOp op) {
  synchronise(*op);
  TilePlace place = placeOfTile(op);
  storeWhere(place.condition, mapped(op.getRows()), place.address, static_cast<unsigned>(op.getAlignment()));
}

/// Every thread copies pieces of 16 bytes, neighbours of one row first. Where a warp has whole rows at a time, a
/// thread's pieces lie in one column, and all but the first are told by constants: addresses in registers would be
/// dear.
void WarpWriter::writeTileCopy(tile::CopyOp op) {
  synchronise(*op);
  constexpr int64_t piece = 8; // elements
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type(), element = builder.getI16Type();
  const auto width = static_cast<int64_t>(op.getWidth()), columns = static_cast<int64_t>(op.getColumns());
  const int64_t ofRow = width / piece, pieces = static_cast<int64_t>(op.getRows()) * ofRow;
  const bool hasWholeRows = warpLanes % ofRow == 0;
  auto at = [&](Value base, Value index) {
    return builder.create<LLVM::GEPOp>(loc, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{index});
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.create<arith::CmpIOp>(loc, predicate, a, b);
  };
  auto rowsOn = [&](int64_t rows, Value stride) {
    return builder.create<arith::MulIOp>(loc, constant(i64, rows), mapped(stride));
  };
  Value row, column, source, target;
  auto startAt = [&](int64_t first) {
    Value number = builder.create<arith::AddIOp>(loc, threadInWarp, constant(i32, first));
    row = builder.create<arith::ExtUIOp>(loc, i64, builder.create<arith::DivUIOp>(loc, number, constant(i32, ofRow)));
    Value part = builder.create<arith::RemUIOp>(loc, number, constant(i32, ofRow));
    column = builder.create<arith::ExtUIOp>(loc, i64, builder.create<arith::MulIOp>(loc, part, constant(i32, piece)));
    auto placeOf = [&](Value base, Value stride) {
      Value begin = builder.create<arith::MulIOp>(loc, row, mapped(stride));
      return at(mapped(base), builder.create<arith::AddIOp>(loc, begin, column));
    };
    source = placeOf(op.getSource(), op.getSourceStride());
    target = placeOf(op.getTarget(), op.getTargetStride());
  };
  auto name = builder.getStringAttr("llvm.nvvm.cp.async.cg.shared.global.16.s");
  for (int64_t first = 0; first < pieces; first += warpLanes) {
    if (first == 0 || !hasWholeRows)
      startAt(first);
    const int64_t behind = hasWholeRows ? first / ofRow : 0;
    Value own = builder.create<arith::AddIOp>(loc, row, constant(i64, behind));
    Value isRead = andMask(compare(arith::CmpIPredicate::sge, own, mapped(op.getLow())),
                           compare(arith::CmpIPredicate::slt, own, mapped(op.getHigh())));
    if (columns < width)
      isRead = andMask(isRead, compare(arith::CmpIPredicate::slt, column, constant(i64, columns)));
    Value bytes = builder.create<arith::SelectOp>(loc, isRead, constant(i32, 2 * piece), constant(i32, 0));
    const SmallVector<Value> operands{at(target, rowsOn(behind, op.getTargetStride())),
                                      at(source, rowsOn(behind, op.getSourceStride())), bytes};
    builder.create<LLVM::CallIntrinsicOp>(loc, Type(), name, operands, LLVM::FastmathFlagsAttr());
  }
}

void WarpWriter::writeTileWait() {
  builder.create<NVVM::CpAsyncCommitGroupOp>(loc);
  builder.create<NVVM::CpAsyncWaitGroupOp>(loc, 0);
  builder.create<NVVM::SyncWarpOp>(loc, constant(builder.getI32Type(), -1));
  sync.clear();
}

/// Threads 8 j to 8 j + 7 say where the rows of tile j are.
void WarpWriter::writeTileLoadFour(tile::LoadFourOp op) {
  synchronise(*op);
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Type element = cast<VectorType>(op.getTopLeft().getType()).getElementType();
  Value row = builder.create<arith::AndIOp>(loc, threadInWarp, constant(i32, 15));
  Value column = builder.create<arith::AndIOp>(loc, builder.create<arith::ShRUIOp>(loc, threadInWarp, constant(i32, 1)),
                                               constant(i32, 8));
  Value index =
      builder.create<arith::MulIOp>(loc, builder.create<arith::ExtUIOp>(loc, i64, row), mapped(op.getStride()));
  index = builder.create<arith::AddIOp>(loc, index, builder.create<arith::ExtUIOp>(loc, i64, column));
  Value base = mapped(op.getBase());
  Value address = builder.create<LLVM::GEPOp>(loc, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{index});
  auto words = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(4, i32));
  auto layout = op.getTransposed() ? NVVM::MMALayout::col : NVVM::MMALayout::row;
  Value loaded = builder.create<NVVM::LdMatrixOp>(loc, words, address, 4, layout);
  for (auto [index, result] : llvm::enumerate(op.getResults())) {
    Value word = builder.create<LLVM::ExtractValueOp>(loc, loaded, static_cast<int64_t>(index));
    map.map(result, builder.create<LLVM::BitcastOp>(loc, distributed(result.getType()), word));
  }
}

void WarpWriter::writeTileMultiply(tile::MultiplyOp op) {
  Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  const bool isBf16 = cast<VectorType>(op.getA0().getType()).getElementType().isInteger(16);
  SmallVector<Value> operands;
  for (Value tile : {op.getA0(), op.getA1(), op.getA2(), op.getA3(), op.getB0(), op.getB1()}) {
    Value pair = mapped(tile);
    operands.push_back(isBf16 ? builder.create<LLVM::BitcastOp>(loc, i32, pair).getResult() : pair);
  }
  for (Value tile : {op.getC0(), op.getC1()})
    for (int64_t i = 0; i < 2; ++i)
      operands.push_back(builder.create<vector::ExtractOp>(loc, mapped(tile), i));
  auto sums = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(4, f32));
  auto name =
      builder.getStringAttr(isBf16 ? "llvm.nvvm.mma.m16n8k16.row.col.bf16" : "llvm.nvvm.mma.m16n8k16.row.col.f32.f32");
  Value result = builder.create<LLVM::CallIntrinsicOp>(loc, sums, name, operands).getResult(0);
  for (auto [index, tile] : llvm::enumerate(op.getResults())) {
    SmallVector<Value> pair;
    for (int64_t i = 0; i < 2; ++i)
      pair.push_back(builder.create<LLVM::ExtractValueOp>(loc, result, static_cast<int64_t>(2 * index) + i));
    map.map(tile, builder.create<vector::FromElementsOp>(loc, cast<VectorType>(distributed(tile.getType())), pair));
  }
}

/// Four neighbouring threads have a row, two elements each.
void WarpWriter::writeTileRows(Value values, Value result, llvm::function_ref<Value(Value, Value)> combine) {
  Value own = mapped(values);
  Value all = combine(builder.create<vector::ExtractOp>(loc, own, 0), builder.create<vector::ExtractOp>(loc, own, 1));
  Value width = constant(builder.getI32Type(), warpLanes);
  for (int64_t distance : {1, 2}) {
    Value offset = constant(builder.getI32Type(), distance);
    all =
        combine(all, builder.create<gpu::ShuffleOp>(loc, all, offset, width, gpu::ShuffleMode::XOR).getShuffleResult());
  }
  map.map(result, builder.create<vector::SplatOp>(loc, all, cast<VectorType>(own.getType())));
}

} // namespace bifocal
