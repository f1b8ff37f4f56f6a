// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What each op on vectors becomes for the threads of a warp.
#include "codegen/cuda/WarpWriter.h"
#include "codegen/cuda/LanePattern.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace bifocal {

static int64_t lanesOf(Type type) { return cast<VectorType>(type).getNumElements(); }

/// How many of a vector's lanes a thread has.
static int64_t share(Type type) { return std::max<int64_t>(1, lanesOf(type) / warpLanes); }

Type WarpWriter::distributed(Type type) const {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return type;
  if (share(type) == 1)
    return vector.getElementType();
  return VectorType::get({share(type)}, vector.getElementType());
}

Value WarpWriter::constant(Type type, int64_t value) {
  return builder.create<arith::ConstantOp>(loc, builder.getIntegerAttr(type, value));
}

Value WarpWriter::lane(Type type) {
  if (type.isInteger(32))
    return threadInWarp;
  if (type.getIntOrFloatBitWidth() > 32)
    return builder.create<arith::ExtUIOp>(loc, type, threadInWarp);
  return builder.create<arith::TruncIOp>(loc, type, threadInWarp);
}

Value WarpWriter::hasLanes(Type type) {
  if (lanesOf(type) >= warpLanes)
    return Value();
  return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, threadInWarp,
                                       constant(builder.getI32Type(), lanesOf(type)));
}

Value WarpWriter::andMask(Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return builder.create<arith::AndIOp>(loc, a, b);
}

LogicalResult WarpWriter::writeConstant(arith::ConstantOp op) {
  auto dense = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!dense) {
    map.map(op.getResult(), builder.clone(*op)->getResult(0));
    return success();
  }
  Type type = distributed(op.getType()), element = getElementTypeOrSelf(type);
  if (dense.isSplat()) {
    Attribute value = dense.getSplatValue<Attribute>();
    if (auto vector = dyn_cast<VectorType>(type))
      value = DenseElementsAttr::get(vector, value);
    map.map(op.getResult(), builder.create<arith::ConstantOp>(loc, cast<TypedAttr>(value)));
    return success();
  }
  if (!isa<IntegerType>(element))
    return op.emitOpError("expects the same float in all lanes of a warp");
  auto values = llvm::to_vector(dense.getValues<APInt>());
  if (auto vector = dyn_cast<VectorType>(type)) {
    SmallVector<Value> lanes;
    for (int64_t lane = 0, own = vector.getNumElements(); lane < own; ++lane) {
      SmallVector<APInt> ofThreads;
      for (int64_t thread = 0; thread < warpLanes; ++thread)
        ofThreads.push_back(values[thread * own + lane]);
      lanes.push_back(element.isInteger(1) ? truthOfThread(ofThreads) : numberOfThread(ofThreads, element));
    }
    map.map(op.getResult(), builder.create<vector::FromElementsOp>(loc, vector, lanes));
    return success();
  }
  map.map(op.getResult(), element.isInteger(1) ? truthOfThread(values) : numberOfThread(values, element));
  return success();
}

/// Thread t's truth value of `values`.
Value WarpWriter::truthOfThread(ArrayRef<APInt> values) {
  Type i32 = builder.getI32Type();
  uint32_t threads = 0;
  for (auto [thread, value] : llvm::enumerate(values))
    threads |= value.isZero() ? 0 : 1u << thread;
  if (llvm::isMask_32(threads))
    return builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::ult, threadInWarp,
                                         constant(i32, llvm::countr_one(threads)));
  Value bits = builder.create<arith::ShRUIOp>(loc, constant(i32, static_cast<int32_t>(threads)), threadInWarp);
  return builder.create<arith::TruncIOp>(loc, builder.getI1Type(), bits);
}

/// Thread t's number of `values`.
Value WarpWriter::numberOfThread(ArrayRef<APInt> values, Type element) {
  int64_t first = values[0].getSExtValue(), step = values[1].getSExtValue() - first;
  auto isNext = [&](auto pair) {
    return pair.value().getSExtValue() == first + static_cast<int64_t>(pair.index()) * step;
  };
  if (!llvm::all_of(llvm::enumerate(values), isNext))
    return fromTable(values, element);
  Value result = lane(element);
  if (step != 1)
    result = builder.create<arith::MulIOp>(loc, result, constant(element, step));
  if (first != 0)
    result = builder.create<arith::AddIOp>(loc, result, constant(element, first));
  return result;
}

/// The thread's number out of a table of constants.
Value WarpWriter::fromTable(ArrayRef<APInt> values, Type element) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())}, element);
  std::string name = ("bifocal_table_" + Twine(tables++)).str();
  LLVM::GlobalOp table;
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(target.getBody());
    table = builder.create<LLVM::GlobalOp>(loc, LLVM::LLVMArrayType::get(element, values.size()), /*isConstant=*/true,
                                           LLVM::Linkage::Internal, function.getSymName().str() + name,
                                           DenseElementsAttr::get(type, values), /*alignment=*/0,
                                           static_cast<unsigned>(NVVM::NVVMMemorySpace::kGlobalMemorySpace));
  }
  Value base = builder.create<LLVM::AddressOfOp>(loc, table), number = threadInWarp;
  // Threads behind the end of a short vector take any.
  if (values.size() < warpLanes)
    number = builder.create<arith::MinUIOp>(loc, number, constant(builder.getI32Type(), values.size() - 1));
  Value place = builder.create<LLVM::GEPOp>(loc, base.getType(), element, base, ArrayRef<LLVM::GEPArg>{number});
  return builder.create<LLVM::LoadOp>(loc, element, place, element.getIntOrFloatBitWidth() / 8);
}

LogicalResult WarpWriter::writeElementwise(Operation &op) {
  OperationState state(op.getLoc(), op.getName());
  for (Value operand : op.getOperands())
    state.operands.push_back(mapped(operand));
  for (Type type : op.getResultTypes())
    state.types.push_back(distributed(type));
  state.addAttributes(op.getDiscardableAttrDictionary().getValue());
  state.propertiesAttr = op.getPropertiesAsAttribute();
  Operation *written = builder.create(state);
  for (auto [before, after] : llvm::zip(op.getResults(), written->getResults()))
    map.map(before, after);
  return success();
}

/// What MLIR would lower to an approximation is rounded to the nearest, as on a CPU.
LogicalResult WarpWriter::writeRounded(Operation &op, StringRef intrinsic) {
  Type type = distributed(op.getResult(0).getType()), element = getElementTypeOrSelf(type);
  if (!element.isF32() && !element.isF64())
    return op.emitOpError("expects f32 or f64");
  auto name = builder.getStringAttr(intrinsic + (element.isF32() ? ".f" : ".d"));
  auto call = [&](ArrayRef<Value> operands) {
    return builder.create<LLVM::CallIntrinsicOp>(loc, element, name, operands).getResult(0);
  };
  SmallVector<Value> operands, lanes;
  for (Value operand : op.getOperands())
    operands.push_back(mapped(operand));
  auto vector = dyn_cast<VectorType>(type);
  for (int64_t lane = 0; vector && lane < vector.getNumElements(); ++lane) {
    SmallVector<Value> own;
    for (Value operand : operands)
      own.push_back(builder.create<vector::ExtractOp>(loc, operand, lane));
    lanes.push_back(call(own));
  }
  map.map(op.getResult(0),
          vector ? builder.create<vector::FromElementsOp>(loc, vector, lanes).getResult() : call(operands));
  return success();
}

void WarpWriter::writeSplat(vector::SplatOp op) {
  Value scalar = mapped(op.getInput());
  if (auto vector = dyn_cast<VectorType>(distributed(op.getType())))
    scalar = builder.create<vector::SplatOp>(loc, scalar, vector);
  map.map(op.getResult(), scalar);
}

Value WarpWriter::fromThread(Value value, Value source) {
  Type type = value.getType();
  Value width = constant(builder.getI32Type(), warpLanes);
  bool narrow = isa<IntegerType>(type) && type.getIntOrFloatBitWidth() < 32;
  if (narrow)
    value = builder.create<arith::ExtUIOp>(loc, builder.getI32Type(), value);
  value = builder.create<gpu::ShuffleOp>(loc, value, source, width, gpu::ShuffleMode::IDX).getShuffleResult();
  return narrow ? builder.create<arith::TruncIOp>(loc, type, value) : value;
}

void WarpWriter::writeExtract(vector::ExtractOp op) {
  Value vector = mapped(op.getVector());
  int64_t position = op.getStaticPosition()[0], own = share(op.getVector().getType());
  if (own > 1)
    vector = builder.create<vector::ExtractOp>(loc, vector, position % own);
  map.map(op.getResult(), fromThread(vector, constant(builder.getI32Type(), position / own)));
}

void WarpWriter::writeInsert(vector::InsertOp op) {
  Value vector = mapped(op.getDest()), scalar = mapped(op.getSource()), changed = scalar;
  int64_t position = op.getStaticPosition()[0], own = share(op.getType());
  if (own > 1)
    changed = builder.create<vector::InsertOp>(loc, scalar, vector, position % own);
  Value isOwner = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, threadInWarp,
                                                constant(builder.getI32Type(), position / own));
  map.map(op.getResult(), builder.create<arith::SelectOp>(loc, isOwner, changed, vector));
}

void WarpWriter::writeInterleave(vector::InterleaveOp op) {
  Value a = mapped(op.getLhs()), b = mapped(op.getRhs());
  Value result = isa<VectorType>(a.getType())
                     ? builder.create<vector::InterleaveOp>(loc, a, b).getResult()
                     : builder.create<vector::FromElementsOp>(loc, VectorType::get({2}, a.getType()), ValueRange{a, b})
                           .getResult();
  map.map(op.getResult(), result);
}

/// Of a vector of two warps or more: threads have pairs.
void WarpWriter::writeDeinterleave(vector::DeinterleaveOp op) {
  Value vector = mapped(op.getSource());
  for (auto [first, result] : llvm::enumerate(op.getResults())) {
    SmallVector<Value> lanes;
    for (int64_t lane = static_cast<int64_t>(first), own = share(op.getSource().getType()); lane < own; lane += 2)
      lanes.push_back(builder.create<vector::ExtractOp>(loc, vector, lane));
    Type type = distributed(result.getType());
    map.map(result, isa<VectorType>(type)
                        ? builder.create<vector::FromElementsOp>(loc, cast<VectorType>(type), lanes).getResult()
                        : lanes.front());
  }
}

LogicalResult WarpWriter::writeShuffle(vector::ShuffleOp op) {
  int64_t lanes = lanesOf(op.getV1().getType());
  SmallVector<int64_t> sources;
  for (Attribute source : op.getMask())
    sources.push_back(cast<IntegerAttr>(source).getInt());
  if (lanes > warpLanes || sources.size() > warpLanes)
    return op.emitOpError("expects vectors of at most a warp");
  LanePattern pattern = patternOf(sources, lanes);
  Value source = pattern.sourceThread(builder, loc, threadInWarp),
        second = pattern.isSecond(builder, loc, threadInWarp);
  auto taken = [&](Value vector) { return source ? fromThread(mapped(vector), source) : mapped(vector); };
  Value first = taken(op.getV1());
  if (second)
    first = builder.create<arith::SelectOp>(loc, second, taken(op.getV2()), first);
  map.map(op.getResult(), first);
  return success();
}

LogicalResult WarpWriter::writeBlock(Block &block) {
  for (Operation &op : block)
    if (failed(writeOp(op)))
      return failure();
  return success();
}

/// Writes the only block of `from` into that of `to`, with the yield of its values.
LogicalResult WarpWriter::writeRegion(Region &from, Region &to) {
  OpBuilder::InsertionGuard guard(builder);
  Operation *yield = from.front().getTerminator();
  if (yield->getNumOperands() == 0)
    builder.setInsertionPoint(to.front().getTerminator());
  else
    builder.setInsertionPointToEnd(&to.front());
  if (failed(writeBlock(from.front())))
    return failure();
  if (yield->getNumOperands() == 0)
    return success();
  SmallVector<Value> values;
  for (Value value : yield->getOperands())
    values.push_back(mapped(value));
  builder.create<scf::YieldOp>(loc, values);
  return success();
}

LogicalResult WarpWriter::writeFor(scf::ForOp op) {
  Value begin = mapped(op.getLowerBound()), end = mapped(op.getUpperBound());
  // The loop over tiles: the warp has one of them, if there is one for it.
  if (op.getLowerBound() == function.getArgument(2)) {
    Value isThere = builder.create<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, begin, end);
    auto branch = builder.create<scf::IfOp>(loc, isThere, /*withElseRegion=*/false);
    map.map(op.getInductionVar(), begin);
    return writeRegion(op.getRegion(), branch.getThenRegion());
  }
  SmallVector<Value> initial;
  for (Value value : op.getInitArgs())
    initial.push_back(mapped(value));
  auto loop = builder.create<scf::ForOp>(loc, begin, end, mapped(op.getStep()), initial);
  map.map(op.getInductionVar(), loop.getInductionVar());
  for (auto [before, after] : llvm::zip(op.getRegionIterArgs(), loop.getRegionIterArgs()))
    map.map(before, after);
  sync.enterLoop(*op);
  WarpSync::State around = sync.state();
  if (failed(writeRegion(op.getRegion(), loop.getRegion())))
    return failure();
  sync.merge(around);
  for (auto [before, after] : llvm::zip(op.getResults(), loop.getResults()))
    map.map(before, after);
  return success();
}

LogicalResult WarpWriter::writeIf(scf::IfOp op) {
  SmallVector<Type> types;
  for (Type type : op.getResultTypes())
    types.push_back(distributed(type));
  bool hasElse = !op.getElseRegion().empty();
  auto branch = builder.create<scf::IfOp>(loc, types, mapped(op.getCondition()), hasElse);
  WarpSync::State before = sync.state();
  if (failed(writeRegion(op.getThenRegion(), branch.getThenRegion())))
    return failure();
  WarpSync::State then = sync.state();
  sync.restore(before);
  if (hasElse && failed(writeRegion(op.getElseRegion(), branch.getElseRegion())))
    return failure();
  sync.merge(then);
  for (auto [before, after] : llvm::zip(op.getResults(), branch.getResults()))
    map.map(before, after);
  return success();
}

} // namespace bifocal
